/// What a request does, as far as permission goes. Each kind of request is exactly one of these.
public enum Action: String, Sendable, CaseIterable {
    /// Online reads, history, scans, joins, definitions (which whoever writes a view may see, too).
    case read
    /// Writes and backfills.
    case write
    /// Scores of models.
    case score
    /// Applying definitions, statistics, compaction, retention, erasure.
    case administer
}

/// What a user may be granted, on views or on all of them. Roles do not contain one another, but for `admin`, which may do everything.
public enum Role: String, Sendable, CaseIterable {
    case reader
    case writer
    case scorer
    case admin

    /// Whether the role allows `action`.
    public func allows(_ action: Action) -> Bool {
        switch self {
        case .reader: action == .read
        case .writer: action == .write
        case .scorer: action == .score
        case .admin: true
        }
    }
}
