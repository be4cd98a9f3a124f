public import WhenceCore
public import WhenceProtocol

extension WhenceClient {
    /// What the store holds, as JSON.
    public func stats(timeout: Duration? = nil) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { StatsRequest(timeout: $0) }
    }

    /// Compacts a view; what came of it, as JSON. `progress` is called on an event loop: it must not wait.
    public func compact(
        _ view: String, timeout: Duration? = nil, progress: (@Sendable (WorkProgress) -> Void)? = nil
    ) async throws(WhenceError) -> String {
        try await document(timeout: timeout ?? configuration.streamTimeout, isRepeatable: false, progress: progress) {
            CompactRequest(timeout: $0, view: view)
        }
    }

    /// Removes versions that lie behind `horizon` (nil: behind the one that each view declares) from `views` (empty: from all that
    /// declare a retention); what came of it, or with `dryRun` what would, as JSON.
    public func retain(
        _ views: [String] = [], horizon: Timestamp? = nil, dryRun: Bool, timeout: Duration? = nil,
        progress: (@Sendable (WorkProgress) -> Void)? = nil
    ) async throws(WhenceError) -> String {
        try await document(timeout: timeout ?? configuration.streamTimeout, isRepeatable: dryRun, progress: progress) {
            RetainRequest(timeout: $0, views: views, horizon: horizon, dryRun: dryRun)
        }
    }

    /// Removes the entity with these join keys (one row) from every view of `entity`; what came of it, or with `dryRun` what would,
    /// as JSON. `progress` is called on an event loop: it must not wait.
    public func erase(
        _ entity: String, keys: ColumnBatch, dryRun: Bool, timeout: Duration? = nil, progress: (@Sendable (WorkProgress) -> Void)? = nil
    ) async throws(WhenceError) -> String {
        try await document(timeout: timeout, isRepeatable: dryRun, progress: progress) {
            EraseRequest(timeout: $0, entity: entity, dryRun: dryRun, keys: keys)
        }
    }
}
