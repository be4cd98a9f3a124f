import WhenceCore

/// One thing that can be set about a server, under one name in three spellings: `tls.certificate` in the file, `WHENCE_SERVE_TLS_CERTIFICATE`
/// in the environment, `--tls-certificate` as a flag.
public struct ServerSetting {
    static let environmentPrefix = "WHENCE_SERVE_"

    /// The name in the file, its parts separated by dots.
    public let key: String
    /// What a value is, for help: `HOST:PORT`, `MiB`.
    public let valueName: String
    /// What it decides, in a sentence.
    public let help: String
    /// Whether the flag may stand without a value, which is then `true`.
    public let isSwitch: Bool
    let apply: (String, inout ServerConfiguration) throws(WhenceError) -> Void
    let show: (ServerConfiguration) -> String

    public var flag: String { "--" + key.map { $0 == "." || $0 == "_" ? "-" : String($0) }.joined() }

    public var variable: String { Self.environmentPrefix + key.map { $0 == "." ? "_" : $0.uppercased() }.joined() }

    // MARK: Kinds

    static func text(_ key: String, _ path: WritableKeyPath<ServerConfiguration, String>, _ name: String, _ help: String) -> Self {
        Self(key: key, valueName: name, help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            guard !text.isEmpty else { throw refusal("nothing is written here") }
            configuration[keyPath: path] = text
        } show: {
            $0[keyPath: path]
        }
    }

    /// A text, or `off` for none.
    static func optional(_ key: String, _ path: WritableKeyPath<ServerConfiguration, String?>, _ name: String, _ help: String) -> Self {
        Self(key: key, valueName: name, help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            guard !text.isEmpty else { throw refusal("nothing is written here", hint: "write 'off' for none") }
            configuration[keyPath: path] = text == "off" ? nil : text
        } show: {
            $0[keyPath: path] ?? "off"
        }
    }

    static func number(
        _ key: String, _ path: WritableKeyPath<ServerConfiguration, Int>, _ range: ClosedRange<Int>, scale: Int = 1, _ name: String,
        _ help: String
    ) -> Self {
        Self(key: key, valueName: name, help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            guard let number = Int(text), range.contains(number) else {
                throw refusal("'\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            configuration[keyPath: path] = number * scale
        } show: {
            "\($0[keyPath: path] / scale)"
        }
    }

    static func duration(_ key: String, _ path: WritableKeyPath<ServerConfiguration, Duration>, _ help: String) -> Self {
        Self(key: key, valueName: "TIME", help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            configuration[keyPath: path] = try time(text)
        } show: {
            $0[keyPath: path].text
        }
    }

    static func duration(_ key: String, _ path: WritableKeyPath<ServerConfiguration, Duration?>, _ help: String) -> Self {
        Self(key: key, valueName: "TIME", help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            configuration[keyPath: path] = text == "off" ? nil : try time(text)
        } show: {
            $0[keyPath: path]?.text ?? "off"
        }
    }

    static func choice(
        _ key: String, _ path: WritableKeyPath<ServerConfiguration, String>, _ choices: [String], _ help: String
    ) -> Self {
        Self(key: key, valueName: choices.joined(separator: "|"), help: help, isSwitch: false) { text, configuration throws(WhenceError) in
            guard choices.contains(text) else { throw refusal("'\(text)' is none of \(choices.joined(separator: ", "))") }
            configuration[keyPath: path] = text
        } show: {
            $0[keyPath: path]
        }
    }

    static func flag(_ key: String, _ path: WritableKeyPath<ServerConfiguration, Bool>, _ help: String) -> Self {
        Self(key: key, valueName: "true|false", help: help, isSwitch: true) { text, configuration throws(WhenceError) in
            guard text == "true" || text == "false" else { throw refusal("'\(text)' is neither true nor false") }
            configuration[keyPath: path] = text == "true"
        } show: {
            "\($0[keyPath: path])"
        }
    }

    static func refusal(_ message: String, hint: String = "") -> WhenceError { WhenceError(.invalidArgument, message, hint: hint) }

    private static func time(_ text: String) throws(WhenceError) -> Duration {
        let duration = try Duration(parsing: text)
        guard duration > .zero, duration <= .seconds(30 * 86_400) else { throw refusal("'\(text)' is not more than 0 and at most 30d") }
        return duration
    }
}
