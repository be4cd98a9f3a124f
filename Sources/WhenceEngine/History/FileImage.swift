import RocksDB
import WhenceCore

/// What one sorted file of a view holds, in memory and laid out for looking up (`ImageTable`). A file never changes, and neither does its image.
///
/// From one version to the next it is a few nanoseconds here, and a hundred in RocksDB's iterator, which puts together each key anew from the one
/// before it.
///
/// Invariant of the unsafe part: `table` is written in `init` and freed in `deinit`.
@safe final class FileImage: @unchecked Sendable {
    let table: UnsafePointer<ImageTable>
    /// Memory that the image takes.
    let byteCount: Int

    /// Bytes that the versions of an image of `file` take; nil where there can be none: the file deletes what others have, or is too large.
    static func versionBytes(of file: SortedFile) -> Int? {
        guard file.specialEntries == 0, file.entries > 0, file.entries < Int(UInt32.max), file.valueBytes < Int(UInt32.max),
            file.keyBytes < Int(UInt32.max)
        else { return nil }
        return file.entries * ImageTable.versionBytes + file.valueBytes
    }

    /// Reads `file`. Nil where it can have no image, or is damaged: whoever reads it through the database is told.
    init?(_ file: SortedFile) {
        guard let versionBytes = FileImage.versionBytes(of: file) else { return nil }
        let entities = FileEntities()
        var table = ImageTable(versions: file.entries, rowBytes: file.valueBytes)
        var version = 0
        var rowEnd = 0
        var isWhole = true
        var cursor = file.makeCursor()
        cursor.seekToFirst()
        while cursor.isValid && isWhole {
            do {
                let key = cursor.key
                let row = cursor.value
                isWhole = key.byteCount > VersionKey.timesBytes && version < file.entries && rowEnd + row.byteCount <= file.valueBytes
                if isWhole {
                    entities.add(key.extracting(0..<(key.byteCount - VersionKey.timesBytes)), firstVersion: version)
                    table.write(version, VersionKey.eventTime(key), VersionKey.commitTime(key), row, at: rowEnd)
                    rowEnd += row.byteCount
                    version += 1
                }
            }
            cursor.next()
        }
        guard isWhole, version > 0, (try? cursor.check()) != nil else {
            table.free()
            return nil
        }
        table.setEntities(entities, versionCount: version)
        let place = UnsafeMutablePointer<ImageTable>.allocate(capacity: 1)
        unsafe place.initialize(to: table)
        unsafe self.table = UnsafePointer(place)
        byteCount = versionBytes + entities.prefixes.count * 16 + entities.keys.count
    }

    deinit {
        unsafe table.pointee.free()
        unsafe table.deallocate()
    }
}

/// The entities of a file, as they come.
final class FileEntities {
    private(set) var prefixes: [UInt64] = []
    private(set) var keyEnds: [UInt32] = []
    private(set) var firsts: [UInt32] = []
    private(set) var keys: [UInt8] = []
    private var lastStart = 0

    /// Takes the entity of a version; one that is the same as the last one's is known already.
    func add(_ entity: RawSpan, firstVersion: Int) {
        if !prefixes.isEmpty && keys.count - lastStart == entity.byteCount {
            let isSame = unsafe entity.starts(with: keys.span.bytes.extracting(lastStart..<keys.count))
            if isSame { return }
        }
        lastStart = keys.count
        prefixes.append(SortKey.prefix(entity))
        unsafe entity.withUnsafeBytes { unsafe keys.append(contentsOf: $0) }
        keyEnds.append(UInt32(keys.count))
        firsts.append(UInt32(firstVersion))
    }
}
