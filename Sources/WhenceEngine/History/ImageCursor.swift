import WhenceCore

/// Walks over the versions of one entity in an image.
///
/// Invariant of the unsafe part: whoever holds the cursor keeps the image.
@safe struct ImageCursor: VersionCursor {
    private let table: UnsafePointer<ImageTable>
    private var version: Int
    private let end: Int

    @inline(__always) init(_ table: UnsafePointer<ImageTable>, _ versions: Range<Int>) {
        unsafe self.table = table
        version = versions.lowerBound
        end = versions.upperBound
    }

    @inline(__always) func times(ifOf entity: RawSpan) -> (event: Timestamp, commit: Timestamp)? {
        version < end ? unsafe table.pointee.times(version) : nil
    }

    var value: RawSpan {
        @_lifetime(borrow self) @inline(__always) get { unsafe _overrideLifetime(table.pointee.row(version), borrowing: self) }
    }

    @inline(__always) mutating func advance() { version += 1 }
}
