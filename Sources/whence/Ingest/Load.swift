import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceTabular

/// One load of a table into a view, by ordinary writes or as a backfill.
///
/// A file is read twice for ordinary writes: nothing is written before every row of it has been looked at, so that a load that
/// stops at a bad row leaves nothing behind. Standard input can only be read once, and says what it had committed.
final class Load {
    struct Choices {
        var path: String
        var format: InputFormat
        var nulls: [String]
        var absent: String?
        var mapping: RowMapping.Choices
        var batchRows: Int
        var rejectsPath: String
        var maxRejects: Int
        var idempotencyKey: String?
    }

    private static let progressEvery = 1024

    private let target: any LoadTarget
    private let view: StoredView
    private let choices: Choices
    private let rejects: RejectsFile
    var rejectsPath: String { rejects.path }
    private(set) var rows = 0
    private(set) var rejected = 0
    /// Commits, of which some may repeat earlier ones of the same idempotency key.
    private(set) var commits: [Commit] = []
    /// Rows that they hold.
    private var committed = 0
    /// Rows that are to be committed, where they have been counted before.
    private var expected: Int?
    /// Room on the disk for what is still to be committed, of so many bytes of rows.
    private var room: (space: ReservedSpace, bytes: Int)?

    init(_ target: any LoadTarget, _ view: StoredView, _ choices: Choices) {
        self.target = target
        self.view = view
        self.choices = choices
        rejects = RejectsFile(choices.rejectsPath)
    }

    /// Loads by ordinary writes, a commit for every so many rows.
    func write() throws(WhenceError) {
        // Only a regular file has a size, and can be read again.
        let bytes = choices.path == "-" ? nil : try ByteSource(path: choices.path).totalBytes
        let isReadTwice = bytes != nil
        if isReadTwice {
            var (batches, rowBytes) = (1, 0)
            try run("checking", notes: true) {
                guard self.isFull else { return }
                batches += 1
                rowBytes += self.target.byteCount
                self.target.removeAll()
            }
            rowBytes += target.byteCount
            target.removeAll()
            expected = rows
            rows = 0
            rejected = 0
            // One batch is there whole or not at all by itself.
            if batches > 1 { try reserve(rowBytes) }
        }
        do {
            try run("writing", notes: !isReadTwice) { () throws(WhenceError) in if self.isFull { try self.commit() } }
            if target.count > 0 { try commit() }
        } catch {
            throw saying(soFar, error)
        }
    }

    /// Loads everything as one backfill, which is published at the end.
    func backfill() throws(WhenceError) {
        try run("backfill", notes: true) {}
        guard rows > 0 else { return }
        let bar = ProgressBar("publishing \(view.definition.name)")
        defer { bar.clear() }
        bar.update(count: rows)
        // The publication calls this while it is waited for, one call at a time: nobody else moves the bar meanwhile.
        nonisolated(unsafe) let shown = bar
        let commit = try target.commit(idempotencyKey: nil) { unsafe shown.update(done: $0, of: $1, count: $0) }
        commits.append(commit)
    }

    /// Makes sure, before anything is written, that the disk has room for all of it.
    private func reserve(_ rowBytes: Int) throws(WhenceError) {
        do throws(WhenceError) {
            guard let space = try target.reserve(rowBytes) else { return }
            room = (space, rowBytes)
        } catch {
            throw saying("nothing was written", error)
        }
    }

    /// Gives back the room of a batch that is about to be written.
    private func giveBack(_ rowBytes: Int) {
        guard let (space, bytes) = room else { return }
        let left = max(0, bytes - rowBytes)
        space.shrink(to: Store.roomBytes(rowBytes: left))
        room = (space, left)
    }

    private var isFull: Bool { target.count >= choices.batchRows || target.byteCount >= target.commitBytes }

    private func commit() throws(WhenceError) {
        let committing = committed..<committed + target.count
        giveBack(target.byteCount)
        let commit = try target.commit(idempotencyKey: choices.idempotencyKey.map { CommitKey.rows(committing, of: $0) }) { _, _ in }
        commits.append(commit)
        committed = committing.upperBound
    }

    private var soFar: String {
        guard let last = commits.last else { return "nothing was written" }
        let all = expected.map { " of \($0)" } ?? ""
        let way =
            choices.idempotencyKey == nil
            ? "what was committed stays, and the same command would write it once more: leave those rows out, or load with --idempotency-key"
            : "run the same command again: what was committed is not written twice, and it goes on behind that"
        return "\(committed)\(all) rows were committed in \(commits.count.counted("batch", "batches")), the last at \(last.time); \(way)"
    }

    private func saying(_ what: String, _ error: WhenceError) -> WhenceError {
        var error = error
        if !error.hint.contains("nothing was written") { error.hint += error.hint.isEmpty ? what : "; \(what)" }
        return error
    }

    // MARK: Reading

    /// Reads the whole input into the target, calling `prepare` before each row.
    private func run(_ label: String, notes: Bool, _ prepare: () throws(WhenceError) -> Void) throws(WhenceError) {
        do throws(WhenceError) {
            switch try choices.format.reader(choices.path, nulls: choices.nulls, absent: choices.absent) {
            case let csv as CSVReader: try read(csv, label, notes: notes, prepare)
            case let ndjson as NDJSONReader: try read(ndjson, label, notes: notes, prepare)
            default: preconditionFailure("a reader of another format")
            }
        } catch {
            try rejects.finish()
            throw commits.isEmpty ? saying("nothing was written", error) : error
        }
        try rejects.finish()
    }

    private func read<Reader: RecordReader>(
        _ reader: Reader, _ label: String, notes: Bool, _ prepare: () throws(WhenceError) -> Void
    ) throws(WhenceError) {
        let mapping = try RowMapping(view, choices.mapping)
        try mapping.take(reader)
        let bar = ProgressBar("\(label) \(view.definition.name)")
        defer { bar.clear() }
        while true {
            do throws(WhenceError) {
                guard try reader.next() else { return }
            } catch {
                guard reader.canContinue, Load.isAboutTheRow(error) else { throw error }
                try reject(error, reader, notes: notes)
                continue
            }
            if reader.columns.count > mapping.columnCount { try mapping.take(reader) }
            try prepare()
            do throws(WhenceError) {
                try target.append(reader, by: mapping)
                rows += 1
            } catch {
                guard Load.isAboutTheRow(error) else { throw error }
                try reject(error, reader, notes: notes)
            }
            if rows % Load.progressEvery == 0 { bar.update(done: reader.bytesRead, of: reader.totalBytes, count: rows) }
        }
    }

    private static func isAboutTheRow(_ error: WhenceError) -> Bool {
        switch error.code {
        case .invalidValue, .invalidTime, .invalidKey, .limitExceeded, .malformedInput, .beyondRetention: true
        default: false
        }
    }

    private func reject(_ error: WhenceError, _ reader: any RecordReader, notes: Bool) throws(WhenceError) {
        rejected += 1
        if notes {
            try rejects.append(line: reader.lineNumber, error, record: reader.rawRecord)
        }
        guard rejected > choices.maxRejects else { return }
        if choices.maxRejects == 0 { throw error }
        throw WhenceError(
            .tooManyRejects, "\(rejected.counted("row")) were rejected, the last for: \(error.message)", place: error.place,
            hint: "--max-rejects allows \(choices.maxRejects); \(rejects.path) says what is wrong with each")
    }
}
