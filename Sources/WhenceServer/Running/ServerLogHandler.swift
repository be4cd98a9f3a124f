import Foundation
import Glibc
import Logging
import Synchronization
import WhenceCore
import WhenceEngine

/// Writes the log to standard error, each entry as one line: for people, or as a JSON object.
public struct ServerLogHandler: LogHandler {
    private let label: String
    private let format: LogSettings.Format
    private let output: LogOutput
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel: Logger.Level

    /// - Parameter output: where lines go; standard error unless said otherwise.
    public init(label: String, settings: LogSettings, output: LogOutput = .standardError) {
        self.label = label
        format = settings.format
        self.output = output
        logLevel = Logger.Level(rawValue: settings.level) ?? .info
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        let members = all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        output.write(line(event.level, "\(event.message)", members))
    }

    func line(_ level: Logger.Level, _ message: String, _ members: [(String, String)]) -> String {
        let time = Timestamp.wallClock().description
        switch format {
        case .json:
            let fields: [(String, JSON)] = [
                ("time", .string(time)), ("level", .string(level.rawValue)), ("logger", .string(label)), ("message", .string(message)),
            ]
            // A field of the entry never takes the place of one of these.
            let reserved = Set(fields.map(\.0))
            return JSON.object(fields + members.map { (reserved.contains($0.0) ? "_\($0.0)" : $0.0, JSON.string($0.1)) }).text + "\n"
        case .text:
            let text = members.map { " \($0.0)=\(Self.plain($0.1))" }.joined()
            return "\(time) \(level.rawValue.uppercased()) \(Self.oneLine(message))\(text)\n"
        }
    }

    /// A value that stays one word of a line whatever a client sent: in quotes unless it is plain.
    private static func plain(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 < 0x7F }
        return isPlain ? value : JSON.string(oneLine(value)).text
    }

    /// Without control characters, which could forge lines or drive a terminal.
    private static func oneLine(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) else { return text }
        var line = ""
        for scalar in text.unicodeScalars {
            line.unicodeScalars.append(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? " " : scalar)
        }
        return line
    }
}

/// Where lines of the log go.
public struct LogOutput: Sendable {
    let write: @Sendable (String) -> Void

    public init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

    /// One write a line, so that lines do not mix. Where it fails there is nobody left to tell.
    public static let standardError = LogOutput { line in
        let bytes = Array(line.utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
