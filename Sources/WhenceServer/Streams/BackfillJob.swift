import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// A bulk load: rows are taken as they come, and become visible all at once at the end. Given up where the request ends before.
final class BackfillJob: StreamJob, @unchecked Sendable {
    /// Rows that are appended between two looks at the memory in use.
    private static let stretchRows = 256

    /// A backfill sends no rows.
    let options = StreamOptions(credit: 0)
    var takesUploads: Bool { true }
    private let request: BackfillRequest
    private let principal: Principal
    private let core: ServerCore
    private var work: (backfill: Backfill, columns: ColumnRows)?
    private var rows = 0
    /// Whether all rows are there, and have been said to be.
    private var isWhole = false
    /// Bytes that `core.admission` has promised.
    private var memoryBytes = 0

    init(_ frame: Frame, _ principal: Principal, _ core: ServerCore) throws(WhenceError) {
        request = try BackfillRequest(decoding: frame)
        self.principal = principal
        self.core = core
    }

    deinit { if memoryBytes > 0 { core.admission.release(memoryBytes) } }

    func step(_ upload: StreamUpload, _ output: inout StreamOutput) throws(WhenceError) -> StepState {
        let (backfill, columns) = if let work { work } else { try begin() }
        for frame in upload.frames {
            let batch = try frame.rows(of: request.schema, maximumPayloadBytes: core.limits.frameBytes)
            do throws(WhenceError) {
                var next = 0
                while next < batch.count {
                    let end = min(next + BackfillJob.stretchRows, batch.count)
                    try columns.append(batch, rows: next..<end, to: try backfill.rows())
                    next = end
                }
            } catch {
                throw rows == 0 ? error : error.at("rows from \(rows + 1) on")
            }
            rows += batch.count
            output.uploadBytes += frame.byteCount
        }
        guard let stated = upload.rows else { return .needsUpload }
        guard stated == UInt64(rows) else { throw .violation("\(stated) rows are said to have been uploaded, and \(rows) came") }
        // To publish is to merge all that was sorted on the way.
        guard isWhole else {
            isWhole = true
            return .moreAtLength
        }
        let commit = try core.gate.run { () throws(WhenceError) in
            try backfill.prepare()
            return try core.betweenCommits { () throws(WhenceError) in try backfill.publish() }
        }
        work = nil
        try output.send(Committed(commitTime: commit.time, isRepeat: false, rows: stated), rows: rows, isLast: true)
        return .done
    }

    private func begin() throws(WhenceError) -> (backfill: Backfill, columns: ColumnRows) {
        try principal.check(.write, view: request.view)
        let (store, name) = (core.store, request.view)
        let view = try store.catalog.view(named: name)
        let columns = try ColumnRows(
            view, columns: request.schema.spineColumns, eventTimeColumn: request.eventTime, availabilityColumn: request.availabilityTime,
            missingIsNull: request.missingIsNull)
        let memory = store.options.backfillBytes + core.limits.uploadCreditBytes
        try core.admission.reserve(memory)
        memoryBytes = memory
        let backfill = try core.gate.run { () throws(WhenceError) in
            try core.betweenCommits { () throws(WhenceError) in try store.backfill(name) }
        }
        work = (backfill, columns)
        return (backfill, columns)
    }
}
