import RocksDB
import WhenceCore

/// Sorted files that follow one another, as one join sees them: where each begins and ends, and its image where it has one.
///
/// Invariant of the unsafe parts: `files` has `count` elements, whose borders lie in `borders` and whose tables are those of `images`; all of it
/// stays as it is until `deinit`.
@safe final class FileRun: @unchecked Sendable {
    /// A file of the run. A plain value, so that a search counts no references; it is good for as long as the run.
    @safe struct File {
        fileprivate let firstPrefix: UInt64
        fileprivate let lastPrefix: UInt64
        fileprivate let first: UnsafeRawBufferPointer
        fileprivate let last: UnsafeRawBufferPointer
        /// Nil where RocksDB has to be asked about all entities that could be in the file. It lies in the image, which the run keeps.
        let table: UnsafePointer<ImageTable>?
        /// The next file goes on with the entity that is this one's last.
        let isSplitAtEnd: Bool

        /// Whether all of the file comes before the entity with this prefix and key.
        @inline(__always) func isBefore(_ prefix: UInt64, _ entity: RawSpan) -> Bool {
            lastPrefix != prefix ? lastPrefix < prefix : unsafe last.bytes.order(to: entity) < 0
        }

        /// Whether all of the file comes behind the entity.
        @inline(__always) func isBehind(_ prefix: UInt64, _ entity: RawSpan) -> Bool {
            firstPrefix != prefix ? firstPrefix > prefix : unsafe first.bytes.order(to: entity) > 0
        }
    }

    let count: Int
    private let files: UnsafeMutablePointer<File>
    private let borders: UnsafeMutableRawBufferPointer
    private let images: [FileImage?]

    /// - Parameter files: in their order, and such as share no key.
    init(_ files: [(file: DatabaseFile, image: FileImage?)]) {
        func entity(_ key: Key) -> ArraySlice<UInt8> { key.bytes.dropLast(VersionKey.timesBytes) }
        images = files.map(\.image)
        count = files.count
        let all = files.flatMap { [entity($0.file.keys.lowerBound), entity($0.file.keys.upperBound)] }
        let borders = UnsafeMutableRawBufferPointer.allocate(byteCount: all.reduce(1) { $0 + $1.count }, alignment: 1)
        unsafe self.files = .allocate(capacity: files.count)
        var places: [UnsafeRawBufferPointer] = unsafe []
        var end = 0
        for border in all {
            unsafe places.append(UnsafeRawBufferPointer(rebasing: borders[end..<(end + border.count)]))
            for byte in border {
                unsafe borders[end] = byte
                end += 1
            }
        }
        unsafe self.borders = borders
        for index in files.indices {
            let (first, last) = unsafe (places[2 * index], places[2 * index + 1])
            unsafe (self.files + index).initialize(
                to: File(
                    firstPrefix: SortKey.prefix(first.bytes), lastPrefix: SortKey.prefix(last.bytes), first: first, last: last,
                    table: images[index]?.table, isSplitAtEnd: index + 1 < files.count && all[2 * index + 1] == all[2 * index + 2]))
        }
    }

    deinit {
        unsafe files.deallocate()
        unsafe borders.deallocate()
    }

    /// File `index`, which must be below `count`.
    @inline(__always) subscript(index: Int) -> UnsafePointer<File> { unsafe UnsafePointer(files + index) }
}
