import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// A point-in-time join: of a spine that the client uploads, or of one that the store has.
///
/// An uploaded spine that fits into the join's memory is joined there when it is whole. A longer one goes through temporary files
/// (`docs/decisions/0008-joins-that-spill.md`); where none may be made it is joined block by block, each answered before the next.
final class JoinJob: StreamJob, @unchecked Sendable {
    private enum Stage {
        case beginning
        /// Collects what is uploaded into a block.
        case collecting(BatchSchema)
        /// Is to walk the store for a spine that has been taken in through files.
        case lookingUp(SpillingJoin)
        /// Hands out the blocks of a spine of the store.
        case walking(() throws(WhenceError) -> ColumnBatch?)
    }

    let options: StreamOptions
    let takesUploads: Bool
    private let request: WhenceProtocol.JoinRequest
    private let principal: Principal
    private let core: ServerCore
    private var cutter: BlockCutter
    private var stage = Stage.beginning
    /// Bytes that `core.admission` has promised.
    private var memoryBytes = 0
    /// What every block is joined by; its pin is the same for all of them.
    private var engineRequest: WhenceEngine.JoinRequest?
    private var collected: [ColumnBatch] = []
    private var collectedRows = 0
    private var uploadedRows = 0
    private var blockRows = 0
    /// Whether the first block of a stored spine takes a walk through all of it.
    private var isLong = false
    /// What takes in a spine that does not fit into memory.
    private var spilling: SpillingJoin?

    init(_ frame: Frame, _ principal: Principal, _ core: ServerCore) throws(WhenceError) {
        request = try WhenceProtocol.JoinRequest(decoding: frame)
        options = request.options
        if case .rows = request.source { takesUploads = true } else { takesUploads = false }
        self.principal = principal
        self.core = core
        cutter = BlockCutter(request.options)
    }

    deinit { if memoryBytes > 0 { core.admission.release(memoryBytes) } }

    func step(_ upload: StreamUpload, _ output: inout StreamOutput) throws(WhenceError) -> StepState {
        switch stage {
        case .beginning:
            try begin(upload.request, &output)
            // What has been uploaded meanwhile comes with it.
            if case .collecting(let schema) = stage { try collect(upload, schema, &output) }
            if takesUploads { return upload.rows == nil ? .needsUpload : .more }
            return isLong ? .moreAtLength : .more
        case .walking(let next):
            if cutter.isEmpty {
                guard let block = try next() else { return try end(&output) }
                cutter.take(block, frameBytes: output.frameBytes)
            }
            try cutter.cut(into: &output)
            return .more
        case .lookingUp(let spilling):
            try spilling.lookUp()
            stage = .walking { () throws(WhenceError) in try spilling.next() }
            return .more
        case .collecting(let schema):
            try collect(upload, schema, &output)
            let isWhole = upload.rows != nil
            if isWhole, let spilling {
                stage = .lookingUp(spilling)
                return .moreAtLength
            }
            if !isWhole, spilling == nil, collectedRows > blockRows, uploadedRows == collectedRows { try beginSpilling(schema) }
            if spilling != nil { return .needsUpload }
            if cutter.isEmpty {
                guard collectedRows > blockRows || isWhole else { return .needsUpload }
                guard collectedRows > 0 else { return try end(&output) }
                try joinBlock(schema, output.frameBytes)
            }
            if !cutter.isEmpty { try cutter.cut(into: &output) }
            if !cutter.isEmpty || isWhole || collectedRows > blockRows { return .more }
            return .needsUpload
        }
    }

    private func end(_ output: inout StreamOutput) throws(WhenceError) -> StepState {
        try output.send(StreamEnd(rows: UInt64(cutter.rows)), isLast: true)
        return .done
    }

    // MARK: The beginning

    private func begin(_ open: OpenRequest, _ output: inout StreamOutput) throws(WhenceError) {
        let store = core.store
        // Before any name is looked up: who may read nothing learns no names from the errors.
        try principal.check(.read, view: nil)
        let service = try store.catalog.resolve(request.selection)
        for selection in service.selections { try principal.check(.read, view: selection.view.definition.name) }
        let memory = request.memoryBytes == 0 ? core.limits.joinMemoryBytes : Int(clamping: request.memoryBytes)
        guard memory <= core.limits.streamMemoryBytes else {
            throw WhenceError(
                .limitExceeded, "a join may take \(core.limits.streamMemoryBytes) bytes of memory here, and not \(memory)",
                hint: "ask for less memory: the join takes more blocks then")
        }
        let promised = takesUploads ? memory + core.limits.uploadCreditBytes : memory
        try core.admission.reserve(promised)
        memoryBytes = promised
        var join = WhenceEngine.JoinRequest(
            service: service, eventTimeColumn: request.eventTime, knownAt: request.knownAt, asServed: request.asServed, memoryBytes: memory,
            // A disk that is full is no reason to read no more.
            spill: core.limits.spillBytes > 0 && core.gate.cause == nil ? .inStore : .never)
        let share = SpillShare(core.admission)
        join.check = { spilledBytes throws(WhenceError) in
            try open.checkOpen()
            try share.cover(spilledBytes)
        }
        switch request.source {
        case .rows(let schema):
            // Joins nothing, but checks the columns, names those of the answer, and pins what is known.
            let empty = try store.join(join, spine: RowsSpine([], columns: schema.spineColumns))
            join.knownAt = empty.knownAt
            try output.send(StreamSchema(knownAt: pin(empty.knownAt), schema: BatchSchema(of: empty.columns)))
            let rowBytes = empty.columns.reduce(0) { $0 + 2 * ($1.type.width ?? 48) + 1 } + 64 * service.selections.count
            blockRows = max(1024, memory / rowBytes)
            stage = .collecting(schema)
        case .entities(let view, let instants, let from, let to):
            try principal.check(.read, view: view)
            // One pin for the spine and the join.
            let pinned = min(request.knownAt ?? .distantFuture, store.lastCommit)
            join.knownAt = pinned
            let spine = try store.entities(
                of: view, at: instants, from: from, to: to, knownAt: pinned, asServed: request.asServed, eventTimeColumn: request.eventTime)
            try walk(join, spine, &output)
        case .versions(let view, let knownAt, let from, let to):
            try principal.check(.read, view: view)
            let pinned = min(request.knownAt ?? .distantFuture, store.lastCommit)
            join.knownAt = pinned
            let scan = try store.scan(
                WhenceEngine.ScanRequest(
                    view: view, features: [], knownAt: knownAt ?? pinned, from: from, to: to.after, eventTimeColumn: request.eventTime))
            try walk(join, scan, &output)
        }
        engineRequest = join
    }

    private func walk<Source: Spine>(
        _ request: WhenceEngine.JoinRequest, _ spine: Source, _ output: inout StreamOutput
    ) throws(WhenceError) {
        var join = try core.store.join(request, spine: spine)
        try output.send(StreamSchema(knownAt: pin(join.knownAt), schema: BatchSchema(of: join.columns)))
        isLong = try !join.fitsInMemory()
        stage = .walking { () throws(WhenceError) in try join.next() }
    }

    private func pin(_ knownAt: Timestamp) -> Timestamp? { knownAt == .distantPast ? nil : knownAt }

    // MARK: An uploaded spine

    private func collect(_ upload: StreamUpload, _ schema: BatchSchema, _ output: inout StreamOutput) throws(WhenceError) {
        for frame in upload.frames {
            let batch = try frame.rows(of: schema, maximumPayloadBytes: core.limits.frameBytes)
            uploadedRows += batch.count
            if let spilling {
                try spilling.add(batch)
            } else if batch.count > 0 {
                collected.append(batch)
                collectedRows += batch.count
            }
            output.uploadBytes += frame.byteCount
        }
        if let stated = upload.rows, stated != UInt64(uploadedRows) {
            throw .violation("\(stated) rows are said to have been uploaded, and \(uploadedRows) came")
        }
    }

    /// Begins to take the spine in through temporary files, where those may be made.
    private func beginSpilling(_ schema: BatchSchema) throws(WhenceError) {
        guard let engineRequest, let join = try core.store.spillingJoin(engineRequest, spine: schema.spineColumns) else { return }
        spilling = join
        while !collected.isEmpty { try join.add(collected.removeFirst()) }
        collectedRows = 0
    }

    /// Joins what has been collected.
    private func joinBlock(_ schema: BatchSchema, _ frameBytes: Int) throws(WhenceError) {
        guard let engineRequest else { return }
        let block = try ColumnBatch(concatenating: collected)
        collected = []
        let first = uploadedRows - collectedRows
        collectedRows = 0
        do throws(WhenceError) {
            var join = try core.store.join(engineRequest, spine: RowsSpine([block], columns: schema.spineColumns))
            var parts: [ColumnBatch] = []
            while let part = try join.next() { parts.append(part) }
            if !parts.isEmpty { cutter.take(try ColumnBatch(concatenating: parts), frameBytes: frameBytes) }
        } catch {
            throw first == 0 ? error : error.at("rows from \(first + 1) on")
        }
    }
}
