import Foundation

/// The files below a directory, to see whether anything was touched, and to damage them.
public enum FileTree {
    /// The bytes of every file below `path`, by its path from there; nil for a directory.
    public static func contents(_ path: String) throws -> [String: Data?] {
        var contents: [String: Data?] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
            contents[name] = .some(FileManager.default.contents(atPath: "\(path)/\(name)"))
        }
        return contents
    }

    /// Names of the files in `path` that end so, in order.
    public static func names(_ path: String, ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(ending) }.sorted()
    }

    /// Changes the bits `mask` of the byte at `offset`.
    public static func flip(_ file: String, at offset: Int, mask: UInt8 = 0x5A) throws {
        var data = try Data(contentsOf: URL(filePath: file))
        data[offset] ^= mask
        try data.write(to: URL(filePath: file))
    }

    /// Cuts the file off after `count` bytes.
    public static func truncate(_ file: String, to count: Int) throws {
        let handle = try FileHandle(forUpdating: URL(filePath: file))
        try handle.truncate(atOffset: UInt64(count))
        try handle.close()
    }

    /// Bytes of a file.
    public static func byteCount(_ file: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0
    }
}
