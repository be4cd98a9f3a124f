import CPrefetch
import Foundation
import WhenceCore

/// The memory of a `FileImage`: entities in order, for each its versions in order, of each version the two times and the row as the file has it.
/// A plain value without an owner, so that a search through many counts no references; `FileImage` frees it.
///
/// Invariant of the unsafe parts: there are `entityCount` prefixes and key ends, and one more of `firsts`; ends and firsts ascend, and the last ones are the
/// bytes of `keys` and the number of versions; each version's row lies within `rows`.
@safe struct ImageTable: @unchecked Sendable {
    private struct Version: BitwiseCopyable {
        /// `VersionKey.code` of its event time and of its commit time.
        var event: UInt64
        var commit: UInt64
        /// Where its row is in `rows`.
        var rowStart: UInt32
        var rowLength: UInt32
    }

    /// Bytes that a version takes beside its row.
    static var versionBytes: Int { MemoryLayout<Version>.stride }

    private(set) var entityCount = 0
    /// `SortKey.prefix` of each entity's key.
    private var prefixes: UnsafeMutablePointer<UInt64>
    /// Where each entity's key ends in `keys`.
    private var keyEnds: UnsafeMutablePointer<UInt32>
    /// The first version of each entity, and at the end the number of all versions.
    private var firsts: UnsafeMutablePointer<UInt32>
    private var keys: UnsafeMutableRawPointer
    private let versions: UnsafeMutablePointer<Version>
    private let rows: UnsafeMutableRawPointer

    /// Room for so many versions, whose rows have so many bytes together.
    init(versions count: Int, rowBytes: Int) {
        unsafe prefixes = ImageTable.copy([])
        unsafe keyEnds = ImageTable.copy([])
        unsafe firsts = ImageTable.copy([0])
        unsafe keys = ColumnBuffer.allocate(0)
        unsafe versions = ColumnBuffer.allocate(count * ImageTable.versionBytes).assumingMemoryBound(to: Version.self)
        unsafe rows = ColumnBuffer.allocate(rowBytes)
    }

    /// Writes the next version, whose row goes to `start` of `rows`. The caller sees to it that there is room.
    func write(_ version: Int, _ event: Timestamp, _ commit: Timestamp, _ row: RawSpan, at start: Int) {
        unsafe (versions + version).initialize(
            to: Version(
                event: VersionKey.code(event), commit: VersionKey.code(commit), rowStart: UInt32(start), rowLength: UInt32(row.byteCount)))
        unsafe row.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { unsafe (rows + start).copyMemory(from: source, byteCount: bytes.count) }
        }
    }

    /// Sets the entities of the versions that have been written. Called once.
    mutating func setEntities(_ entities: FileEntities, versionCount: Int) {
        freeEntities()
        entityCount = entities.prefixes.count
        unsafe prefixes = ImageTable.copy(entities.prefixes)
        unsafe keyEnds = ImageTable.copy(entities.keyEnds)
        unsafe firsts = ImageTable.copy(entities.firsts + [UInt32(versionCount)])
        unsafe keys = UnsafeMutableRawPointer(ImageTable.copy(entities.keys))
    }

    private static func copy<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        let copy = unsafe ColumnBuffer.allocate(byteCount)
        unsafe elements.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { unsafe copy.copyMemory(from: start, byteCount: byteCount) }
        }
        return unsafe copy.assumingMemoryBound(to: Element.self)
    }

    private func freeEntities() {
        unsafe Foundation.free(prefixes)
        unsafe Foundation.free(keyEnds)
        unsafe Foundation.free(firsts)
        unsafe Foundation.free(keys)
    }

    /// Gives the memory back. Called once, by the owner.
    func free() {
        freeEntities()
        unsafe Foundation.free(versions)
        unsafe Foundation.free(rows)
    }

    // MARK: Looking up

    /// The first entity from `start` on that does not come before the one with this prefix and key; `entityCount` where all do.
    @inline(__always) func firstEntity(from start: Int, _ prefix: UInt64, _ entity: RawSpan) -> Int {
        var low = start
        if low == entityCount || order(low, prefix, entity) >= 0 { return low }
        // What is looked for is mostly near: wider and wider steps, then halves of the last one.
        var step = 1
        while low + step < entityCount && order(low + step, prefix, entity) < 0 {
            low += step
            step *= 2
        }
        var high = min(low + step, entityCount)
        while high - low > 1 {
            let middle = (low + high) >> 1
            if order(middle, prefix, entity) < 0 { low = middle } else { high = middle }
        }
        return high
    }

    /// Less than 0 where entity `index` comes before the one with this prefix and key, 0 where it is the same.
    @inline(__always) func order(_ index: Int, _ prefix: UInt64, _ entity: RawSpan) -> Int {
        let own = unsafe prefixes[index]
        if own != prefix { return own < prefix ? -1 : 1 }
        let start = index == 0 ? 0 : unsafe Int(keyEnds[index - 1])
        let length = unsafe Int(keyEnds[index]) - start
        // Equal prefixes of such short keys are equal keys (`SortKey.prefix`).
        if length <= 8 && entity.byteCount <= 8 { return 0 }
        return unsafe RawSpan(_unsafeStart: UnsafeRawPointer(keys + start), byteCount: length).order(to: entity)
    }

    /// Brings what `versions(of:)` looks at into the processor's cache.
    @inline(__always) func prefetchVersions(of index: Int) { unsafe prefetch_line(firsts + index) }

    /// The versions of entity `index`.
    @inline(__always) func versions(of index: Int) -> Range<Int> { unsafe Int(firsts[index])..<Int(firsts[index + 1]) }

    /// The first of `versions` that is not newer than the event time and commit time of these codes; its end where all are.
    ///
    /// - Parameter isNear: it is likely to be one of the first.
    @inline(__always) func firstVersion(in versions: Range<Int>, event: UInt64, commit: UInt64, isNear: Bool) -> Int {
        var (low, high) = (versions.lowerBound, versions.upperBound)
        if isNear {
            var step = 1
            while low + step <= high && isNewer(low + step - 1, event, commit) {
                low += step
                step *= 2
            }
            high = min(low + step - 1, high)
        }
        while low < high {
            let middle = (low + high) >> 1
            if isNewer(middle, event, commit) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Codes ascend from the newest time on.
    @inline(__always) private func isNewer(_ version: Int, _ event: UInt64, _ commit: UInt64) -> Bool {
        // Without a branch, which would be guessed wrong every other time.
        let place = unsafe versions + version
        let isNewerEvent: UInt8 = unsafe place.pointee.event < event ? 1 : 0
        let isSameEvent: UInt8 = unsafe place.pointee.event == event ? 1 : 0
        let isNewerCommit: UInt8 = unsafe place.pointee.commit < commit ? 1 : 0
        return (isNewerEvent | (isSameEvent & isNewerCommit)) != 0
    }

    /// Brings the versions at which `quarter(of:)` looks into the processor's cache.
    @inline(__always) func prefetchQuarters(of range: Range<Int>) {
        let quarter = range.count >> 2
        unsafe prefetch_line(versions + range.lowerBound)
        unsafe prefetch_line(versions + (range.lowerBound + quarter))
        unsafe prefetch_line(versions + (range.lowerBound + 2 * quarter))
        unsafe prefetch_line(versions + (range.lowerBound + 3 * quarter))
    }

    /// A quarter of `range`, more or less, in which or at whose end the first version is that is not newer than the times of these codes.
    @inline(__always) func quarter(of range: Range<Int>, event: UInt64, commit: UInt64) -> Range<Int> {
        let quarter = range.count >> 2
        if quarter == 0 { return range }
        let half = range.lowerBound + 2 * quarter
        if isNewer(half, event, commit) {
            let third = half + quarter
            return isNewer(third, event, commit) ? (third + 1)..<range.upperBound : (half + 1)..<third
        }
        let first = range.lowerBound + quarter
        return isNewer(first, event, commit) ? (first + 1)..<half : range.lowerBound..<first
    }

    /// Brings the beginning of a version's row into the processor's cache.
    @inline(__always) func prefetchRow(_ version: Int) {
        let start = unsafe rows + Int(versions[version].rowStart)
        unsafe prefetch_line(start)
        unsafe prefetch_line(start + 64)
    }

    // MARK: Versions

    /// The times of a version.
    @inline(__always) func times(_ version: Int) -> (event: Timestamp, commit: Timestamp) {
        unsafe (VersionKey.time(versions[version].event), VersionKey.time(versions[version].commit))
    }

    /// The row of a version, which stays for as long as the image.
    @_lifetime(borrow self) @inline(__always) func row(_ version: Int) -> RawSpan {
        let place = unsafe versions[version]
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(rows + Int(place.rowStart)), byteCount: Int(place.rowLength))
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
