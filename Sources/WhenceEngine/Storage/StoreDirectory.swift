import Foundation
import WhenceCore

/// The directory of a store (`Formats/store.md`): `FORMAT` says what it is, `db/` is RocksDB's, `tmp/` is emptied at every open.
struct StoreDirectory {
    /// The store format that this version writes, and the only one that it reads.
    static let formatVersion = 1

    let path: String
    var database: String { path + "/db" }
    var temporary: String { path + "/tmp" }
    private var format: String { path + "/FORMAT" }
    private var unfinishedFormat: String { path + "/FORMAT.new" }

    /// Checks that there is a store at `path`, or makes one there.
    init(path: String, options: StoreOptions) throws(WhenceError) {
        self.path = path
        let files = FileManager.default
        var isDirectory: ObjCBool = false
        let exists = unsafe files.fileExists(atPath: path, isDirectory: &isDirectory)
        if exists && !isDirectory.boolValue {
            throw WhenceError(.invalidArgument, "this is a file, not a directory", place: path, hint: "name a directory for the store")
        }
        if files.fileExists(atPath: format) {
            try checkFormat()
            try checkDatabase()
        } else {
            // What a making that was cut short leaves behind counts as nothing.
            let names = exists ? (try? files.contentsOfDirectory(atPath: path)) ?? ["?"] : []
            let isUnused = ((try? files.contentsOfDirectory(atPath: database)) ?? []).isEmpty
            guard isUnused && names.allSatisfy({ $0 == "db" || $0 == "FORMAT.new" }) else {
                throw WhenceError(
                    .unknownFormat, "this directory holds something else than a store", place: path,
                    hint: "name an empty directory, or one that a store was made in")
            }
            guard !options.mustExist && !options.readOnly else {
                throw WhenceError(
                    .notFound, "there is no store here", place: path, hint: "make one with 'whence apply FILE… --data \(path)'")
            }
            try make()
        }
    }

    /// Refuses a database that has files, but not the one that names them: RocksDB would take it for a new one.
    private func checkDatabase() throws(WhenceError) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: database)) ?? []
        // A store whose making was cut short may have a MANIFEST; these come later.
        let hasData = names.contains { $0.hasSuffix(".sst") || $0.hasSuffix(".log") }
        guard hasData && !names.contains("CURRENT") else { return }
        throw WhenceError(
            .corruption, "the file CURRENT is missing", place: database, hint: "restore the store from a backup")
    }

    private func checkFormat() throws(WhenceError) {
        guard let bytes = FileManager.default.contents(atPath: format) else {
            throw WhenceError(.permissionDenied, "the file cannot be read", place: format, hint: "check its owner and mode")
        }
        let words = String(decoding: bytes.prefix(64), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "whence", let version = Int(words[1]) else {
            throw WhenceError(
                .unknownFormat, "the file does not say what store this is", place: format,
                hint: "restore the store from a backup; a whole one says 'whence \(StoreDirectory.formatVersion)'")
        }
        guard version == StoreDirectory.formatVersion else {
            throw WhenceError(
                .unknownFormat, "the store has format \(version), and this version reads format \(StoreDirectory.formatVersion)",
                place: path, hint: "open it with the version of whence that wrote it")
        }
    }

    /// Makes the directories, then FORMAT: written, synced and put in its place in one step, so that a store which has it is
    /// whole, and one that has not was never used.
    private func make() throws(WhenceError) {
        do {
            try FileManager.default.createDirectory(atPath: database, withIntermediateDirectories: true)
            // Not by FileManager, which makes files of other names on the way.
            let descriptor = unsafe open(unfinishedFormat, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
            let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try file.write(contentsOf: Array("whence \(StoreDirectory.formatVersion)\n".utf8))
            try file.synchronize()
            try file.close()
        } catch {
            throw StoreDirectory.refused(error, path)
        }
        guard unsafe rename(unfinishedFormat, format) == 0 else {
            throw StoreDirectory.refused(CocoaError(.fileWriteUnknown), path)
        }
        StoreDirectory.synchronize(path)
        StoreDirectory.synchronize(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }

    /// Makes the entries of a directory durable, as far as its file system can.
    private static func synchronize(_ path: String) {
        let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Empties `tmp/`. Only for the process that holds the store's lock: another one's backfill may have its files there.
    func emptyTemporary() throws(WhenceError) {
        do {
            if FileManager.default.fileExists(atPath: temporary) { try FileManager.default.removeItem(atPath: temporary) }
            try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        } catch {
            throw StoreDirectory.refused(error, temporary)
        }
    }

    private static func refused(_ error: any Error, _ path: String) -> WhenceError {
        if (error as? CocoaError)?.code == .fileWriteOutOfSpace {
            return WhenceError(.diskFull, "the disk is full", place: path, hint: "free some space and try again", isRetryable: true)
        }
        // Foundation's own words say little here; the system tells why when it is asked again.
        var reason = error.localizedDescription
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if unsafe access(parent, W_OK) != 0 { unsafe reason = String(cString: strerror(errno)) }
        return WhenceError(
            .permissionDenied, "the directory cannot be written: \(reason)", place: path,
            hint: "check the path, its owner and mode, and whether its file system is mounted read-only")
    }
}
