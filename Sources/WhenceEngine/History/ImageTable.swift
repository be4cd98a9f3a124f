import Foundation
import WhenceCore

/// The memory of a `FileImage`: entities in order, for each its versions in order, of each version the two times and the row as the file has it.
/// A plain value without an owner, so that a search through many counts no references; `FileImage` frees it.
///
/// Invariant of the unsafe parts: there are `entityCount` prefixes and key ends, one more of `firsts`, pairs of times and row ends for each
/// version; ends and firsts ascend, and the last ones are the bytes of `keys` and `rows` and the number of versions.
@safe struct ImageTable: @unchecked Sendable {
    private(set) var entityCount = 0
    /// `SortKey.prefix` of each entity's key.
    private var prefixes: UnsafeMutablePointer<UInt64>
    /// Where each entity's key ends in `keys`.
    private var keyEnds: UnsafeMutablePointer<UInt32>
    /// The first version of each entity, and at the end the number of all versions.
    private var firsts: UnsafeMutablePointer<UInt32>
    private var keys: UnsafeMutableRawPointer
    /// `VersionKey.code` of each version's event time and of its commit time.
    private let times: UnsafeMutablePointer<UInt64>
    /// Where each version's row ends in `rows`.
    private let rowEnds: UnsafeMutablePointer<UInt32>
    private let rows: UnsafeMutableRawPointer

    /// Room for so many versions, whose rows have so many bytes together.
    init(versions: Int, rowBytes: Int) {
        unsafe prefixes = ImageTable.copy([])
        unsafe keyEnds = ImageTable.copy([])
        unsafe firsts = ImageTable.copy([0])
        unsafe keys = ColumnBuffer.allocate(0)
        unsafe times = ColumnBuffer.allocate(versions * 16).assumingMemoryBound(to: UInt64.self)
        unsafe rowEnds = ColumnBuffer.allocate(versions * 4).assumingMemoryBound(to: UInt32.self)
        unsafe rows = ColumnBuffer.allocate(rowBytes)
    }

    /// Writes the next version, whose row goes to `start` of `rows`. The caller sees to it that there is room.
    func write(_ version: Int, _ event: Timestamp, _ commit: Timestamp, _ row: RawSpan, at start: Int) {
        unsafe times[2 * version] = VersionKey.code(event)
        unsafe times[2 * version + 1] = VersionKey.code(commit)
        unsafe row.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { unsafe (rows + start).copyMemory(from: source, byteCount: bytes.count) }
        }
        unsafe rowEnds[version] = UInt32(start + row.byteCount)
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
        unsafe Foundation.free(times)
        unsafe Foundation.free(rowEnds)
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

    /// The versions of entity `index`.
    @inline(__always) func versions(of index: Int) -> Range<Int> { unsafe Int(firsts[index])..<Int(firsts[index + 1]) }

    /// The first of `versions` that is not newer than the event time and commit time of these codes; its end where all are.
    @inline(__always) func firstVersion(in versions: Range<Int>, event: UInt64, commit: UInt64) -> Int {
        var low = versions.lowerBound
        if low == versions.upperBound || !isNewer(low, event, commit) { return low }
        var step = 1
        while low + step < versions.upperBound && isNewer(low + step, event, commit) {
            low += step
            step *= 2
        }
        var high = min(low + step, versions.upperBound)
        while high - low > 1 {
            let middle = (low + high) >> 1
            if isNewer(middle, event, commit) { low = middle } else { high = middle }
        }
        return high
    }

    /// Codes ascend from the newest time on.
    @inline(__always) private func isNewer(_ version: Int, _ event: UInt64, _ commit: UInt64) -> Bool {
        let own = unsafe times[2 * version]
        return own != event ? own < event : unsafe times[2 * version + 1] < commit
    }

    // MARK: Versions

    /// The times of a version.
    @inline(__always) func times(_ version: Int) -> (event: Timestamp, commit: Timestamp) {
        unsafe (VersionKey.time(times[2 * version]), VersionKey.time(times[2 * version + 1]))
    }

    /// The row of a version, which stays for as long as the image.
    @_lifetime(borrow self) @inline(__always) func row(_ version: Int) -> RawSpan {
        let start = version == 0 ? 0 : unsafe Int(rowEnds[version - 1])
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(rows + start), byteCount: Int(rowEnds[version]) - start)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
