import Crypto
import Foundation
import WhenceCore

/// What a server keeps of a password for SCRAM-SHA-256: enough to check a proof, and not enough to make one (RFC 5802, section 3; RFC 7677).
struct ScramCredential: Sendable, Equatable {
    /// Iterations for new passwords, unless the users file says otherwise.
    static let defaultIterations = 32_768
    /// RFC 7677 asks for no fewer; the upper bound keeps clients from being kept busy.
    static let allowedIterations = 4_096...10_000_000

    var iterations: Int
    var salt: [UInt8]
    var storedKey: [UInt8]
    var serverKey: [UInt8]

    /// Derives the keys of `password`, which is printable ASCII (`PasswordRules`), so that SASLprep would not change it.
    init(password: [UInt8], salt: [UInt8], iterations: Int = ScramCredential.defaultIterations) {
        let salted = SymmetricKey(data: ScramCredential.saltedPassword(password, salt: salt, iterations: iterations))
        let clientKey = HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: salted)
        self.iterations = iterations
        self.salt = salt
        storedKey = Array(SHA256.hash(data: Array(clientKey)))
        serverKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Server Key".utf8), using: salted))
    }

    /// What stands in for a user that does not exist: the same salt each time for the same name, and keys that no password has.
    init(standingInFor user: String, key: [UInt8], iterations: Int) {
        let key = SymmetricKey(data: key)
        func derive(_ what: String) -> [UInt8] { Array(HMAC<SHA256>.authenticationCode(for: Array("\(what) \(user)".utf8), using: key)) }
        self.iterations = iterations
        salt = Array(derive("salt").prefix(16))
        storedKey = derive("stored key")
        serverKey = derive("server key")
    }

    /// PBKDF2 with HMAC-SHA-256 and one block of output: `Hi` of RFC 5802.
    static func saltedPassword(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        // The key is taken in once, and what that leads to is copied for each iteration.
        let keyed = HMAC<SHA256>(key: SymmetricKey(data: password))
        func code(_ data: [UInt8]) -> [UInt8] {
            var code = keyed
            code.update(data: data)
            return Array(code.finalize())
        }
        var block = code(salt + [0, 0, 0, 1])
        var result = block
        for _ in 1..<max(2, iterations) {
            block = code(block)
            for index in result.indices { result[index] ^= block[index] }
        }
        return result
    }

    /// Reads `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY` (RFC 5803), as PostgreSQL writes it. Nil when it is anything else.
    init?(text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "SCRAM-SHA-256" else { return nil }
        let head = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard head.count == 2, keys.count == 2, let iterations = Int(head[0]), ScramCredential.allowedIterations.contains(iterations),
            let salt = Data(base64Encoded: String(head[1])), (8...64).contains(salt.count),
            let storedKey = Data(base64Encoded: String(keys[0])), storedKey.count == 32,
            let serverKey = Data(base64Encoded: String(keys[1])), serverKey.count == 32
        else { return nil }
        self.iterations = iterations
        self.salt = Array(salt)
        self.storedKey = Array(storedKey)
        self.serverKey = Array(serverKey)
    }

    var text: String {
        func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
        return "SCRAM-SHA-256$\(iterations):\(base64(salt))$\(base64(storedKey)):\(base64(serverKey))"
    }
}
