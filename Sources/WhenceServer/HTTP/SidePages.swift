import NIOHTTP1
import Synchronization
import WhenceCore
import WhenceEngine

/// What the side port answers: `/metrics`, `/healthz`, `/readyz`, and nothing else.
public final class SidePages: Sendable {
    private let page: MetricsPage
    private let health: ServerHealth
    private let access: AccessControl
    private let needsToken: Bool
    private let store = Mutex<Store?>(nil)
    private let clock = ContinuousClock()
    /// The last page of metrics, and when it was made: scrapers in a crowd do not make the store count its files each time.
    private let kept = Mutex<(text: String, at: ContinuousClock.Instant)?>(nil)
    private let keepTime: Duration

    /// - Parameter needsToken: whether `/metrics` takes a bearer token of any user, as it should where others can reach it.
    public init(
        metrics: ServerMetrics, health: ServerHealth, access: AccessControl, needsToken: Bool,
        keepTime: Duration = .seconds(1)
    ) {
        page = MetricsPage(metrics: metrics, health: health, audit: access.audit, started: Timestamp.wallClock())
        self.health = health
        self.access = access
        self.needsToken = needsToken
        self.keepTime = keepTime
    }

    /// Answers one request. May take some milliseconds: not for an event loop.
    func answer(method: HTTPMethod, uri: String, authorization: String?, peer: String) -> HTTPResponse {
        guard method == .GET || method == .HEAD else {
            return HTTPResponse(status: .methodNotAllowed, body: "only GET and HEAD\n", headers: [("Allow", "GET, HEAD")])
        }
        switch uri.prefix(while: { $0 != "?" }) {
        case "/healthz": return HTTPResponse(status: .ok, body: "ok\n")
        case "/readyz": return readiness
        case "/metrics":
            guard !needsToken || hasToken(authorization, peer) else {
                return HTTPResponse(
                    status: .unauthorized, body: "a bearer token is needed\n", headers: [("WWW-Authenticate", "Bearer realm=\"whence\"")])
            }
            return HTTPResponse(status: .ok, contentType: Exposition.contentType, body: metrics())
        default: return HTTPResponse(status: .notFound, body: "there are /metrics, /healthz and /readyz\n")
        }
    }

    private var readiness: HTTPResponse {
        switch health.phase {
        case .ready:
            // Reads go on, so the server stays in service; who must write looks at the text or at whence_read_only.
            HTTPResponse(status: .ok, body: health.readOnlyReason.map { "ready, read only: \($0)\n" } ?? "ready\n")
        case .starting, .draining: HTTPResponse(status: .serviceUnavailable, body: "\(health.phase.rawValue)\n")
        }
    }

    private func metrics() -> String {
        let now = clock.now
        let store = store.withLock { $0 }
        return kept.withLock { kept in
            if let kept, now - kept.at < keepTime { return kept.text }
            let text = page.text(store)
            kept = (text, now)
            return text
        }
    }

    private func hasToken(_ authorization: String?, _ peer: String) -> Bool {
        guard let authorization, authorization.utf8.count <= 512, authorization.prefix(7).lowercased() == "bearer " else { return false }
        let token = Array(authorization.dropFirst(7).utf8)
        return (try? access.bearer(token, peer: peer)) != nil
    }

    /// From now on the metrics tell of `store`, too.
    public func show(_ store: Store) { self.store.withLock { $0 = store } }

    /// Lets go of the store, so that it can be closed.
    public func close() { store.withLock { $0 = nil } }
}
