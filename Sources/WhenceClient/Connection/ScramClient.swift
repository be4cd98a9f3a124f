import Crypto
import Foundation
import WhenceCore

/// The client's side of one SCRAM-SHA-256 exchange without channel binding (RFC 5802 and RFC 7677).
struct ScramClient: Sendable {
    /// What a server may ask of a client's processor.
    private static let allowedIterations = 4_096...10_000_000

    private let firstBare: String
    private let nonce: String
    private let password: [UInt8]
    private var expectedSignature: [UInt8] = []

    init(user: String, password: String, nonce: String = ScramClient.randomNonce()) {
        let name = user.replacingOccurrences(of: "=", with: "=3D").replacingOccurrences(of: ",", with: "=2C")
        firstBare = "n=\(name),r=\(nonce)"
        self.nonce = nonce
        self.password = Array(password.utf8)
    }

    private static func randomNonce() -> String {
        Data((0..<18).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
    }

    /// client-first-message.
    var first: [UInt8] { Array("n,,\(firstBare)".utf8) }

    /// client-final-message, for the server-first-message. Throws `notAuthenticated` where that is not one.
    mutating func final(serverFirst: [UInt8]) throws(WhenceError) -> [UInt8] {
        let text = String(decoding: serverFirst, as: UTF8.self)
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[0].hasPrefix("r=\(nonce)"), parts[0].utf8.count > nonce.utf8.count + 2, parts[1].hasPrefix("s="),
            let salt = Data(base64Encoded: String(parts[1].dropFirst(2))), !salt.isEmpty, parts[2].hasPrefix("i="),
            let iterations = Int(parts[2].dropFirst(2)), ScramClient.allowedIterations.contains(iterations)
        else { throw ScramClient.refusal("the server's challenge is not one of SCRAM-SHA-256") }
        let withoutProof = "c=biws,\(parts[0])"
        let message = Array("\(firstBare),\(text),\(withoutProof)".utf8)
        let salted = SymmetricKey(data: ScramClient.saltedPassword(password, salt: Array(salt), iterations: iterations))
        let clientKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: salted))
        let storedKey = Array(SHA256.hash(data: clientKey))
        let signature = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: storedKey))
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        let serverKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Server Key".utf8), using: salted))
        expectedSignature = Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: serverKey)))
        return Array("\(withoutProof),p=\(Data(proof).base64EncodedString())".utf8)
    }

    /// Checks server-final-message: that the server knows the password too. Throws `notAuthenticated`.
    func verify(serverFinal: [UInt8]) throws(WhenceError) {
        let text = String(decoding: serverFinal, as: UTF8.self)
        guard !expectedSignature.isEmpty, text == "v=\(Data(expectedSignature).base64EncodedString())" else {
            throw ScramClient.refusal("the server does not know the password: it is not the server that it claims to be")
        }
    }

    private static func refusal(_ message: String) -> WhenceError { WhenceError(.notAuthenticated, message) }

    /// PBKDF2 with HMAC-SHA-256 and one block of output: `Hi` of RFC 5802.
    private static func saltedPassword(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        let key = SymmetricKey(data: password)
        var block = Array(HMAC<SHA256>.authenticationCode(for: salt + [0, 0, 0, 1], using: key))
        var sum = block
        for _ in 1..<iterations {
            block = Array(HMAC<SHA256>.authenticationCode(for: block, using: key))
            for index in sum.indices { sum[index] ^= block[index] }
        }
        return sum
    }
}
