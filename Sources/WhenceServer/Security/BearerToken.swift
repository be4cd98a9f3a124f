import Crypto
import Foundation
import WhenceCore

/// A token as its owner has it: `whence_ID_SECRET`, where the id (16 hexadecimal digits) finds it and the secret (32 random bytes in
/// base64url) proves it.
struct BearerToken: Sendable {
    static let prefix = "whence_"

    let id: String
    let secret: [UInt8]

    /// A new one, from the system's random numbers.
    init() {
        id = RandomBytes.make(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        secret = Array(
            Data(RandomBytes.make(32)).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
                .utf8)
    }

    /// Nil when `data` is no token by its looks.
    init?(data: [UInt8]) {
        guard data.count == Self.prefix.utf8.count + 16 + 1 + 43, data.starts(with: Self.prefix.utf8) else { return nil }
        let id = data[Self.prefix.utf8.count...].prefix(16)
        guard id.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            data[Self.prefix.utf8.count + 16] == UInt8(ascii: "_")
        else { return nil }
        self.id = String(decoding: id, as: UTF8.self)
        secret = Array(data.suffix(43))
    }

    /// As it is printed, once.
    var text: String { "\(Self.prefix)\(id)_\(String(decoding: secret, as: UTF8.self))" }
}

/// What a server keeps of a token. One round of a hash is enough: the secret has 256 random bits, which nobody guesses.
struct StoredToken: Sendable, Equatable {
    let id: String
    /// What its owner calls it; empty when it has no name.
    var label: String
    let salt: [UInt8]
    let hash: [UInt8]
    let created: Timestamp
    /// It opens no session from then on; nil: it does not end.
    var expires: Timestamp?

    init(_ token: BearerToken, label: String, created: Timestamp, expires: Timestamp?) {
        id = token.id
        self.label = label
        salt = RandomBytes.make(16)
        hash = Self.hash(token.secret, salt)
        self.created = created
        self.expires = expires
    }

    /// Reads `SHA-256$SALT$HASH`; nil when it is anything else.
    init?(id: String, text: String, label: String, created: Timestamp, expires: Timestamp?) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard id.utf8.count == 16, parts.count == 3, parts[0] == "SHA-256", let salt = Data(base64Encoded: String(parts[1])),
            (8...64).contains(salt.count), let hash = Data(base64Encoded: String(parts[2])), hash.count == 32
        else { return nil }
        self.id = id
        self.label = label
        self.salt = Array(salt)
        self.hash = Array(hash)
        self.created = created
        self.expires = expires
    }

    var text: String { "SHA-256$\(Data(salt).base64EncodedString())$\(Data(hash).base64EncodedString())" }

    /// Whether `token` is this one and opens sessions at `now`.
    func accepts(_ token: BearerToken, at now: Timestamp) -> Bool {
        let isRight = ConstantTime.equal(Self.hash(token.secret, salt), hash)
        return isRight && expires.map { now < $0 } ?? true
    }

    private static func hash(_ secret: [UInt8], _ salt: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: secret, using: SymmetricKey(data: salt)))
    }
}

/// Random bytes from the system, fit for secrets.
enum RandomBytes {
    static func make(_ count: Int) -> [UInt8] {
        var source = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &source) }
    }
}
