import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// Writes: all parts are one commit.
extension RequestWork {
    func write(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        // Before the rows are read: this is what a server does most while its disk is full.
        try core.gate.check()
        let message = try WriteRequest(decoding: frame)
        for part in message.parts { try principal.check(.write, view: part.view) }
        let catalog = core.store.catalog
        var batches: [RowBatch] = []
        var rows = 0
        for part in message.parts {
            let view = try catalog.view(named: part.view)
            let kind: VersionKind =
                switch part.action {
                case .rows: .row
                case .deletions: .deletion
                case .retractions: .retraction
                }
            let columns = try ColumnRows(
                view, columns: zip(part.rows.names, part.rows.columns).map { SpineColumn(name: $0, type: $1.type) }, kind: kind,
                eventTimeColumn: part.eventTime, availabilityColumn: part.availabilityTime, missingIsNull: part.missingIsNull)
            let batch = RowBatch(view)
            try columns.append(part.rows, rows: 0..<part.rows.count, kind: kind, to: batch)
            batches.append(batch)
            rows += part.rows.count
        }
        // The last look before the write: from here on it cannot be taken back.
        try request.checkOpen()
        let (store, key) = (core.store, message.idempotencyKey.isEmpty ? nil : RequestWork.keyText(message.idempotencyKey))
        let commit = try core.gate.run { () throws(WhenceError) in try store.write(batches, idempotencyKey: key) }
        return Answer(Committed(commitTime: commit.time, isRepeat: commit.wasRepeated, rows: UInt64(rows)), rows: rows)
    }

    /// The text that stands for an idempotency key: ASCII as it is, so that the command line may repeat what a client wrote; any other
    /// bytes in hexadecimal behind a mark that no ASCII key has. Different keys have different texts.
    static func keyText(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        return "\u{FFFD}"
            + bytes.map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
    }
}
