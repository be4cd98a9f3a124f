import Foundation
import Testing

@Suite("whence serve and whence user", .timeLimit(.minutes(2))) struct ServeTests {
    private static func secrets(_ text: String) -> Bool { text.contains("correct horse") }

    @Test("a server says where it listens, tells its health, reads its users again, and ends on SIGTERM") func life() async throws {
        let workspace = try Workspace()
        try workspace.file("airports.yaml", Airports.yaml)
        try workspace.onStore("apply", "airports.yaml", "--yes")
        try workspace.whence("user", "add", "eta", "--users", "users.yaml", "--grant", "reader", input: "correct horse\n")
        let served = try await Served(workspace, ["--users", "users.yaml", "--audit-log", "audit.jsonl"])
        #expect(served.announced["pid"] as? Int == Int(served.process.processIdentifier))
        #expect((served.announced["listening"] as? String)?.hasPrefix("127.0.0.1:") == true)
        #expect(try await served.get("/healthz").status == 200)
        #expect(try await served.get("/readyz").body == "ready\n")
        #expect(try await served.get("/metrics").body.contains("\nwhence_ready 1\n"))
        // Only one process has the store.
        #expect(try workspace.onStore("admin", "stats").code == 1)
        try workspace.file("users.yaml", "format: broken")
        served.signal(SIGHUP)
        try await served.wait { try served.log().contains { ($0["what"] as? String) == "users" && ($0["level"] as? String) == "error" } }
        #expect(served.process.isRunning)
        served.signal(SIGTERM)
        try await served.wait { !served.process.isRunning }
        #expect(served.process.terminationStatus == 0)
        #expect(try workspace.text("serve.out").split(separator: "\n").count == 1)
        let audit = try workspace.text("audit.jsonl").split(separator: "\n")
        #expect(
            audit.count == 4 && audit.first?.contains("\"event\":\"start\"") == true && audit.last?.contains("\"event\":\"stop\"") == true)
        #expect(audit.contains { $0.contains("\"operation\":\"users\",\"result\":\"unknownFormat\"") })
        #expect(!Self.secrets(try workspace.text("serve.err") + workspace.text("audit.jsonl")))
        #expect(try workspace.onStore("admin", "stats").code == 0)
    }

    @Test("SIGINT ends it as well, and a port that is taken is told") func ports() async throws {
        let workspace = try Workspace()
        let served = try await Served(workspace, [])
        let listening = try #require(served.announced["listening"] as? String)
        let second = try await Served.refused(try Workspace(), ["--listen", listening])
        #expect(second.code == 1 && second.error["place"] as? String == listening)
        served.signal(SIGINT)
        try await served.wait { !served.process.isRunning }
        #expect(served.process.terminationStatus == 0)
    }

    @Test("a signal right after the line that says so ends a server in good order", arguments: 0..<5) func quickEnd(_: Int) async throws {
        let workspace = try Workspace()
        let served = try await Served(workspace, [])
        served.signal(SIGHUP)
        served.signal(SIGTERM)
        try await served.wait { !served.process.isRunning }
        // A store that is closed while the process exits would abort it.
        #expect(served.process.terminationReason == .exit && served.process.terminationStatus == 0)
    }

    @Test("what would be open to others does not start") func exposure() async throws {
        let workspace = try Workspace()
        let answer = try await Served.refused(workspace, ["--listen", "0.0.0.0:0"])
        #expect(answer.code == 2)
        #expect((answer.error["message"] as? String)?.contains("no TLS and no users") == true)
        #expect((answer.error["hint"] as? String)?.contains("--insecure-listen-without-tls-and-authentication") == true)
        #expect(!workspace.exists("store"))
    }

    @Test("--check says what is in effect, from where, and finds what is wrong") func check() throws {
        let workspace = try Workspace()
        try workspace.file("server.yaml", "data: store\nlimits: {connections: 7}\nusers: users.yaml\n")
        #expect(try workspace.whence("serve", "--config", "server.yaml", "--check").code == 1)
        try workspace.whence("user", "add", "eta", "--users", "users.yaml", "--no-password")
        let answer = try workspace.whence("serve", "--config", "server.yaml", "--check", "--log-level=debug", "--json")
        #expect(answer.code == 0, "\(answer.err)")
        let document = try JSONSerialization.jsonObject(with: Data(answer.out.utf8))
        let settings = try #require(document as? [[String: String]])
        func setting(_ key: String) -> [String: String]? { settings.first { $0["key"] == key } }
        #expect(setting("limits.connections")?["value"] == "7" && setting("limits.connections")?["origin"] == "server.yaml:2:23")
        #expect(setting("log.level")?["origin"] == "--log-level")
        let log = try workspace.whence("serve", "--config", "server.yaml", "--check", "--audit-log", "nowhere/audit.jsonl")
        #expect(log.code == 1 && log.err.contains("the audit log cannot be written"), "\(log.err)")
        #expect(!workspace.exists("store"))
        try workspace.file("server.yaml", "data: store\nlimit: {connections: 7}\n")
        let wrong = try workspace.whence("serve", "--config", "server.yaml", "--check", "--json")
        #expect(wrong.code == 2 && wrong.error["place"] as? String == "server.yaml:2:1")
        #expect(try workspace.whence("serve", "--help").out.contains("--tls-client-authorities FILE"))
    }

    @Test("users are added, changed, listed and removed, and secrets are shown once or never") func users() throws {
        let workspace = try Workspace()
        func user(_ arguments: String..., input: String = "") throws -> Workspace.Answer {
            switch arguments.count {
            case 1: try workspace.whence("user", arguments[0], "--users", "u.yaml", "--json", input: input)
            case 2: try workspace.whence("user", arguments[0], arguments[1], "--users", "u.yaml", "--json", input: input)
            default:
                try workspace.whence(
                    "user", arguments[0], arguments[1], arguments[2], arguments[3], "--users", "u.yaml", "--json", input: input)
            }
        }
        #expect(try user("list").error["name"] as? String == "notFound")
        let added = try user("add", "eta", "--grant", "reader:weather*", input: "correct horse\n")
        #expect(added.code == 0 && !Self.secrets(added.out + added.err))
        #expect(try user("add", "eta", input: "correct horse\n").error["name"] as? String == "alreadyExists")
        #expect(try user("add", "other", input: "short\n").error["name"] as? String == "invalidArgument")
        #expect(try user("add", "other", "--grant", "king:all", input: "correct horse\n").code == 1)
        let made = try user("token", "eta", "--expires", "90d")
        let token = try #require(made.lines.first)
        let (id, secret) = (try #require(token["id"] as? String), try #require(token["token"] as? String))
        let list = try user("list")
        #expect(list.out.contains(id) && list.out.contains("reader:weather*") && !list.out.contains(secret))
        let file = try workspace.text("u.yaml")
        #expect(!Self.secrets(file) && !file.contains(secret) && file.contains(id))
        #expect(try user("change", "eta", "--grant", "writer").code == 0)
        #expect(try user("list").out.contains("writer:*"))
        #expect(try user("revoke", id).code == 0)
        #expect(try user("revoke", id).error["name"] as? String == "notFound")
        #expect(try user("remove", "eta").code == 0)
        #expect(try user("list").out == "[]\n")
    }
}
