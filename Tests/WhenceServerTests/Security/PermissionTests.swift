import Testing
import WhenceCore

@testable import WhenceServer

@Suite("Permission") struct PermissionTests {
    @Test(
        "patterns name views",
        arguments: [
            ("weather", "weather", true), ("weather", "weather2", false), ("flights_*", "flights_2013", true),
            ("flights_*", "flights", false),
            ("*", "anything", true), ("?x", "ax", true), ("?x", "x", false), ("*a*b*", "xxaxxbxx", true), ("*a*b*", "bbba", false),
            ("a*", "ba", false), ("", "a", false), ("**", "", true),
        ])
    func patterns(pattern: String, view: String, isMeant: Bool) {
        #expect(ViewPattern(pattern).matches(view) == isMeant)
    }

    @Test("a reader reads, on the views granted, and does nothing else") func reader() throws {
        let reader = Principal(user: "eta", standing: .init([Grant(.reader, on: ViewPattern("weather*"))]))
        try reader.check(.read, view: "weather")
        try reader.check(.read, view: nil)
        for action in [Action.write, .score, .administer] {
            #expect(
                throws: WhenceError(
                    .notAllowed, "user 'eta' may not \(action.rawValue) view 'weather'",
                    hint: "ask an administrator of this server for a grant")
            ) { try reader.check(action, view: "weather") }
        }
        #expect(throws: WhenceError.self) { try reader.check(.read, view: "salaries") }
        #expect(throws: WhenceError.self) { try reader.check(.administer, view: nil) }
    }

    @Test("where one of several actions is enough, any of them is, and the first is named") func oneOfSeveral() throws {
        let writer = Principal(user: "loader", standing: .init([Grant(.writer, on: ViewPattern("weather"))]))
        try writer.check([.read, .write], view: "weather")
        try writer.check([.read, .write], view: nil)
        #expect { try writer.check([.read, .write], view: "salaries") } throws: { "\($0)".contains("may not read view 'salaries'") }
        #expect(throws: WhenceError.self) { try writer.check([.score, .administer], view: "weather") }
    }

    @Test("an admin of some views does not administer the server") func partialAdmin() throws {
        let admin = Principal(user: "dba", standing: .init([Grant(.admin, on: ViewPattern("weather"))]))
        try admin.check(.administer, view: "weather")
        try admin.check(.write, view: "weather")
        #expect(throws: WhenceError.self) { try admin.check(.administer, view: nil) }
        #expect(admin.roles == [.admin])
    }

    @Test("a credential that is taken away ends what its sessions may do") func revoked() {
        let standing = Principal.Standing([Grant(.admin, on: .all)])
        let principal = Principal(user: "dba", standing: standing)
        standing.grants = nil
        #expect { try principal.check(.read, view: "weather") } throws: { ($0 as? WhenceError)?.code == .notAuthenticated }
    }

    @Test(
        "addresses",
        arguments: [
            ("127.0.0.1:9462", true), ("localhost:0", true), ("[::1]:1", true), ("127.1.2.3:65535", true), ("0.0.0.0:9462", false),
            ("[::]:9462", false), ("127.evil.example:1", false), ("127.0.0.1.example:1", false), ("10.0.0.1:80", false),
        ])
    func addresses(text: String, isLoopback: Bool) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.isLoopback == isLoopback)
        #expect(address.description == text)
    }

    @Test("addresses that are none", arguments: ["", "9462", "host", "host:", ":1", "host:65536", "host:-1", "::1:9462", "h:1x"])
    func noAddress(text: String) { #expect(throws: WhenceError.self) { try ListenAddress(parsing: text) } }
}
