import Foundation

extension RocksDBError {
    /// The same error with the names of damaged files, where it is one of damage that names none: RocksDB names the file of a
    /// damaged block, but not one whose end is damaged.
    func namingFiles(of path: String) -> RocksDBError {
        guard kind == .corruption, !message.contains(".sst") else { return self }
        let damaged = DamagedFiles.names(at: path)
        return damaged.isEmpty ? self : RocksDBError(message: "\(message) (damaged: \(damaged.joined(separator: ", ")))")
    }
}

enum DamagedFiles {
    /// The magic number of block-based tables, little-endian (RocksDB, table/block_based/block_based_table_builder.cc).
    private static let magic: [UInt8] = [0xF7, 0xCF, 0xF4, 0x85, 0xB7, 0x41, 0xE2, 0x88]

    /// Sorted files whose last bytes are not those of such a file.
    static func names(at path: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(".sst") }.sorted().filter { name in
            guard let file = FileHandle(forReadingAtPath: "\(path)/\(name)") else { return true }
            defer { try? file.close() }
            guard let size = try? file.seekToEnd(), size >= 8, (try? file.seek(toOffset: size - 8)) != nil,
                let last = try? file.read(upToCount: 8)
            else { return true }
            return Array(last) != magic
        }
    }
}
