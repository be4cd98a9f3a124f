import NIOCore
import StoreFixtures
import Synchronization
import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceServer

/// A clock that tests move.
private final class Clock: Sendable {
    private let time = Mutex(NIODeadline.uptimeNanoseconds(1_000_000_000_000))

    var now: NIODeadline { time.withLock { $0 } }

    func pass(_ seconds: Double) { time.withLock { $0 = $0 + .nanoseconds(Int64(seconds * 1e9)) } }
}

/// The guessing of passwords is slowed down, and nobody else is.
@Suite("Login throttle") struct LoginThrottleTests {
    private let clock = Clock()
    private let throttle: LoginThrottle

    init() {
        let clock = clock
        throttle = LoginThrottle(failures: 5, within: .seconds(60)) { clock.now }
    }

    private static func network(_ number: Int) throws -> ClientNetwork {
        ClientNetwork(
            try SocketAddress(ipAddress: "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)", port: 1_000 + number % 9))
    }

    /// The results of so many logins with a password that is wrong: how long each had to wait, had it been refused untried.
    private func guess(_ user: String, _ network: ClientNetwork, times: Int) -> [Duration?] {
        (0..<times).map { _ in
            let wait = throttle.wait(user: user, network: network)
            if wait == nil { throttle.fail(user: user, network: network) }
            return wait
        }
    }

    @Test("five guesses are free, then one every twelve seconds") func onePair() throws {
        let here = try Self.network(1)
        let first = guess("eta", here, times: 8)
        #expect(first.map { $0 == nil } == [true, true, true, true, true, false, false, false])
        #expect(first[5] == .milliseconds(12_001))
        // What is refused does not make it longer.
        #expect(guess("eta", here, times: 100).allSatisfy { $0 == .milliseconds(12_001) })
        clock.pass(12)
        #expect(guess("eta", here, times: 3).map { $0 == nil } == [true, false, false])
        // The same user from elsewhere, and another one from here, have nothing to do with it.
        #expect(throttle.wait(user: "eta", network: try Self.network(2)) == nil)
        #expect(throttle.wait(user: "dba", network: here) == nil)
        clock.pass(60)
        #expect(guess("eta", here, times: 6).map { $0 == nil } == [true, true, true, true, true, false])
    }

    @Test("one network that tries many names has four times as many") func spraying() throws {
        let here = try Self.network(1)
        let results = (0..<40).map { guess("user\($0)", here, times: 1)[0] == nil }
        #expect(results == (0..<40).map { $0 < 20 })
        #expect(throttle.wait(user: "eta", network: try Self.network(2)) == nil)
        clock.pass(3.1)
        #expect(throttle.wait(user: "fresh", network: here) == nil)
    }

    @Test("guesses from everywhere at one name lock nobody out who has not failed") func manyNetworks() throws {
        // An attacker with a thousand addresses: five guesses each to begin with, and one a minute each soon after.
        var tried = 0
        for number in 1...1_000 { tried += guess("eta", try Self.network(number), times: 5).count { $0 == nil } }
        #expect(tried < 1_000 + 60, "\(tried)")
        // The owner, from an address of their own, gets in; having mistyped, they wait until that is forgotten.
        let home = try Self.network(70_000)
        #expect(throttle.wait(user: "eta", network: home) == nil)
        throttle.fail(user: "eta", network: home)
        #expect(throttle.wait(user: "eta", network: home) == .milliseconds(12_001))
        #expect(throttle.wait(user: "dba", network: home) == nil)
        clock.pass(12.1)
        #expect(throttle.wait(user: "eta", network: home) == nil)
    }

    @Test("a flood from a hundred thousand addresses takes no more memory, and leaves others alone") func flood() throws {
        for number in 1...100_000 { throttle.fail(user: "user\(number % 5_000)", network: try Self.network(number)) }
        // Cells are shared by then: hardly anybody waits for what others did.
        let waiting = try (200_000..<201_000).count { throttle.wait(user: "someone", network: try Self.network($0)) != nil }
        #expect(waiting < 300, "\(waiting) of 1000")
        clock.pass(61)
        #expect(try (200_000..<201_000).allSatisfy { throttle.wait(user: "someone", network: try Self.network($0)) == nil })
    }

    @Test("addresses: ports do not count, nor the last 64 bits of IPv6; IPv4 within IPv6 is IPv4") func networks() throws {
        func network(_ text: String, port: Int = 1) throws -> ClientNetwork {
            ClientNetwork(try SocketAddress(ipAddress: text, port: port))
        }
        #expect(try network("10.0.0.1", port: 1) == network("10.0.0.1", port: 2))
        #expect(try network("10.0.0.1") != network("10.0.0.2"))
        #expect(try network("2001:db8:1:2::1") == network("2001:db8:1:2:ffff::9"))
        #expect(try network("2001:db8:1:2::1") != network("2001:db8:1:3::1"))
        #expect(try network("::ffff:10.0.0.1") == network("10.0.0.1"))
        #expect(try network("::ffff:10.0.0.1") != network("::ffff:10.0.0.2"))
        #expect(ClientNetwork(nil) == .unknown)
    }

    // MARK: Within access control

    private func guarded() throws -> GuardedAccess {
        try GuardedAccess(throttle: throttle)
    }

    @Test("users that exist, that have no password and that do not exist are refused in the same words after the same count")
    func noOracle() throws {
        var stories: Set<[String]> = []
        for user in ["eta", "dba", "nobody"] {
            let guarded = try GuardedAccess(throttle: LoginThrottle(failures: 5, within: .seconds(60)) { [clock] in clock.now })
            let errors = (0..<9).compactMap { _ in refusal { _ = try guarded.scram(user, "wrong password") } }
            #expect(errors.count == 9 && errors.allSatisfy { $0.code == .notAuthenticated })
            #expect(errors.map(\.isRetryable) == (0..<9).map { $0 >= 5 })
            #expect(errors.map(\.retryAfter) == (0..<9).map { $0 >= 5 ? .milliseconds(12_001) : nil })
            stories.insert(errors.map { "\($0)" })
            let audit = try guarded.audit()
            #expect(audit.count == 9 && audit.allSatisfy { $0["event"] == "login_refused" && $0["user"] == user })
            #expect(audit.map { $0["detail"] != nil } == (0..<9).map { $0 >= 5 })
        }
        #expect(stories.count == 1)
    }

    @Test("the right password is not tried either, until its time has come; from elsewhere it is") func rightPassword() throws {
        let guarded = try guarded()
        let (here, elsewhere) = (try Self.network(1), try Self.network(2))
        for _ in 0..<5 { _ = refusal { _ = try guarded.scram("eta", "wrong password", from: here) } }
        #expect(refusal { _ = try guarded.scram("eta", GuardedAccess.password, from: here) }?.retryAfter != nil)
        #expect(try guarded.scram("eta", GuardedAccess.password, from: elsewhere).0.user == "eta")
        // Tokens are nothing that is guessed.
        #expect(try guarded.bearer(guarded.token.text).user == "eta")
        clock.pass(12)
        #expect(try guarded.scram("eta", GuardedAccess.password, from: here).0.user == "eta")
    }

    @Test("exchanges that were begun at once do not get round it, and good logins at once are no failures") func atOnce() throws {
        let guarded = try guarded()
        func begin(_ password: String) throws -> () throws -> Void {
            let client = ScramClient(user: "eta", password: password)
            guard
                case .challenge(let challenge, let next) = try guarded.access.begin(
                    mechanism: "SCRAM-SHA-256", data: client.first, certificateName: nil, peer: "x")
            else { throw WhenceError(.internalError, "no challenge") }
            return { _ = try next.proceed(try client.final(challenge).message) }
        }
        let good = try (0..<50).map { _ in try begin(GuardedAccess.password) }
        for finish in good { try finish() }
        let guesses = try (0..<50).map { try begin("guess number \($0)") }
        let errors = guesses.compactMap { finish in refusal { try finish() } }
        #expect(errors.count == 50 && errors.count { $0.retryAfter == nil } == 5)
    }
}
