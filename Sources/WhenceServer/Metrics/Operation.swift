/// What a request is counted as: one for each kind of request, and one for the opening of a session.
public enum Operation: Int, Sendable, CaseIterable {
    case open
    case ping
    case plan
    case apply
    case catalogList
    case catalogShow
    case describe
    case write
    case onlineRead
    case history
    case scan
    case join
    case backfill
    case stats
    case compact
    case retain
    case erase

    /// The value of the label `operation`.
    public var label: String {
        switch self {
        case .catalogList: "catalog_list"
        case .catalogShow: "catalog_show"
        case .onlineRead: "online_read"
        default: "\(self)"
        }
    }

    /// Whether it belongs into the audit log however it ends.
    public var isAdministrative: Bool {
        switch self {
        case .apply, .compact, .retain, .erase: true
        default: false
        }
    }
}
