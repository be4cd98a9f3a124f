import WhenceCore

/// One user of a server, as the users file has it.
struct User: Sendable, Equatable {
    var name: String
    /// Nil: the user has no password.
    var password: ScramCredential?
    var tokens: [StoredToken] = []
    var grants: [Grant] = []

    /// Names are 1 to 128 letters, digits and `. _ - @` of ASCII, so that they look alike everywhere.
    static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "@"):
                    true
                default: false
                }
            }
    }

    /// Refuses a name that no user may have.
    static func checkName(_ name: String) throws(WhenceError) {
        guard !isName(name) else { return }
        throw WhenceError(
            .invalidArgument, "'\(name.prefix(128))' is no name for a user", hint: "use 1 to 128 letters, digits, '.', '_', '-' and '@'")
    }

    /// Refuses a password that is too short to be one, or that other programs would prepare in another way (SASLprep, RFC 4013).
    static func checkPassword(_ password: [UInt8]) throws(WhenceError) {
        guard (8...1_024).contains(password.count) else {
            throw WhenceError(.invalidArgument, "a password has 8 to 1024 characters", hint: "choose another one")
        }
        guard password.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw WhenceError(
                .invalidArgument, "a password may only have the printable characters of ASCII", hint: "choose another one")
        }
    }
}

extension Grant {
    /// Reads `ROLE:VIEWS`, as in `reader:weather*`; a role alone is of all views.
    init(parsing text: String) throws(WhenceError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let role = Role(rawValue: String(parts[0])), parts.count == 1 || !parts[1].isEmpty else {
            throw WhenceError(
                .invalidArgument, "'\(text)' is no grant",
                hint: "write ROLE:VIEWS, as in 'reader:weather*'; the roles are \(Role.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.init(role, on: parts.count == 1 ? .all : ViewPattern(String(parts[1])))
    }
}
