public import WhenceCore
public import WhenceProtocol

extension WhenceClient {
    /// The server's time, and with it that it lives.
    public func ping(timeout: Duration? = nil) async throws(WhenceError) -> Timestamp {
        let pong: Pong = try await ask(timeout: timeout, isRepeatable: true) { Ping(timeout: $0) }
        return pong.time
    }

    /// What `apply` of these definitions would change, as JSON. Throws `invalidDefinition` with file, line and column.
    public func plan(_ files: [DefinitionText], timeout: Duration? = nil) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { PlanRequest(timeout: $0, files: files) }
    }

    /// Makes the definitions so; the change as JSON. With `baseVersion` only where the catalog has that version still; else it throws
    /// `incompatibleChange`. Never repeated by itself: a second `apply` may find another catalog.
    public func apply(
        _ files: [DefinitionText], baseVersion: UInt32? = nil, timeout: Duration? = nil
    ) async throws(WhenceError) -> String {
        try await document(timeout: timeout, isRepeatable: false) { ApplyRequest(timeout: $0, files: files, baseVersion: baseVersion) }
    }

    /// What is defined, as JSON.
    public func catalog(timeout: Duration? = nil) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { CatalogListRequest(timeout: $0) }
    }

    /// One definition, as JSON: of any kind where `kind` is empty, the latest version where `version` is 0. Throws `notFound`.
    public func show(
        _ name: String, kind: String = "", version: UInt32 = 0, timeout: Duration? = nil
    ) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { CatalogShowRequest(timeout: $0, definitionKind: kind, name: name, version: version) }
    }

    /// The join keys and features of a selection, as JSON. Throws `notFound` or `unknownFeature`.
    public func describe(_ selection: ReadSelection, timeout: Duration? = nil) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { DescribeRequest(timeout: $0, selection: selection) }
    }

    /// Every version of every definition as it is stored, as JSON (`Formats/catalog.md`).
    public func definitions(timeout: Duration? = nil) async throws(WhenceError) -> String {
        try await document(timeout: timeout) { DefinitionsRequest(timeout: $0) }
    }

    func document<M: Message>(
        timeout: Duration?, isRepeatable: Bool = true, progress: (@Sendable (WorkProgress) -> Void)? = nil, _ make: (Duration?) -> M
    ) async throws(WhenceError) -> String {
        let document: Document = try await ask(timeout: timeout, isRepeatable: isRepeatable, progress: progress, make)
        return document.json
    }
}
