import WhenceCore
import WhenceTabular

/// A reader that moves a progress bar while its records are read: a block of a spine may take a while to come.
final class WatchedReader: RecordReader {
    private static let every = 1024

    private let reader: any RecordReader
    private let bar: ProgressBar
    private var records = 0

    init(_ reader: any RecordReader, _ bar: ProgressBar) {
        self.reader = reader
        self.bar = bar
    }

    var name: String { reader.name }
    var columns: [String] { reader.columns }
    var discoversColumns: Bool { reader.discoversColumns }
    var canContinue: Bool { reader.canContinue }
    var lineNumber: Int { reader.lineNumber }
    var rawRecord: String { reader.rawRecord }
    var fieldCount: Int { reader.fieldCount }
    var bytesRead: Int { reader.bytesRead }
    var totalBytes: Int? { reader.totalBytes }

    func next() throws(WhenceError) -> Bool {
        guard try reader.next() else { return false }
        records += 1
        if records % WatchedReader.every == 0 { bar.update(done: reader.bytesRead, of: reader.totalBytes, count: records) }
        return true
    }

    @_lifetime(borrow self)
    func field(_ index: Int) -> RecordField {
        let reader = reader
        // The field is borrowed from the reader, which lives as long as this does.
        return unsafe _overrideLifetime(reader.field(index), borrowing: self)
    }
}
