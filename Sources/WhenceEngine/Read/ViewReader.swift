import Foundation
import RocksDB
import WhenceCore

/// Reads features of one view at any points into columns. One thread at a time.
///
/// Invariant of the unsafe parts: `target` has room for the longest key, and `EntityKey.check` guards what is copied there.
@safe final class ViewReader {
    private let view: OpenView
    private let walk: VersionWalk
    private var cursor: Cursor
    private var sink: DecodingSink
    private let target: UnsafeMutableRawPointer
    /// Steps that the cursor has moved on since it was last placed.
    private var moves = 0
    private var isPlaced = false

    init(_ view: OpenView, _ visibility: Visibility, cursor: consuming Cursor, decoder: RowDecoder) {
        self.view = view
        walk = VersionWalk(visibility, ttl: view.stored.definition.ttl)
        self.cursor = cursor
        sink = DecodingSink(decoder)
        unsafe target = .allocate(byteCount: Limits.entityKeyBytes + VersionKey.timesBytes, alignment: 16)
    }

    deinit { unsafe target.deallocate() }

    /// Answers row `row` of the columns for `entity` at T; the row stays without values where there is nothing.
    ///
    /// - Parameter ascending: the caller promises that this read does not come before the last one in the order of the
    ///   store (entity ascending, T descending), so that the cursor need only move on.
    @inline(__always) func read(_ row: Int, _ entity: RawSpan, at T: Timestamp, ascending: Bool) throws(WhenceError) {
        try view.checkHorizon(T)
        place(entity, T, ascending: ascending)
        sink.begin(row)
        moves = try walk.run(&cursor, entity: entity, at: T, into: &sink)
        if !cursor.isValid { try storage(at: "view '\(view.name)'") { () throws(RocksDBError) in try cursor.check() } }
    }

    /// Puts the cursor on the first version of `entity` that a read at T may look at, or on what comes behind.
    @inline(__always) private func place(_ entity: RawSpan, _ T: Timestamp, ascending: Bool) {
        precondition(entity.byteCount <= Limits.entityKeyBytes)
        let length = entity.byteCount &+ VersionKey.timesBytes
        unsafe entity.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe target.copyMemory(from: start, byteCount: source.count) }
        }
        unsafe target.storeBytes(of: VersionKey.code(T).bigEndian, toByteOffset: length &- 16, as: UInt64.self)
        unsafe target.storeBytes(of: VersionKey.code(walk.visibility.knownAt).bigEndian, toByteOffset: length &- 8, as: UInt64.self)
        let key = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(target), byteCount: length)
        if ascending && isPlaced {
            if !cursor.isValid {
                // At the end without having moved: what comes behind the last target is there as well.
                if moves == 0 { return }
            } else if moves == 0 || cursor.key.isOrdered(before: key) {
                cursor.advance(to: key, within: 8)
                return
            }
        }
        cursor.seek(key)
        isPlaced = true
    }
}

extension RawSpan {
    /// Whether these bytes come before `other`, byte by byte.
    @inline(__always) func isOrdered(before other: RawSpan) -> Bool {
        unsafe withUnsafeBytes { a in
            unsafe other.withUnsafeBytes { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return a.count < b.count }
                let order = unsafe memcmp(first, second, min(a.count, b.count))
                return order != 0 ? order < 0 : a.count < b.count
            }
        }
    }
}
