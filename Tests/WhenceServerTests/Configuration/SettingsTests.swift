import Foundation
import StoreFixtures
import Testing
import WhenceCore

@testable import WhenceServer

@Suite("Settings of a server") struct SettingsTests {
    private static func read(
        _ arguments: [String] = [], environment: [String: String] = [:], file: String? = nil
    ) throws -> (configuration: ServerConfiguration, effective: [SettingsReader.Effective]) {
        let scratch = try ScratchDirectory()
        let path = try file.map { text in
            try text.write(toFile: scratch.path("server.yaml"), atomically: true, encoding: .utf8)
            return scratch.path("server.yaml")
        }
        return try SettingsReader(arguments: ["--data", "store"] + arguments, environment: environment, file: path).read()
    }

    @Test("a flag goes before a variable, and a variable before the file") func precedence() throws {
        let file = """
            listen: 127.0.0.1:1
            limits:
              connections: 11
              requests: 12
              idle: 30s
            log.format: json
            """
        let (configuration, effective) = try Self.read(
            ["--limits-connections=33"],
            environment: ["WHENCE_SERVE_LIMITS_CONNECTIONS": "22", "WHENCE_SERVE_LIMITS_REQUESTS": "23", "WHENCE_SOAK_SECONDS": "5"],
            file: file)
        #expect(configuration.limits.connections == 33)
        #expect(configuration.limits.requests == 23)
        #expect(configuration.limits.idleTime == .seconds(30))
        #expect(configuration.listen.port == 1)
        #expect(configuration.log.format == .json)
        #expect(configuration.limits.eventLoops == ServerLimits().eventLoops)
        func origin(_ key: String) -> String? { effective.first { $0.key == key }?.origin }
        #expect(origin("limits.connections") == "--limits-connections")
        #expect(origin("limits.requests") == "WHENCE_SERVE_LIMITS_REQUESTS")
        #expect(origin("limits.idle")?.hasSuffix("server.yaml:5:9") == true)
        #expect(origin("limits.event_loops") == "default")
        #expect(effective.map(\.key) == ServerSetting.all.map(\.key))
    }

    @Test("every setting has three names of its own, and reads what it shows") func names() throws {
        let all = ServerSetting.all
        #expect(Set(all.map(\.key)).count == all.count)
        #expect(Set(all.map(\.flag)).count == all.count)
        #expect(Set(all.map(\.variable)).count == all.count)
        for setting in all {
            var configuration = ServerConfiguration()
            let shown = setting.show(configuration)
            guard !shown.isEmpty else { continue }
            try setting.apply(shown, &configuration)
            #expect(setting.show(configuration) == shown, "\(setting.key)")
            #expect(ServerSetting.helpText().contains(setting.flag))
        }
    }

    @Test("what is no setting is refused, wherever it stands") func unknown() {
        let flag = refusal { _ = try Self.read(["--limits-conections", "5"]) }
        #expect(flag?.hint.contains("--limits-connections") == true)
        let variable = refusal { _ = try Self.read(environment: ["WHENCE_SERVE_LISTN": "x"]) }
        #expect(variable?.hint.contains("WHENCE_SERVE_LISTEN") == true)
        let file = refusal { _ = try Self.read(file: "limits:\n  conections: 5\n") }
        #expect(file?.place.hasSuffix("server.yaml:2:3") == true && file?.hint.contains("limits.connections") == true)
    }

    @Test(
        "values that do not fit are refused, with the place",
        arguments: [
            ["--limits-connections", "0"], ["--limits-connections", "many"], ["--limits-connections"], ["--limits-idle", "0s"],
            ["--limits-idle", "10"], ["--listen", "here"], ["--log-level", "loud"], ["--store-durability", "perhaps"],
            ["--limits-frame", "65"],
            ["--tls-certificate", "x.pem"], ["--tls-key", "x.key"], ["--tls-client-authorities", "x.pem"],
            ["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2"],
            ["--tls-certificate", "a", "--tls-key", "b", "--tls-client-certificates", "required"],
            ["--insecure-listen-without-tls-and-authentication=maybe"],
        ])
    func misfits(arguments: [String]) {
        let error = refusal { _ = try Self.read(arguments) }
        #expect(error != nil && error?.place.isEmpty == false, "\(arguments)")
    }

    @Test(
        "beyond this machine only with TLS and users, unless asked for in so many words",
        arguments: [
            (["--listen", "0.0.0.0:9462"], false), (["--listen", "[::]:9462"], false), (["--listen", "db.example:9462"], false),
            (["--http-listen", "0.0.0.0:9463"], false),
            (["--listen", "0.0.0.0:9462", "--tls-certificate", "a", "--tls-key", "b"], false),
            (["--listen", "0.0.0.0:9462", "--users", "u"], false),
            (["--listen", "0.0.0.0:9462", "--users", "u", "--tls-certificate", "a", "--tls-key", "b"], true),
            (["--listen", "0.0.0.0:9462", "--insecure-listen-without-tls-and-authentication"], true),
            (["--listen", "127.0.0.1:9462"], true), (["--listen", "localhost:9462"], true), (["--http-listen", "off"], true),
        ])
    func exposure(arguments: [String], isAllowed: Bool) {
        let error = refusal { _ = try Self.read(arguments) }
        #expect((error == nil) == isAllowed, "\(arguments)")
        if let error { #expect(error.hint.contains("--insecure-listen-without-tls-and-authentication")) }
    }

    @Test("a file that is not YAML is refused with its line", arguments: ["listen: [", "a: b: c", "- x", "listen:\n  - x\n", "limits: 5"])
    func broken(text: String) {
        let error = refusal { _ = try Self.read(file: text) }
        #expect(error?.place.contains("server.yaml:") == true, "\(text)")
    }
}
