import Configuration
import Synchronization
import WhenceCore
import Yams

/// Makes a server's configuration from flags, the environment and a file, in this order of precedence.
public struct SettingsReader {
    /// What was set, to what, and where.
    public struct Effective: Sendable {
        public let key: String
        public let value: String
        /// `--listen`, `WHENCE_SERVE_LISTEN`, `server.yaml:3:9`, or `default`.
        public let origin: String
    }

    private struct Stated {
        var value: String
        var place: String
    }

    private var flags: [String: Stated] = [:]
    private var environment: [String: Stated] = [:]
    private var file: [String: Stated] = [:]
    private let settings = ServerSetting.all

    /// - Parameters:
    ///   - arguments: flags and their values, as `--listen HOST:PORT` or `--listen=HOST:PORT`.
    ///   - environment: all variables; those that do not begin with `WHENCE_SERVE_` are none of the server's.
    ///   - file: the settings file, if there is one.
    ///
    /// Throws where anything is not a setting.
    public init(arguments: [String], environment: [String: String], file: String?) throws(WhenceError) {
        try readFlags(arguments)
        for (name, value) in environment where name.hasPrefix(ServerSetting.environmentPrefix) {
            guard let setting = settings.first(where: { $0.variable == name }) else {
                throw unknown(name, "variable", among: settings.map(\.variable))
            }
            self.environment[setting.key] = Stated(value: value, place: name)
        }
        if let file { try readFile(SettingsDocument(path: file)) }
    }

    private mutating func readFlags(_ arguments: [String]) throws(WhenceError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let setting = settings.first(where: { $0.flag == parts[0] }) else {
                throw unknown(parts[0], "option", among: settings.map(\.flag))
            }
            let value: String
            if parts.count == 2 {
                value = parts[1]
            } else if setting.isSwitch {
                value = "true"
            } else if let next = rest.popFirst() {
                value = next
            } else {
                throw WhenceError(
                    .invalidArgument, "the value is missing", place: setting.flag, hint: "write \(setting.flag) \(setting.valueName)")
            }
            guard flags.updateValue(Stated(value: value, place: setting.flag), forKey: setting.key) == nil else {
                throw WhenceError(.invalidArgument, "the option is given twice", place: setting.flag)
            }
        }
    }

    /// A file of maps within maps; a name may also be written with its dots, in one.
    private mutating func readFile(_ document: SettingsDocument) throws(WhenceError) {
        var waiting: [(prefix: String, node: Node)] = [("", document.root)]
        while let (prefix, node) = waiting.popLast() {
            guard case .mapping(let mapping) = node else {
                throw document.refuse(node, prefix.isEmpty ? "the settings must be a map of keys and values" : "'\(prefix)' must be a map")
            }
            for (keyNode, value) in mapping {
                let name = try document.text(keyNode, "a key")
                let key = prefix.isEmpty ? name : "\(prefix).\(name)"
                if settings.contains(where: { $0.key == key }) {
                    guard
                        file.updateValue(Stated(value: try document.text(value, "'\(key)'"), place: document.place(value)), forKey: key)
                            == nil
                    else {
                        throw document.refuse(keyNode, "'\(key)' is set twice")
                    }
                } else if settings.contains(where: { $0.key.hasPrefix("\(key).") }) {
                    if !SettingsDocument.isNull(value) { waiting.append((key, value)) }
                } else {
                    throw unknown(key, "setting", among: settings.map(\.key)).at(document.place(keyNode))
                }
            }
        }
    }

    private func unknown(_ name: String, _ what: String, among names: [String]) -> WhenceError {
        // The longest common beginning or end is a good guess at what was meant.
        func likeness(_ other: String) -> Int {
            zip(name, other).prefix { $0 == $1 }.count + zip(name.reversed(), other.reversed()).prefix { $0 == $1 }.count
        }
        let nearest = names.max { likeness($0) < likeness($1) } ?? ""
        return WhenceError(
            .invalidArgument, "there is no \(what) '\(name.prefix(128))'",
            hint: "did you mean '\(nearest)'? 'whence serve --help' lists the settings")
    }

    // MARK: Reading

    /// The configuration, and what of it comes from where. Throws where a value does not fit, with its place.
    public func read() throws(WhenceError) -> (configuration: ServerConfiguration, effective: [Effective]) {
        func provider(_ name: String, _ values: [String: Stated]) -> InMemoryProvider {
            var content: [AbsoluteConfigKey: ConfigValue] = [:]
            for (key, stated) in values {
                content[AbsoluteConfigKey(key.split(separator: ".").map(String.init))] = ConfigValue(.string(stated.value), isSecret: false)
            }
            return InMemoryProvider(name: name, values: content)
        }
        let reader = ConfigReader(providers: [provider("flags", flags), provider("environment", environment), provider("file", file)])
        var configuration = ServerConfiguration()
        var effective: [Effective] = []
        for setting in settings {
            guard let value = reader.string(forKey: ConfigKey(setting.key.split(separator: ".").map(String.init))) else { continue }
            let place = (flags[setting.key] ?? environment[setting.key] ?? file[setting.key])?.place ?? setting.key
            do throws(WhenceError) { try setting.apply(value, &configuration) } catch { throw error.at(place) }
            effective.append(Effective(key: setting.key, value: setting.show(configuration), origin: place))
        }
        let stated = Set(effective.map(\.key))
        let defaults = settings.filter { !stated.contains($0.key) }.map {
            Effective(key: $0.key, value: $0.show(configuration), origin: "default")
        }
        let order = Dictionary(uniqueKeysWithValues: settings.enumerated().map { ($1.key, $0) })
        effective = (effective + defaults).sorted { order[$0.key, default: 0] < order[$1.key, default: 0] }
        try configuration.finish()
        return (configuration, effective)
    }
}
