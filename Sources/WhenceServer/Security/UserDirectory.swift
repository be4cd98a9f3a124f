import Foundation
import WhenceCore
import Yams

/// The users of a server, as their file has them (`Formats/users.md`).
struct UserDirectory: Sendable, Equatable {
    static let format = "whence-users-1"
    /// More are refused; each costs memory, and a look when the file is read again.
    static let limit = 10_000

    private(set) var users: [String: User] = [:]
    /// Makes up the salts of users that do not exist. In the file, so that a restart does not tell who exists.
    let standInKey: [UInt8]
    /// Whose token each id is.
    private(set) var owners: [String: String] = [:]

    /// Iterations for new passwords, and of users that do not exist.
    let iterations: Int

    init(iterations: Int = ScramCredential.defaultIterations) {
        standInKey = RandomBytes.make(32)
        self.iterations = iterations
    }

    /// Reads a users file, whole or not at all.
    init(_ document: SettingsDocument) throws(WhenceError) {
        let members = try document.members(document.root, "a users file", known: ["format", "stand_in_key", "iterations", "users"])
        guard let format = members["format"], try document.text(format, "'format'") == Self.format else {
            throw WhenceError(
                .unknownFormat, "this is no users file of format \(Self.format)", place: document.file,
                hint: "make one with 'whence user add NAME --users FILE'")
        }
        guard let keyNode = members["stand_in_key"], let key = Data(base64Encoded: try document.text(keyNode, "'stand_in_key'")),
            key.count == 32
        else { throw document.refuse(members["stand_in_key"] ?? document.root, "'stand_in_key' must be 32 bytes in base64") }
        standInKey = Array(key)
        guard let countNode = members["iterations"], let iterations = Int(try document.text(countNode, "'iterations'")),
            ScramCredential.allowedIterations.contains(iterations)
        else {
            throw document.refuse(
                members["iterations"] ?? document.root,
                "'iterations' must be a number from \(ScramCredential.allowedIterations.lowerBound) to \(ScramCredential.allowedIterations.upperBound)"
            )
        }
        self.iterations = iterations
        for node in try document.elements(members["users"], "'users'") {
            let user = try Self.user(node, document)
            do throws(WhenceError) { try add(user) } catch { throw document.refuse(node, error.message, hint: error.hint) }
        }
    }

    private static func user(_ node: Node, _ document: SettingsDocument) throws(WhenceError) -> User {
        let members = try document.members(node, "a user", known: ["name", "password", "tokens", "grants"])
        guard let nameNode = members["name"] else { throw document.refuse(node, "a user has no name") }
        let name = try document.text(nameNode, "'name'")
        guard User.isName(name) else { throw document.refuse(nameNode, "this is no name for a user") }
        var user = User(name: name)
        if let password = members["password"], !SettingsDocument.isNull(password) {
            guard let credential = ScramCredential(text: try document.text(password, "'password'")) else {
                throw document.refuse(
                    password, "the password of '\(name)' is not in the form SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY",
                    hint: "set it with 'whence user change'; a password itself does not belong in this file")
            }
            user.password = credential
        }
        for element in try document.elements(members["tokens"], "'tokens'") {
            user.tokens.append(try token(element, document))
        }
        for element in try document.elements(members["grants"], "'grants'") {
            let parts = try document.members(element, "a grant", known: ["role", "views"])
            guard let roleNode = parts["role"], let viewsNode = parts["views"] else {
                throw document.refuse(element, "a grant has 'role' and 'views'")
            }
            guard let role = Role(rawValue: try document.text(roleNode, "'role'")) else {
                throw document.refuse(
                    roleNode, "there is no such role", hint: "the roles are \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            user.grants.append(Grant(role, on: ViewPattern(try document.text(viewsNode, "'views'"))))
        }
        return user
    }

    private static func token(_ node: Node, _ document: SettingsDocument) throws(WhenceError) -> StoredToken {
        let parts = try document.members(node, "a token", known: ["id", "label", "hash", "created", "expires"])
        func text(_ name: String) throws(WhenceError) -> String? {
            guard let node = parts[name], !SettingsDocument.isNull(node) else { return nil }
            return try document.text(node, "'\(name)'")
        }
        func time(_ name: String) throws(WhenceError) -> Timestamp? {
            guard let node = parts[name], let text = try text(name) else { return nil }
            do throws(WhenceError) { return try Timestamp(parsing: text) } catch {
                throw document.refuse(node, error.message, hint: error.hint)
            }
        }
        guard let id = try text("id"), let hash = try text("hash"), let created = try time("created"),
            let token = StoredToken(id: id, text: hash, label: try text("label") ?? "", created: created, expires: try time("expires"))
        else { throw document.refuse(node, "a token has 'id', 'hash' (SHA-256$SALT$HASH) and 'created'") }
        return token
    }

    // MARK: Changes

    /// Adds a user. Throws `alreadyExists`.
    mutating func add(_ user: User) throws(WhenceError) {
        guard users[user.name] == nil else { throw WhenceError(.alreadyExists, "there is a user '\(user.name)' already") }
        guard users.count < Self.limit else { throw WhenceError(.limitExceeded, "there are at most \(Self.limit) users") }
        for token in user.tokens {
            guard owners.updateValue(user.name, forKey: token.id) == nil else {
                throw WhenceError(.alreadyExists, "there are two tokens with the id \(token.id)")
            }
        }
        users[user.name] = user
    }

    /// Takes a user and their tokens away. Throws `notFound`.
    @discardableResult mutating func remove(_ name: String) throws(WhenceError) -> User {
        guard let user = users.removeValue(forKey: name) else { throw WhenceError(.notFound, "there is no user '\(name.prefix(128))'") }
        for token in user.tokens { owners[token.id] = nil }
        return user
    }

    /// Changes a user by `body`. Throws `notFound`.
    mutating func change(_ name: String, _ body: (inout User) -> Void) throws(WhenceError) {
        var user = try remove(name)
        body(&user)
        try add(user)
    }

    /// The stored token with that id, and whose it is.
    func token(_ id: String) -> (user: User, token: StoredToken)? {
        guard let owner = owners[id], let user = users[owner], let token = user.tokens.first(where: { $0.id == id }) else { return nil }
        return (user, token)
    }

    // MARK: Text

    /// The file, whole. Names, patterns and hashes are in quotes, so that YAML makes nothing else of them.
    var text: String {
        func quoted(_ text: String) -> String { JSON.string(text).text }
        var text = "# The users of a Whence server: Formats/users.md. Change it with 'whence user', then send the server SIGHUP.\n"
        text += "format: \(Self.format)\nstand_in_key: \(quoted(Data(standInKey).base64EncodedString()))\niterations: \(iterations)\n"
        text += users.isEmpty ? "users: []\n" : "users:\n"
        for user in users.values.sorted(by: { $0.name < $1.name }) {
            text += "  - name: \(quoted(user.name))\n"
            if let password = user.password { text += "    password: \(quoted(password.text))\n" }
            if !user.tokens.isEmpty { text += "    tokens:\n" }
            for token in user.tokens {
                text += "      - id: \(quoted(token.id))\n"
                if !token.label.isEmpty { text += "        label: \(quoted(token.label))\n" }
                text += "        hash: \(quoted(token.text))\n        created: \(quoted(token.created.description))\n"
                if let expires = token.expires { text += "        expires: \(quoted(expires.description))\n" }
            }
            if !user.grants.isEmpty { text += "    grants:\n" }
            for grant in user.grants { text += "      - {role: \(grant.role.rawValue), views: \(quoted(grant.views.text))}\n" }
        }
        return text
    }
}
