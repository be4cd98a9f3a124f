import Synchronization
import WhenceCore

/// Who a session acts for, and what they may do. Cheap to copy; what it allows follows the users file when that is read again.
public struct Principal: Sendable {
    /// The user's name.
    public let user: String
    private let standing: Standing

    init(user: String, standing: Standing) {
        self.user = user
        self.standing = standing
    }

    /// Whoever connects to a server without users: everything is allowed.
    public static let anyone = Principal(user: "anyone", standing: Standing([Grant(.admin, on: .all)]))

    /// What the user has been granted, as of now; nothing once the credential was taken away.
    public var grants: [Grant] { standing.grants ?? [] }

    /// The roles among the grants, each once, in the order of `Role`.
    public var roles: [Role] {
        let grants = grants
        return Role.allCases.filter { role in grants.contains { $0.role == role } }
    }

    /// Refuses what the user has not been granted, with `notAllowed`, which says no more than the action and the view asked for.
    ///
    /// - Parameter view: the view that is touched; call it once for each. Nil means the server as a whole: for `administer` that takes an
    ///   admin of all views, for the other actions a grant on any view is enough (as for a list of definitions).
    public func check(_ action: Action, view: String?) throws(WhenceError) { try check([action], view: view) }

    /// The same, where one of several actions is enough; the first is the one that is named.
    public func check(_ actions: [Action], view: String?) throws(WhenceError) {
        guard let grants = standing.grants else {
            throw WhenceError(
                .notAuthenticated, "the credential that this session was opened with is no longer valid",
                hint: "connect again with a valid one")
        }
        let isGranted = grants.contains { grant in
            guard actions.contains(where: { grant.role.allows($0) }) else { return false }
            guard let view else { return actions == [.administer] ? grant.views.isAll : true }
            return grant.views.matches(view)
        }
        guard !isGranted else { return }
        throw WhenceError(
            .notAllowed, "user '\(user)' may not \(actions.first?.rawValue ?? "do this")" + (view.map { " view '\($0)'" } ?? ""),
            hint: "ask an administrator of this server for a grant")
    }

    /// What one credential stands for, shared by all sessions that were opened with it.
    final class Standing: Sendable {
        private let current: Mutex<[Grant]?>

        init(_ grants: [Grant]?) { current = Mutex(grants) }

        /// Nil once the credential has been taken away.
        var grants: [Grant]? {
            get { current.withLock { $0 } }
            set { current.withLock { $0 = newValue } }
        }
    }
}
