import Foundation
import WhenceCore

/// A sorted run of versions on disk, between the spilling of a backfill and its merge. It lives in the store's `tmp`
/// directory and never outlives the process, so its form is nobody's business but this file's: for each version the
/// lengths of key and row, then both.
struct RunFile {
    let path: String
    /// For every `stride`-th version its key and where it begins in the file.
    private(set) var index: [(key: [UInt8], offset: Int)] = []
    private static let stride = 4096
    private static let lengths = 8

    /// Writes the sorted versions of `buffer` to `path`.
    init(writing buffer: VersionBuffer, to path: String) throws(WhenceError) {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path) else {
            throw WhenceError(.permissionDenied, "a temporary file cannot be made", place: path, hint: "check the mode of the directory")
        }
        defer { try? file.close() }
        var out: [UInt8] = []
        out.reserveCapacity(1 << 20)
        var offset = 0
        for (number, entry) in buffer.entries.enumerated() {
            if number % RunFile.stride == 0 { index.append((Array(buffer.bytes[entry.key]), offset + out.count)) }
            unsafe withUnsafeBytes(of: entry.keyLength.littleEndian) { unsafe out.append(contentsOf: $0) }
            unsafe withUnsafeBytes(of: entry.rowLength.littleEndian) { unsafe out.append(contentsOf: $0) }
            out.append(contentsOf: buffer.bytes[entry.start..<entry.row.upperBound])
            if out.count >= 1 << 20 || number == buffer.entries.count - 1 {
                do {
                    try file.write(contentsOf: out)
                } catch {
                    throw WhenceError(
                        .diskFull, "a temporary file cannot be written: \(error.localizedDescription)", place: path,
                        hint: "free some space and run the backfill again; nothing of it is in the store", isRetryable: true)
                }
                offset += out.count
                out.removeAll(keepingCapacity: true)
            }
        }
    }

    /// A reader from the first version whose key is not less than `start` (nil: from the first of all).
    func reader(from start: [UInt8]?) throws(WhenceError) -> Reader {
        let reader = try Reader(path, at: start.map { start in index.last { !start.lexicographicallyPrecedes($0.key) }?.offset ?? 0 } ?? 0)
        try reader.next()
        if let start {
            while !reader.isAtEnd, reader.key.lexicographicallyPrecedes(start) { try reader.next() }
        }
        return reader
    }

    /// Reads one version after another. One thread at a time.
    final class Reader {
        private let file: FileHandle
        private let path: String
        private var buffer: [UInt8] = []
        private var at = 0
        private(set) var isAtEnd = false
        private var keyRange = 0..<0
        private var rowRange = 0..<0

        /// The key of the current version.
        var key: ArraySlice<UInt8> { buffer[keyRange] }
        /// The row of the current version.
        var row: ArraySlice<UInt8> { buffer[rowRange] }

        fileprivate init(_ path: String, at offset: Int) throws(WhenceError) {
            self.path = path
            do {
                guard let file = FileHandle(forReadingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
                try file.seek(toOffset: UInt64(offset))
                self.file = file
            } catch {
                throw WhenceError(.inputOutput, "a temporary file cannot be read: \(error.localizedDescription)", place: path)
            }
        }

        deinit { try? file.close() }

        /// Moves to the next version.
        func next() throws(WhenceError) {
            at = rowRange.upperBound
            guard try fill(RunFile.lengths) else {
                isAtEnd = true
                return
            }
            func length(_ offset: Int) -> Int {
                (0..<4).reduce(0) { $0 | Int(buffer[offset + $1]) << (8 * $1) }
            }
            let keyLength = length(at)
            let rowLength = length(at + 4)
            guard try fill(RunFile.lengths + keyLength + rowLength) else {
                throw WhenceError(.inputOutput, "a temporary file has been cut short", place: path, hint: "run the backfill again")
            }
            keyRange = (at + RunFile.lengths)..<(at + RunFile.lengths + keyLength)
            rowRange = keyRange.upperBound..<(keyRange.upperBound + rowLength)
        }

        /// Makes `count` bytes from `at` on available; false at the end of the file.
        private func fill(_ count: Int) throws(WhenceError) -> Bool {
            if at + count <= buffer.count { return true }
            buffer.removeFirst(at)
            at = 0
            keyRange = 0..<0
            rowRange = 0..<0
            do {
                while buffer.count < count {
                    guard let more = try file.read(upToCount: 1 << 20), !more.isEmpty else { return false }
                    buffer.append(contentsOf: more)
                }
            } catch {
                throw WhenceError(.inputOutput, "a temporary file cannot be read: \(error.localizedDescription)", place: path)
            }
            return true
        }
    }
}
