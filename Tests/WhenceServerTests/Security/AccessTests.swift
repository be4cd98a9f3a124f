import Foundation
import StoreFixtures
import Synchronization
import Testing
import WhenceCore
import WhenceEngine

@testable import WhenceServer

/// A file of users, an audit log, and the access control over both.
final class GuardedAccess {
    static let password = "correct horse battery"

    let scratch: ScratchDirectory
    let administration: UserAdministration
    let access: AccessControl
    let token: UserAdministration.NewToken

    var usersPath: String { scratch.path("users.yaml") }
    var auditPath: String { scratch.path("audit.jsonl") }

    /// `eta` reads weather and has a password and a token; `dba` may do everything and has neither.
    init(
        acceptsCertificates: Bool = false, throttle: LoginThrottle = LoginThrottle(),
        clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock
    ) throws {
        scratch = try ScratchDirectory()
        administration = UserAdministration(file: scratch.path("users.yaml"), iterations: 4_096)
        try administration.add("eta", password: Self.password, grants: ["reader:trips"])
        try administration.add("dba", password: nil, grants: ["admin"])
        token = try administration.makeToken(for: "eta", label: "laptop", lifetime: .seconds(3_600))
        access = try AccessControl(
            users: scratch.path("users.yaml"), acceptsCertificates: acceptsCertificates, audit: AuditLog(path: scratch.path("audit.jsonl")),
            throttle: throttle, clock: clock)
    }

    func audit() throws -> [[String: String]] {
        try String(contentsOfFile: auditPath, encoding: .utf8).split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        }
    }

    func bearer(_ text: String) throws -> Principal {
        guard
            case .authenticated(let principal, _) = try access.begin(
                mechanism: "BEARER", data: Array(text.utf8), certificateName: nil, peer: "10.0.0.1:5")
        else { throw WhenceError(.internalError, "a challenge") }
        return principal
    }

    func scram(
        _ user: String, _ password: String, from network: ClientNetwork = .unknown
    ) throws -> (Principal, isServerRight: Bool) {
        let client = ScramClient(user: user, password: password)
        guard
            case .challenge(let challenge, let next) = try access.begin(
                mechanism: "SCRAM-SHA-256", data: client.first, certificateName: nil, peer: "10.0.0.1:5", network: network)
        else { throw WhenceError(.internalError, "no challenge") }
        let (message, signature) = try client.final(challenge)
        guard case .authenticated(let principal, let data) = try next.proceed(message) else {
            throw WhenceError(.internalError, "a second challenge")
        }
        return (principal, Array(signature.utf8) == data)
    }
}

@Suite("Access") struct AccessTests {
    @Test("a password opens a session, and the server proves that it knows it, too") func password() throws {
        let guarded = try GuardedAccess()
        let (principal, isServerRight) = try guarded.scram("eta", GuardedAccess.password)
        #expect(principal.user == "eta" && principal.roles == [.reader] && isServerRight)
        #expect(guarded.access.mechanisms == ["SCRAM-SHA-256", "BEARER"])
    }

    @Test("a token opens a session until it expires") func token() throws {
        let now = Mutex(Timestamp.wallClock())
        let guarded = try GuardedAccess { now.withLock { $0 } }
        #expect(try guarded.bearer(guarded.token.text).user == "eta")
        now.withLock { $0 = Timestamp(microseconds: $0.microseconds + 7_200_000_000) }
        #expect(throws: WhenceError.self) { try guarded.bearer(guarded.token.text) }
    }

    @Test("every refusal is the same, whatever its cause") func refusals() throws {
        let guarded = try GuardedAccess()
        var errors: [WhenceError] = []
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { if let error = error as? WhenceError { errors.append(error) } }
        }
        attempt { _ = try guarded.scram("eta", "wrong password") }
        attempt { _ = try guarded.scram("nobody", GuardedAccess.password) }
        attempt { _ = try guarded.scram("dba", GuardedAccess.password) }
        attempt { _ = try guarded.bearer("secret of somebody else") }
        attempt { _ = try guarded.bearer(BearerToken().text) }
        attempt { _ = try guarded.bearer(String(guarded.token.text.dropLast()) + "A") }
        for mechanism in ["CERTIFICATE", "PLAIN", ""] {
            attempt { _ = try guarded.access.begin(mechanism: mechanism, data: [], certificateName: "dba", peer: "x") }
        }
        #expect(errors.count >= 8)
        #expect(Set(errors.map { "\($0.code) \($0)" }).count == 1)
        #expect(errors.first?.code == .notAuthenticated)
        // All are recorded, and nothing that a client sent is in the record but names.
        let audit = try guarded.audit()
        #expect(audit.count == errors.count && audit.allSatisfy { $0["event"] == "login_refused" })
        let text = try String(contentsOfFile: guarded.auditPath, encoding: .utf8)
        for secret in [
            GuardedAccess.password, "wrong password", "secret of somebody", guarded.token.text, String(guarded.token.text.suffix(43)),
        ] {
            #expect(!text.contains(secret))
        }
        #expect(audit.first?["user"] == "eta" && audit.first?["peer"] == "10.0.0.1:5")
    }

    @Test("a user that does not exist has a salt that stays, also after a restart, and looks like any other") func standIns() throws {
        let guarded = try GuardedAccess()
        func challenge(_ user: String, _ access: AccessControl) throws -> (salt: String, iterations: String) {
            guard
                case .challenge(let bytes, _) = try access.begin(
                    mechanism: "SCRAM-SHA-256", data: ScramClient(user: user, password: "").first, certificateName: nil, peer: "x")
            else { throw WhenceError(.internalError, "no challenge") }
            let parts = String(decoding: bytes, as: UTF8.self).split(separator: ",").map(String.init)
            return (parts[1], parts[2])
        }
        let restarted = try AccessControl(users: guarded.usersPath, acceptsCertificates: false, audit: AuditLog())
        let real = try challenge("eta", guarded.access)
        let ghost = try challenge("ghost", guarded.access)
        #expect(try challenge("ghost", guarded.access) == ghost)
        #expect(try challenge("ghost", restarted) == ghost)
        #expect(try challenge("ghost2", guarded.access).salt != ghost.salt)
        #expect(real.iterations == ghost.iterations && real.salt.count == ghost.salt.count)
    }

    @Test("reading the users again reaches sessions that are open") func reload() throws {
        let guarded = try GuardedAccess()
        let byToken = try guarded.bearer(guarded.token.text)
        let (byPassword, _) = try guarded.scram("eta", GuardedAccess.password)
        try byToken.check(.read, view: "trips")
        try guarded.administration.change("eta", password: .keep, grants: ["writer:trips"])
        try byToken.check(.read, view: "trips")
        try guarded.access.reload()
        #expect(throws: WhenceError.self) { try byToken.check(.read, view: "trips") }
        try byToken.check(.write, view: "trips")
        try byPassword.check(.write, view: "trips")
        _ = try guarded.administration.revokeToken(guarded.token.id)
        try guarded.access.reload()
        #expect { try byToken.check(.write, view: "trips") } throws: { ($0 as? WhenceError)?.code == .notAuthenticated }
        #expect(throws: WhenceError.self) { try guarded.bearer(guarded.token.text) }
        try byPassword.check(.write, view: "trips")
        try guarded.administration.change("eta", password: .set("another password"), grants: nil)
        try guarded.access.reload()
        #expect(throws: WhenceError.self) { try byPassword.check(.write, view: "trips") }
    }

    @Test("a file that is broken keeps the users as they were") func brokenReload() throws {
        let guarded = try GuardedAccess()
        let principal = try guarded.bearer(guarded.token.text)
        try Data("format: whence-users-1\nusers: [oops".utf8).write(to: URL(fileURLWithPath: guarded.usersPath))
        #expect(throws: WhenceError.self) { try guarded.access.reload() }
        try principal.check(.read, view: "trips")
        #expect(try guarded.bearer(guarded.token.text).user == "eta")
    }

    @Test("a certificate names its user, where certificates are taken") func certificates() throws {
        let guarded = try GuardedAccess(acceptsCertificates: true)
        #expect(guarded.access.mechanisms == ["SCRAM-SHA-256", "BEARER", "CERTIFICATE"])
        guard
            case .authenticated(let principal, _) = try guarded.access.begin(
                mechanism: "CERTIFICATE", data: [], certificateName: "dba", peer: "x")
        else { throw WhenceError(.internalError, "a challenge") }
        #expect(principal.user == "dba")
        for name in [nil, "nobody", "DBA"] {
            #expect(throws: WhenceError.self) {
                try guarded.access.begin(mechanism: "CERTIFICATE", data: [], certificateName: name, peer: "x")
            }
        }
    }

    @Test("the users file: what is written is read back, and no secret is in it") func file() throws {
        let guarded = try GuardedAccess()
        let directory = try UsersFile(path: guarded.usersPath).read()
        #expect(try UserDirectory(SettingsDocument(data: Array(directory.text.utf8), file: "users.yaml")) == directory)
        let text = try String(contentsOfFile: guarded.usersPath, encoding: .utf8)
        #expect(!text.contains(GuardedAccess.password) && !text.contains(guarded.token.text.suffix(43)))
        let mode = try FileManager.default.attributesOfItem(atPath: guarded.usersPath)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        #expect(throws: WhenceError.self) { try guarded.administration.add("eta", password: nil, grants: []) }
        #expect(throws: WhenceError.self) { try guarded.administration.add("a b", password: nil, grants: []) }
        #expect(throws: WhenceError.self) { try guarded.administration.add("x", password: "short", grants: []) }
        #expect(throws: WhenceError.self) { try guarded.administration.add("x", password: nil, grants: ["owner:*"]) }
        #expect(throws: WhenceError.self) { try guarded.administration.remove("x") }
        #expect(!FileManager.default.fileExists(atPath: guarded.usersPath + ".new"))
        #expect(try UsersFile(path: guarded.usersPath).read() == directory)
    }

    @Test(
        "users files that are refused, with the place",
        arguments: [
            ("format: whence-users-2\n", "users.yaml"),
            ("format: whence-users-1\nstand_in_key: abc\n", "users.yaml:2:15"),
            ("format: whence-users-1\nstand_in_key: \(key)\niterations: 4096\nuser: []\n", "users.yaml:4:1"),
            (
                "format: whence-users-1\nstand_in_key: \(key)\niterations: 4096\nusers:\n  - name: eta\n    password: hunter2hunter2\n",
                "users.yaml:6:15"
            ),
            ("format: whence-users-1\nstand_in_key: \(key)\niterations: 4096\nusers:\n  - name: eta\n  - name: eta\n", "users.yaml:6:5"),
            (
                "format: whence-users-1\nstand_in_key: \(key)\niterations: 4096\nusers:\n  - name: eta\n    grants:\n      - {role: owner, views: x}\n",
                "users.yaml:7:16"
            ),
        ])
    func brokenFiles(text: String, place: String) {
        #expect {
            try UserDirectory(SettingsDocument(data: Array(text.utf8), file: "users.yaml"))
        } throws: { error in
            let error = error as? WhenceError
            return error?.place == place && !(error.map { "\($0)" } ?? "").contains("hunter2")
        }
    }

    private static let key = Data(repeating: 7, count: 32).base64EncodedString()

    @Test("a second change of the users waits for nobody, and is told so") func lock() throws {
        let guarded = try GuardedAccess()
        try Data().write(to: URL(fileURLWithPath: guarded.usersPath + ".new"))
        #expect { try guarded.administration.add("x", password: nil, grants: []) } throws: { error in
            (error as? WhenceError)?.code == .storeLocked
        }
        #expect(FileManager.default.fileExists(atPath: guarded.usersPath + ".new"))
    }

    @Test("the audit log goes on in a new file after the old one was moved away") func reopen() throws {
        let guarded = try GuardedAccess()
        _ = try? guarded.bearer("x")
        try FileManager.default.moveItem(atPath: guarded.auditPath, toPath: guarded.auditPath + ".1")
        _ = try? guarded.bearer("x")
        try guarded.access.audit.reopen()
        _ = try? guarded.bearer("x")
        #expect(try guarded.audit().count == 1)
        #expect(try String(contentsOfFile: guarded.auditPath + ".1", encoding: .utf8).split(separator: "\n").count == 2)
    }

    @Test("a flood of refused logins does not fill the disk, and is counted") func flood() throws {
        let scratch = try ScratchDirectory()
        let now = Mutex(Timestamp(microseconds: 1_000_000))
        let audit = try AuditLog(path: scratch.path("audit.jsonl")) { now.withLock { $0 } }
        func refuse(_ times: Int) { for _ in 0..<times { audit.record(.init(.loginRefused, peer: "x", result: "notAuthenticated")) } }
        func lines() throws -> [Substring] {
            try String(contentsOfFile: scratch.path("audit.jsonl"), encoding: .utf8).split(separator: "\n")
        }
        refuse(1_000)
        #expect(try lines().count == AuditLog.refusedLoginsPerSecond)
        // What matters is recorded all the same.
        audit.record(.init(.administration, user: "dba", operation: "erase", result: "ok"))
        #expect(try lines().last?.contains("erase") == true)
        now.withLock { $0 = Timestamp(microseconds: 2_000_000) }
        refuse(2)
        let all = try lines()
        #expect(all.count == AuditLog.refusedLoginsPerSecond + 3)
        #expect(all[all.count - 2].contains("\"left_out_before\":\"900\"") && !all[all.count - 1].contains("left_out"))
    }
}
