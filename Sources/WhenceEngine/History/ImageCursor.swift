import WhenceCore

/// Walks over the versions of one entity in an image. Whoever holds it keeps the image.
struct ImageCursor: VersionCursor {
    private let table: ImageTable
    private var version: Int
    private let end: Int

    @inline(__always) init(_ table: ImageTable, _ versions: Range<Int>) {
        self.table = table
        version = versions.lowerBound
        end = versions.upperBound
    }

    @inline(__always) func times(ifOf entity: RawSpan) -> (event: Timestamp, commit: Timestamp)? {
        version < end ? table.times(version) : nil
    }

    var value: RawSpan {
        @_lifetime(borrow self) @inline(__always) get { table.row(version) }
    }

    @inline(__always) mutating func advance() { version += 1 }
}
