import ArgumentParser
import Foundation
import WhenceCore
import WhenceServer

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a store over the network.",
        discussion: """
            Every setting can be a flag, a variable of the environment or a line of a file; flags go before variables, and variables \
            before the file. --listen is WHENCE_SERVE_LISTEN and 'listen: …'; --tls-key is WHENCE_SERVE_TLS_KEY and 'tls: {key: …}'. A name that is \
            no setting is refused wherever it stands.

            SIGTERM and SIGINT end the server when open requests are answered; SIGHUP reads certificates, users and tokens again.

            Example: whence serve --data store
            Example: whence serve --config /etc/whence/server.yaml --log-format json

            Settings:
            \(ServerSetting.helpText())
            """)

    @Option(help: ArgumentHelp("A file of settings (YAML).", valueName: "file"))
    var config: String?

    @Flag(help: "Check the settings and the files they name, print what is in effect, and end.")
    var check = false

    @Flag(help: "Answer in JSON, for programs: the line that says where the server listens, and errors.")
    var json = false

    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("Settings, as below.", valueName: "settings"))
    var settings: [String] = []

    func run() throws {
        let configuration: ServerConfiguration
        let effective: [SettingsReader.Effective]
        do throws(WhenceError) {
            let reader = try SettingsReader(arguments: settings, environment: ProcessInfo.processInfo.environment, file: config)
            (configuration, effective) = try reader.read()
        } catch {
            throw UsageError(error)
        }
        let process = ServerProcess(configuration)
        if check {
            try process.check()
            return try show(effective)
        }
        let json = json
        try Blocking.run { () async throws(WhenceError) in
            try await process.run { Serve.announce($0, asJSON: json) }
        }
    }

    private func show(_ effective: [SettingsReader.Effective]) throws {
        guard !json else {
            return try Console.print(
                JSON.array(
                    effective.map {
                        .object([("key", .string($0.key)), ("value", .string($0.value)), ("origin", .string($0.origin))])
                    }))
        }
        var table = TextTable(["setting", "value", "from"])
        for setting in effective { table.append([setting.key, setting.value, setting.origin]) }
        try Console.print(table.text)
    }

    /// The one line on standard output: whoever started the server waits for it.
    private static func announce(_ addresses: ServerProcess.Addresses, asJSON: Bool) {
        let pid = Int(ProcessInfo.processInfo.processIdentifier)
        let line =
            asJSON
            ? JSON.object([
                ("listening", .string("\(addresses.server)")), ("http", addresses.http.map { .string("\($0)") } ?? .null),
                ("pid", .int(pid)),
            ]).text
            : "listening on \(addresses.server)" + (addresses.http.map { ", http on \($0)" } ?? "") + ", pid \(pid)"
        // Where nobody takes the line the server serves all the same.
        try? Console.print(line)
    }
}

/// Runs what is asynchronous from a command, which is not.
enum Blocking {
    static func run(_ body: @escaping @Sendable () async throws(WhenceError) -> Void) throws {
        let (done, result) = (DispatchSemaphore(value: 0), Outcome())
        Task.detached {
            do throws(WhenceError) { try await body() } catch { result.error = error }
            done.signal()
        }
        done.wait()
        if let error = result.error { throw error }
    }

    /// Written before the signal and read after it.
    private final class Outcome: @unchecked Sendable {
        var error: WhenceError?
    }
}
