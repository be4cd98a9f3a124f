import RocksDB
import WhenceCatalog
import WhenceCore

/// A view of the open store: its definition, where it is kept, and how to read rows of each schema it has had.
final class OpenView: Sendable {
    let stored: StoredView
    let family: ColumnFamily
    let layouts: [RowLayout]
    /// History before this has been removed by retention.
    let horizon: Timestamp

    init(_ stored: StoredView, _ family: ColumnFamily, horizon: Timestamp) {
        self.stored = stored
        self.family = family
        layouts = stored.schemas.map { RowLayout($0) }
        self.horizon = horizon
    }

    var id: UInt32 { stored.id }
    var name: String { stored.definition.name }

    /// The name of the column family of the view with this id.
    static func familyName(_ id: UInt32) -> String { "view.\(id)" }

    func layout(_ schemaID: UInt32) throws(WhenceError) -> RowLayout {
        guard let layout = layouts.first(where: { $0.schema.id == schemaID }) else {
            throw WhenceError(
                .corruption, "a stored row names schema \(schemaID), which the view does not have", place: "view '\(name)'",
                hint: "restore the view from a backup")
        }
        return layout
    }

    /// Refuses a read at an instant whose history has been removed.
    @inline(__always) func checkHorizon(_ T: Timestamp) throws(WhenceError) {
        if T < horizon { throw beyondRetention("at", T) }
    }

    /// Refuses a pin at which what has been removed was still known.
    func checkHorizon(knownAt: Timestamp) throws(WhenceError) {
        if knownAt < horizon { throw beyondRetention("pinned to what was known at", knownAt) }
    }

    /// Refuses retractions of which the earliest is at or before the horizon: what it would uncover may have been removed.
    func checkRetractions(from earliest: Timestamp) throws(WhenceError) {
        guard earliest <= horizon else { return }
        throw WhenceError(
            .beyondRetention, "a retraction at \(earliest) would uncover history that was removed up to \(horizon)",
            place: "view '\(name)'", hint: "write a corrected row, or a deletion, at that event time instead")
    }

    private func beyondRetention(_ what: String, _ time: Timestamp) -> WhenceError {
        WhenceError(
            .beyondRetention, "the history before \(horizon) has been removed, and this read is \(what) \(time)", place: "view '\(name)'",
            hint: "read at \(horizon) or later")
    }
}
