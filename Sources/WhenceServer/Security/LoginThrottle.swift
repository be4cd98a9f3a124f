import NIOCore
import Synchronization
import WhenceCore

/// Slows down the guessing of passwords: past a few failures a login is refused before anything is computed for it, and whether its password
/// is right is not looked at. Counted are only passwords that were wrong, so that many good logins at once are no failure.
///
/// Three counts, each of which forgets at a steady rate:
/// - of a user from a network: `failures` within `window`;
/// - of a network, whoever it claims to be: four times as many;
/// - of a user from anywhere: ten times as many. Past that nobody is locked out, or whoever knows a name could do that to its owner; but a
///   network that has failed for this user and is not forgotten has to wait until it is. A network without a failure always gets its try.
///
/// A user that does not exist is counted like any other. The memory is of a fixed size, see `FailureSketch`. Tokens are not counted: they
/// have 256 random bits, and looking one up costs one hash.
public final class LoginThrottle: Sendable {
    private struct Pair: Hashable {
        let user: String
        let network: ClientNetwork
    }

    private struct State {
        var pairs: FailureSketch
        var networks: FailureSketch
        var users: FailureSketch
    }

    static let networkFactor = 4
    static let userFactor = 10

    /// Failures of one user from one network within the window.
    private let failures: Int
    private let state: Mutex<State>
    private let clock: @Sendable () -> NIODeadline

    /// - Parameters:
    ///   - failures: how many of one user from one network are taken within `window`, at least 1.
    ///   - window: the time after which they are forgotten.
    public init(
        failures: Int = ServerLimits().loginFailures, within window: Duration = ServerLimits().loginWindow,
        clock: @escaping @Sendable () -> NIODeadline = NIODeadline.now
    ) {
        self.failures = max(1, failures)
        self.clock = clock
        let interval = TimeAmount.nanoseconds(max(1, window.timeAmount.nanoseconds / Int64(self.failures)))
        func sketch(_ factor: Int) -> FailureSketch {
            FailureSketch(interval: .nanoseconds(max(1, interval.nanoseconds / Int64(factor))))
        }
        state = Mutex(State(pairs: sketch(1), networks: sketch(Self.networkFactor), users: sketch(Self.userFactor)))
    }

    /// How long a login has to wait; nil where it may be tried now.
    func wait(user: String, network: ClientNetwork) -> Duration? {
        let now = clock()
        let wait = state.withLock { state in
            let isUnderAttack = state.users.wait(user, limit: failures * Self.userFactor, at: now) > .zero
            let ofPair = state.pairs.wait(Pair(user: user, network: network), limit: isUnderAttack ? 1 : failures, at: now)
            return max(ofPair, state.networks.wait(network, limit: failures * Self.networkFactor, at: now))
        }
        // In whole milliseconds, as errors carry it, and never too early.
        return wait > .zero ? .milliseconds(wait.nanoseconds / 1_000_000 + 1) : nil
    }

    /// Counts a password that was wrong.
    func fail(user: String, network: ClientNetwork) {
        let now = clock()
        state.withLock { state in
            state.pairs.add(Pair(user: user, network: network), at: now)
            state.networks.add(network, at: now)
            state.users.add(user, at: now)
        }
    }
}
