import Foundation
import RocksDB
import WhenceCore

/// Encoded versions one after another: for each its whole key, then its row.
///
/// Invariant of the unsafe parts: every entry's ranges were appended to `bytes` by this type and lie within it.
struct VersionBuffer {
    /// Where one version is within `bytes`.
    struct Entry: BitwiseCopyable {
        var start: Int
        var keyLength: UInt32
        var rowLength: UInt32

        var key: Range<Int> { start..<(start + Int(keyLength)) }
        var entity: Range<Int> { start..<(start + Int(keyLength) - VersionKey.timesBytes) }
        var row: Range<Int> { (start + Int(keyLength))..<(start + Int(keyLength) + Int(rowLength)) }
    }

    var bytes: [UInt8] = []
    var entries: [Entry] = []
    private var longestEntity = 0

    var count: Int { entries.count }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        longestEntity = 0
    }

    /// Notes that the bytes from `start` on are a version whose key ends at `keyEnd`.
    mutating func close(start: Int, keyEnd: Int) {
        longestEntity = max(longestEntity, keyEnd - start - VersionKey.timesBytes)
        entries.append(Entry(start: start, keyLength: UInt32(keyEnd - start), rowLength: UInt32(bytes.count - keyEnd)))
    }

    /// Appends the versions of `other` behind those that are there.
    mutating func append(_ other: VersionBuffer) {
        let shift = bytes.count
        bytes.append(contentsOf: other.bytes)
        longestEntity = max(longestEntity, other.longestEntity)
        entries.append(contentsOf: other.entries.map { Entry(start: $0.start + shift, keyLength: $0.keyLength, rowLength: $0.rowLength) })
    }

    /// Sorts the entries as the store does, and merges those of one entity and event time into one
    /// (design, section 3: feature by feature, the later row winning).
    mutating func sortAndMerge(_ layout: RowLayout) throws(WhenceError) {
        guard entries.count > 1 else { return }
        let keys = sortedKeys()
        var sorted: [Entry] = []
        sorted.reserveCapacity(entries.count)
        var at = 0
        while at < keys.count {
            var end = at + 1
            while end < keys.count, keys[end].prefix == keys[at].prefix, keys[end].time == keys[at].time,
                compareEntities(Int(keys[at].index), Int(keys[end].index)) == 0
            {
                end += 1
            }
            if end - at == 1 {
                sorted.append(entries[Int(keys[at].index)])
            } else {
                let group = keys[at..<end].map { entries[Int($0.index)] }
                sorted.append(try merge(group, layout))
            }
            at = end
        }
        entries = sorted
    }

    /// Sorts the entries as the store does: those of one entity and event time stay, in the order in which they came.
    mutating func sort() {
        guard entries.count > 1 else { return }
        let unsorted = entries
        entries = sortedKeys().map { unsorted[Int($0.index)] }
    }

    private func sortedKeys() -> [SortKey] {
        var keys: [SortKey] = []
        keys.reserveCapacity(entries.count)
        for (index, entry) in entries.enumerated() {
            keys.append(SortKey(ofVersion: unsafe bytes.span.bytes.extracting(entry.key), index: UInt32(index)))
        }
        KeyOrder.sort(&keys, longKeys: longestEntity > 8) { compareEntities(Int($0), Int($1)) }
        return keys
    }

    /// As memcmp over the entity keys of two entries.
    private func compareEntities(_ a: Int, _ b: Int) -> Int {
        let first = entries[a].entity
        let second = entries[b].entity
        return unsafe bytes.withUnsafeBytes { bytes in
            let order = unsafe memcmp(
                bytes.baseAddress.unsafelyUnwrapped + first.lowerBound, bytes.baseAddress.unsafelyUnwrapped + second.lowerBound,
                min(first.count, second.count))
            return order != 0 ? Int(order) : first.count - second.count
        }
    }

    /// One version out of several of the same entity and event time, in the order in which they came.
    private mutating func merge(_ group: [Entry], _ layout: RowLayout) throws(WhenceError) -> Entry {
        guard let first = group.first, let last = group.last else { preconditionFailure("there is nothing to merge") }
        var kind = VersionKind.row
        var beneath: VersionKind?
        var rows: [Range<Int>] = []
        for entry in group {
            let header = try unsafe RowHeader(bytes.span.bytes.extracting(entry.row))
            switch header.kind {
            case .row:
                // A version out of a spilled run may have been merged before.
                if header.isOverDeletion || header.isOverRetraction {
                    beneath = header.isOverDeletion ? .deletion : .retraction
                    rows.removeAll()
                } else if kind != .row {
                    beneath = kind
                }
                kind = .row
                rows.append(entry.row)
            case .deletion, .retraction:
                kind = header.kind
                beneath = nil
                rows.removeAll()
            }
        }
        guard kind == .row else { return last }
        var encoder = RowEncoder(layout)
        let availability = try unsafe RowHeader(bytes.span.bytes.extracting(last.row)).availability
        encoder.begin(availability: availability)
        for row in rows { try unsafe encoder.overlay(bytes.span.bytes.extracting(row)) }
        encoder.markOver(deletion: beneath == .deletion, retraction: beneath == .retraction)
        let start = bytes.count
        // A slice of `bytes` itself would have all of it copied: for the length of the call it has two owners.
        let key = Array(bytes[first.key])
        bytes.append(contentsOf: key)
        try encoder.finish(into: &bytes)
        return Entry(start: start, keyLength: first.keyLength, rowLength: UInt32(bytes.count - start - Int(first.keyLength)))
    }

    /// Gives all entries their commit time.
    mutating func setCommit(_ commit: Timestamp) {
        let code = VersionKey.code(commit).bigEndian
        unsafe bytes.withUnsafeMutableBytes { bytes in
            for entry in entries { unsafe bytes.storeBytes(of: code, toByteOffset: entry.key.upperBound - 8, as: UInt64.self) }
        }
    }

    /// Puts the entries of all `buffers`, each of which is sorted, into `batch`, in the order of the store: a memtable takes
    /// neighbours one after another at half the cost of keys in random order.
    static func put(_ buffers: [VersionBuffer], into batch: inout WriteBatch, family: ColumnFamily) {
        if buffers.count == 1 {
            let own = buffers[0].bytes
            let bytes = unsafe own.span.bytes
            for entry in buffers[0].entries { batch.put(bytes.extracting(entry.key), bytes.extracting(entry.row), in: family) }
            return
        }
        var keys: [SortKey] = []
        var places: [(buffer: Int, entry: Entry)] = []
        keys.reserveCapacity(buffers.reduce(0) { $0 + $1.count })
        places.reserveCapacity(keys.capacity)
        for (number, buffer) in buffers.enumerated() {
            let bytes = unsafe buffer.bytes.span.bytes
            for entry in buffer.entries {
                keys.append(SortKey(ofVersion: bytes.extracting(entry.key), index: UInt32(places.count)))
                places.append((number, entry))
            }
        }
        // Ties between long keys may stand: the order is for speed alone.
        KeyOrder.sort(&keys, longKeys: false) { _, _ in 0 }
        for key in keys {
            let (number, entry) = places[Int(key.index)]
            let own = buffers[number].bytes
            let bytes = unsafe own.span.bytes
            batch.put(bytes.extracting(entry.key), bytes.extracting(entry.row), in: family)
        }
    }
}
