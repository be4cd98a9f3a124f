import Foundation
import WhenceCore
import Yams

/// A YAML file that an operator wrote, with the place of each value at hand. JSON is YAML, and is read as well.
struct SettingsDocument {
    /// Larger files are not read: nobody writes them.
    static let fileBytes = 4 << 20

    let file: String
    let root: Node

    /// Reads the file at `path`. Throws `notFound`, `permissionDenied`, `inputOutput`, or `malformedInput` with the line.
    init(path: String) throws(WhenceError) {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: Self.fileBytes + 1) ?? Data()
        } catch {
            throw FileAccess.error(error, path: path, doing: "read")
        }
        try self.init(data: Array(data), file: path)
    }

    init(data: [UInt8], file: String) throws(WhenceError) {
        guard data.count <= Self.fileBytes else {
            throw WhenceError(.limitExceeded, "the file has more than \(Self.fileBytes) bytes", place: file)
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw WhenceError(.malformedInput, "the file is not UTF-8", place: file, hint: "save it as UTF-8")
        }
        self.file = file
        do {
            root = try Yams.compose(yaml: text) ?? Node([] as [(Node, Node)])
        } catch let error as YamlError {
            throw Self.refusal(error, file)
        } catch {
            throw WhenceError(.malformedInput, "the file is not YAML", place: file)
        }
    }

    private static func refusal(_ error: YamlError, _ file: String) -> WhenceError {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            WhenceError(.malformedInput, "this is not YAML: \(problem)", place: "\(file):\(mark.line):\(mark.column)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            WhenceError(
                .malformedInput, "a key is there twice: \(duplicates.joined(separator: ", "))",
                place: "\(file):\(context.mark.line):\(context.mark.column)")
        default: WhenceError(.malformedInput, "this is not YAML", place: file)
        }
    }

    /// `file:line:column` of `node`.
    func place(_ node: Node) -> String { node.mark.map { "\(file):\($0.line):\($0.column)" } ?? file }

    func refuse(_ node: Node, _ message: String, hint: String = "") -> WhenceError {
        WhenceError(.malformedInput, message, place: place(node), hint: hint)
    }

    static func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node else { return false }
        return scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The text of a scalar as it is written.
    func text(_ node: Node, _ what: String) throws(WhenceError) -> String {
        guard case .scalar(let scalar) = node, !Self.isNull(node) else { throw refuse(node, "\(what) must be text") }
        return scalar.string
    }

    /// The members of a map. Throws where there is a key that `known` does not list.
    func members(_ node: Node, _ what: String, known: [String]) throws(WhenceError) -> [String: Node] {
        guard case .mapping(let mapping) = node else { throw refuse(node, "\(what) must be a map of keys and values") }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            let name = try text(key, "a key")
            guard known.contains(name) else {
                throw refuse(key, "unknown key '\(name)' in \(what)", hint: "the keys are \(known.joined(separator: ", "))")
            }
            members[name] = value
        }
        return members
    }

    /// The elements of a list; none where there is nothing.
    func elements(_ node: Node?, _ what: String) throws(WhenceError) -> [Node] {
        guard let node, !Self.isNull(node) else { return [] }
        guard case .sequence(let sequence) = node else { throw refuse(node, "\(what) must be a list") }
        return Array(sequence)
    }
}

/// What an error of the file system means to a person.
enum FileAccess {
    static func error(_ error: any Error, path: String, doing what: String) -> WhenceError {
        let code = (error as NSError).code
        switch (error as NSError).domain == NSCocoaErrorDomain ? code : -1 {
        case CocoaError.fileNoSuchFile.rawValue, CocoaError.fileReadNoSuchFile.rawValue:
            return WhenceError(.notFound, "there is no such file", place: path)
        case CocoaError.fileReadNoPermission.rawValue, CocoaError.fileWriteNoPermission.rawValue:
            return WhenceError(.permissionDenied, "the file may not be \(what == "read" ? "read" : "written")", place: path)
        default: return WhenceError(.inputOutput, "cannot \(what) the file", place: path)
        }
    }

    /// The same for a failed system call, of which `number` is the `errno`.
    static func error(errno number: Int32, path: String, doing what: String) -> WhenceError {
        switch number {
        case ENOENT: WhenceError(.notFound, "there is no such file or directory", place: path)
        case EACCES, EPERM, EROFS: WhenceError(.permissionDenied, "cannot \(what) the file: permission denied", place: path)
        case ENOSPC, EDQUOT: WhenceError(.diskFull, "cannot \(what) the file: the disk is full", place: path, isRetryable: true)
        default: WhenceError(.inputOutput, "cannot \(what) the file: \(unsafe String(cString: strerror(number)))", place: path)
        }
    }
}
