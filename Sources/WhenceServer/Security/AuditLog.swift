import Foundation
import Glibc
import Synchronization
import WhenceCore
import WhenceEngine

/// The record of administrative acts and of what was refused: one JSON object a line, in a file of its own that is only ever appended to.
/// Nothing secret is in it: no password, token or proof, and no name that a client made up but the ones that look like names.
///
/// A record is written before the call returns, without syncing; one is a few hundred bytes into the page cache.
public final class AuditLog: Sendable {
    /// What a record is about.
    public enum Event: String, Sendable {
        case loginRefused = "login_refused"
        case grantRefused = "grant_refused"
        case administration
        case reload
        case start
        case stop
    }

    /// One record. Fields that do not apply are nil, and left out.
    public struct Record: Sendable {
        public var event: Event
        /// The user as authenticated; for a login, as claimed.
        public var user: String?
        /// Where the client is.
        public var peer: String?
        /// The mechanism of a login, or the operation of a request.
        public var operation: String?
        public var view: String?
        /// `ok`, or the name of the error's code.
        public var result: String
        /// What was done, in a few words; never what a client sent.
        public var detail: String?

        public init(
            _ event: Event, user: String? = nil, peer: String? = nil, operation: String? = nil, view: String? = nil,
            result: String, detail: String? = nil
        ) {
            self.event = event
            self.user = user
            self.peer = peer
            self.operation = operation
            self.view = view
            self.result = result
            self.detail = detail
        }
    }

    private struct State {
        var descriptor: Int32
        var failures = 0
        /// The second in which logins were last refused, how many of them were recorded, and how many since the last record were not.
        var second: Int64 = 0
        var refusedLogins = 0
        var unrecordedLogins = 0

        /// How many refused logins were left out before this one; nil: this one is left out, too.
        mutating func admitRefusedLogin(at time: Timestamp) -> Int? {
            let now = time.microseconds / 1_000_000
            if now != second { (second, refusedLogins) = (now, 0) }
            guard refusedLogins < AuditLog.refusedLoginsPerSecond else {
                unrecordedLogins += 1
                return nil
            }
            refusedLogins += 1
            defer { unrecordedLogins = 0 }
            return unrecordedLogins
        }
    }

    /// Whoever can connect can be refused, as often as they like, and must not fill the disk by that. What is beyond is only counted.
    static let refusedLoginsPerSecond = 100

    private let path: String?
    private let state: Mutex<State>
    private let clock: @Sendable () -> Timestamp

    /// Opens the file at `path`, and makes it where there is none, readable by its owner only; nil keeps no record.
    public init(path: String?, clock: @escaping @Sendable () -> Timestamp = Timestamp.wallClock) throws(WhenceError) {
        self.path = path
        self.clock = clock
        state = Mutex(State(descriptor: try path.map { path throws(WhenceError) in try Self.open(path) } ?? -1))
    }

    deinit {
        state.withLock { state in
            if state.descriptor >= 0 { close(state.descriptor) }
        }
    }

    /// Keeps no record.
    public init() {
        path = nil
        clock = Timestamp.wallClock
        state = Mutex(State(descriptor: -1))
    }

    private static func open(_ path: String) throws(WhenceError) -> Int32 {
        let descriptor = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileAccess.error(errno: errno, path: path, doing: "open") }
        return descriptor
    }

    /// Goes on in the file of that name, after the old one was moved away. On an error the old one is kept.
    public func reopen() throws(WhenceError) {
        guard let path else { return }
        let new = try Self.open(path)
        state.withLock { state in
            close(state.descriptor)
            state.descriptor = new
        }
    }

    /// Whether there is a record at all.
    var isKept: Bool { path != nil }

    /// Records that could not be written since the start.
    public var failures: Int { state.withLock { $0.failures } }

    public func record(_ record: Record) {
        guard path != nil else { return }
        let time = clock()
        let isLogin = record.event == .loginRefused
        guard let leftOut = isLogin ? state.withLock({ $0.admitRefusedLogin(at: time) }) : 0 else { return }
        var members: [(String, JSON)] = [("time", JSON(time)), ("event", .string(record.event.rawValue))]
        for (name, value) in [
            ("user", record.user), ("peer", record.peer), ("operation", record.operation),
            ("view", record.view), ("result", record.result), ("detail", record.detail),
        ] {
            if let value { members.append((name, .string(String(value.prefix(512))))) }
        }
        if leftOut > 0 { members.append(("left_out_before", .string("\(leftOut)"))) }
        let line = Array((JSON.object(members).text + "\n").utf8)
        state.withLock { state in
            let descriptor = state.descriptor
            // One write, so that lines of several processes do not mix.
            let count = unsafe line.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if count != line.count { state.failures += 1 }
        }
    }
}
