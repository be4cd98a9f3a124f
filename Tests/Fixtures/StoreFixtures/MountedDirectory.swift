import Foundation

/// A small file system in memory, mounted in a directory of its own; unmounted when this goes.
public final class MountedDirectory: Sendable {
    struct Refused: Error {}

    public let path: String
    private let scratch: ScratchDirectory

    /// Whether this process may mount one.
    public static let isPermitted = (try? MountedDirectory(megabytes: 1)) != nil

    public init(megabytes: Int) throws {
        scratch = try ScratchDirectory()
        path = scratch.path("mounted")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try MountedDirectory.run("mount", "-t", "tmpfs", "-o", "size=\(megabytes)m", "whence-test", path)
    }

    deinit { try? MountedDirectory.run("umount", "--lazy", path) }

    /// From now on nothing can be written to it, or it can again.
    public func remount(readOnly: Bool) throws { try MountedDirectory.run("mount", "-o", readOnly ? "remount,ro" : "remount,rw", path) }

    private static func run(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Refused() }
    }
}
