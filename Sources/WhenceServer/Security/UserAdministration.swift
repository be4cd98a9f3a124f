import WhenceCore
import WhenceEngine

/// What can be done to a file of users: the library's side of `whence user`.
public struct UserAdministration {
    private let file: UsersFile

    public init(file: String) { self.file = UsersFile(path: file) }

    /// With other iterations for the passwords of a file that is begun.
    init(file: String, iterations: Int) { self.file = UsersFile(path: file, iterations: iterations) }

    /// What becomes of a password.
    public enum PasswordChange {
        case keep
        case remove
        case set(String)
    }

    /// A user, without anything that must not be shown.
    public struct Listed: Sendable {
        public let name: String
        public let hasPassword: Bool
        /// As `ROLE:PATTERN`.
        public let grants: [String]
        public let tokens: [Token]
    }

    /// A token, without anything that must not be shown.
    public struct Token: Sendable {
        public let id: String
        public let label: String
        public let created: Timestamp
        public let expires: Timestamp?
    }

    /// A token that was just made: the only time that it can be seen.
    public struct NewToken: Sendable {
        public let id: String
        public let text: String
        public let expires: Timestamp?
    }

    /// Adds a user. Throws `alreadyExists`, and `invalidArgument` for a name, a password or a grant that is none.
    ///
    /// - Parameter grants: as `ROLE` or `ROLE:PATTERN`.
    public func add(_ name: String, password: String?, grants: [String]) throws(WhenceError) {
        try User.checkName(name)
        var user = User(name: name, grants: try Self.grants(grants))
        if let password { try User.checkPassword(Array(password.utf8)) }
        try file.update { directory throws(WhenceError) in
            user.password = password.map { Self.credential($0, directory) }
            try directory.add(user)
        }
    }

    /// Changes a user. Throws `notFound`, and as `add` does.
    ///
    /// - Parameter grants: what the user is granted from now on; nil keeps what there is.
    public func change(_ name: String, password: PasswordChange, grants: [String]?) throws(WhenceError) {
        let new = try grants.map { texts throws(WhenceError) in try Self.grants(texts) }
        if case .set(let text) = password { try User.checkPassword(Array(text.utf8)) }
        try file.update { directory throws(WhenceError) in
            let made: ScramCredential? = if case .set(let text) = password { Self.credential(text, directory) } else { nil }
            try directory.change(name) { user in
                switch password {
                case .keep: break
                case .remove: user.password = nil
                case .set: user.password = made
                }
                if let new { user.grants = new }
            }
        }
    }

    /// Removes a user with their tokens. Throws `notFound`.
    public func remove(_ name: String) throws(WhenceError) {
        try file.update { directory throws(WhenceError) in _ = try directory.remove(name) }
    }

    /// Makes a token for a user. Throws `notFound`.
    public func makeToken(for name: String, label: String, lifetime: Duration?) throws(WhenceError) -> NewToken {
        guard label.utf8.count <= 128, label.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw WhenceError(.invalidArgument, "a label is one line of at most 128 bytes", place: "label")
        }
        let token = BearerToken()
        let now = Timestamp.wallClock()
        let expires = try lifetime.map { lifetime throws(WhenceError) in
            let (time, overflow) = now.microseconds.addingReportingOverflow(lifetime.microseconds)
            let last = Timestamp(microseconds: 253_402_300_799_000_000)
            guard !overflow, Timestamp(microseconds: time) <= last else {
                throw WhenceError(.invalidArgument, "the token would expire after \(last)", place: "expires", hint: "leave the expiry out")
            }
            return Timestamp(microseconds: time)
        }
        try file.update { directory throws(WhenceError) in
            try directory.change(name) { $0.tokens.append(StoredToken(token, label: label, created: now, expires: expires)) }
        }
        return NewToken(id: token.id, text: token.text, expires: expires)
    }

    /// Takes a token away, and says whose it was. Throws `notFound`.
    public func revokeToken(_ id: String) throws(WhenceError) -> String {
        try file.update { directory throws(WhenceError) in
            guard let owner = directory.token(id)?.user.name else { throw WhenceError(.notFound, "there is no token with this id") }
            try directory.change(owner) { $0.tokens.removeAll { $0.id == id } }
            return owner
        }
    }

    /// All users, by name.
    public func list() throws(WhenceError) -> [Listed] {
        try file.read().users.values.sorted { $0.name < $1.name }.map { user in
            Listed(
                name: user.name, hasPassword: user.password != nil, grants: user.grants.map { "\($0.role.rawValue):\($0.views)" },
                tokens: user.tokens.map { Token(id: $0.id, label: $0.label, created: $0.created, expires: $0.expires) })
        }
    }

    private static func credential(_ password: String, _ directory: UserDirectory) -> ScramCredential {
        ScramCredential(password: Array(password.utf8), salt: RandomBytes.make(16), iterations: directory.iterations)
    }

    private static func grants(_ texts: [String]) throws(WhenceError) -> [Grant] {
        var grants: [Grant] = []
        for text in texts { grants.append(try Grant(parsing: text)) }
        return grants
    }
}
