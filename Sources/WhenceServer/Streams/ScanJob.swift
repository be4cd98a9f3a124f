import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// Every version of a view in a range of event times.
final class ScanJob: StreamJob, @unchecked Sendable {
    let options: StreamOptions
    var takesUploads: Bool { false }
    private let request: WhenceProtocol.ScanRequest
    private let principal: Principal
    private let core: ServerCore
    private var cutter: BlockCutter
    private var scan: ViewScan?
    /// Rows of the next block: few at first, then as many as fill a frame.
    private var blockRows = 4096
    /// Versions that a step looks at: about a tenth of a second's, where few of them are in the range of the scan.
    private static let versionsPerStep = 1 << 19

    init(_ frame: Frame, _ principal: Principal, _ core: ServerCore) throws(WhenceError) {
        request = try WhenceProtocol.ScanRequest(decoding: frame)
        options = request.options
        self.principal = principal
        self.core = core
        cutter = BlockCutter(request.options)
    }

    func step(_ upload: StreamUpload, _ output: inout StreamOutput) throws(WhenceError) -> StepState {
        guard var scan else {
            let scan = try begin()
            try output.send(StreamSchema(knownAt: scan.pin, schema: BatchSchema(of: scan.columns)))
            self.scan = scan
            return .more
        }
        if cutter.isEmpty {
            guard let block = try scan.next(maxRows: blockRows, versions: ScanJob.versionsPerStep) else {
                try output.send(StreamEnd(rows: UInt64(cutter.rows)), isLast: true)
                return .done
            }
            self.scan = scan
            guard block.count > 0 else { return .more }
            let rowBytes = max(1, FrameWriter.payloadBytes(of: block) / block.count)
            blockRows = min(max(1024, output.frameBytes / rowBytes), 1 << 20)
            cutter.take(block, frameBytes: output.frameBytes)
        }
        try cutter.cut(into: &output)
        return .more
    }

    private func begin() throws(WhenceError) -> ViewScan {
        try principal.check(.read, view: request.view)
        let keys = try core.store.catalog.view(named: request.view).entity.joinKeys
        return try core.store.scan(
            WhenceEngine.ScanRequest(
                view: request.view, features: request.features.isEmpty ? nil : request.features, knownAt: request.knownAt,
                from: request.from,
                to: request.to.after, eventTimeColumn: request.eventTime, firstKey: try key(request.firstKey, keys),
                lastKey: try key(request.lastKey, keys)))
    }

    /// The bound that a row of join keys says: the first of the view's, as many as it has.
    private func key(_ row: ColumnBatch?, _ keys: [JoinKey]) throws(WhenceError) -> EntityKey? {
        guard let row else { return nil }
        return try EntityKey(row: 0, of: row, keys: Array(keys.prefix(max(1, row.names.count))))
    }
}

extension ViewScan {
    /// What to pass to read the same again; nil before the first commit.
    var pin: Timestamp? { knownAt == .distantPast ? nil : knownAt }
}

extension BatchSchema {
    init(of columns: [SpineColumn]) { self.init(names: columns.map(\.name), types: columns.map(\.type)) }

    var spineColumns: [SpineColumn] { zip(names, types).map { SpineColumn(name: $0, type: $1) } }
}

extension Timestamp {
    /// The first instant after this one: ranges include both ends on the wire, and not their end in the engine.
    var after: Timestamp { self == .distantFuture ? self : Timestamp(microseconds: microseconds + 1) }
}
