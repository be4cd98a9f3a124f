import Crypto
import Foundation

/// The server's side of one SCRAM-SHA-256 exchange without channel binding (RFC 5802, sections 5 and 7). Every method returns nil for what
/// is malformed or wrong, without saying which.
struct ScramConversation: Sendable {
    /// Longer messages and nonces are refused: nobody sends them.
    private static let messageBytes = 1_024

    /// The user that the client claims to be.
    let user: String
    private let header: String
    private let firstBare: String
    private let clientNonce: String

    /// Reads client-first-message: `n,,n=USER,r=NONCE`.
    init?(clientFirst data: [UInt8]) {
        guard data.count <= Self.messageBytes, let text = String(validating: data, as: UTF8.self) else { return nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        // No channel binding (`p=`), no identity to act for (`a=`), no extension that has to be understood (`m=`).
        guard parts.count >= 4, parts[0] == "n" || parts[0] == "y", parts[1].isEmpty, parts[2].hasPrefix("n="), parts[3].hasPrefix("r="),
            let user = Self.name(parts[2].dropFirst(2)), Self.isNonce(parts[3].dropFirst(2))
        else { return nil }
        self.user = user
        header = "\(parts[0]),,"
        firstBare = parts[2...].joined(separator: ",")
        clientNonce = String(parts[3].dropFirst(2))
    }

    /// server-first-message, for a nonce of the server's own.
    func challenge(_ credential: ScramCredential, serverNonce: String) -> String {
        "r=\(clientNonce)\(serverNonce),s=\(Data(credential.salt).base64EncodedString()),i=\(credential.iterations)"
    }

    /// Reads client-final-message and returns server-final-message when its proof is right.
    func conclude(clientFinal data: [UInt8], _ credential: ScramCredential, serverNonce: String) -> String? {
        guard data.count <= Self.messageBytes, let text = String(validating: data, as: UTF8.self) else { return nil }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0] == "c=\(Data(header.utf8).base64EncodedString())", parts[1] == "r=\(clientNonce)\(serverNonce)",
            let last = parts.last, last.hasPrefix("p="), let proof = Data(base64Encoded: String(last.dropFirst(2))), proof.count == 32
        else { return nil }
        let withoutProof = parts.dropLast().joined(separator: ",")
        let message = Array("\(firstBare),\(challenge(credential, serverNonce: serverNonce)),\(withoutProof)".utf8)
        let signature = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: credential.storedKey))
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        guard ConstantTime.equal(Array(SHA256.hash(data: clientKey)), credential.storedKey) else { return nil }
        let answer = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: credential.serverKey))
        return "v=\(Data(answer).base64EncodedString())"
    }

    /// A name, in which a comma is `=2C` and an equals sign `=3D`.
    private static func name(_ text: Substring) -> String? {
        var name = ""
        var rest = text[...]
        while let character = rest.first {
            guard character == "=" else {
                name.append(character)
                rest = rest.dropFirst()
                continue
            }
            guard rest.hasPrefix("=2C") || rest.hasPrefix("=3D") else { return nil }
            name.append(rest.hasPrefix("=2C") ? "," : "=")
            rest = rest.dropFirst(3)
        }
        return name.isEmpty ? nil : name
    }

    private static func isNonce(_ text: Substring) -> Bool {
        (1...256).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}

/// Comparisons whose time does not tell where two values differ.
enum ConstantTime {
    static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
