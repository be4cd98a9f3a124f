import ArgumentParser
import Foundation
import WhenceClient
import WhenceCore

/// Which server to work on instead of a directory, and who is asking.
struct ServerArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The server to work on, instead of --data.", valueName: "host:port"))
    var server: String?

    @Option(help: ArgumentHelp("A file with the token to show (or WHENCE_TOKEN in the environment).", valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("The user to be; the password is in --password-file or WHENCE_PASSWORD.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("A file with the user's password.", valueName: "file"))
    var passwordFile: String?

    @Flag(help: "Speak TLS, trusting the certificates that the system trusts.")
    var tls = false

    @Option(help: ArgumentHelp("Speak TLS, trusting the certificates in this PEM file.", valueName: "file"))
    var ca: String?

    @Option(help: ArgumentHelp("The client's own certificate, for a server that asks for one.", valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("The private key of --certificate.", valueName: "file"))
    var key: String?

    var isGiven: Bool { server != nil }

    func validate() throws {
        if server == nil {
            for (option, isGiven) in [
                ("--token-file", tokenFile != nil), ("--user", user != nil), ("--password-file", passwordFile != nil), ("--tls", tls),
                ("--ca", ca != nil), ("--certificate", certificate != nil), ("--key", key != nil),
            ] where isGiven {
                throw ValidationError("'\(option)' goes with '--server'")
            }
        }
        if (certificate == nil) != (key == nil) { throw ValidationError("'--certificate' and '--key' go together") }
        if tokenFile != nil, user != nil { throw ValidationError("'--token-file' and '--user' are two ways of saying who you are") }
        if passwordFile != nil, user == nil { throw ValidationError("'--password-file' goes with '--user'") }
    }

    func configuration() throws(WhenceError) -> ClientConfiguration {
        let speaksTLS = tls || ca != nil || certificate != nil
        let security = speaksTLS ? ClientTLS(trustedCertificates: ca, certificate: certificate, privateKey: key) : nil
        var configuration = try ClientConfiguration(address: server ?? "", tls: security, credentials: try credentials())
        configuration.name = "whence"
        configuration.connections = 1
        configuration.timeout = .seconds(60)
        return configuration
    }

    private func credentials() throws(WhenceError) -> Credentials {
        let environment = ProcessInfo.processInfo.environment
        if let user {
            guard let password = try passwordFile.map(ServerArguments.secret) ?? environment["WHENCE_PASSWORD"] else {
                throw WhenceError(
                    .invalidArgument, "there is no password", place: "--user \(user)",
                    hint: "give --password-file FILE, or WHENCE_PASSWORD in the environment")
            }
            return .password(user: user, password: password)
        }
        if let token = try tokenFile.map(ServerArguments.secret) ?? environment["WHENCE_TOKEN"] { return .token(token) }
        return certificate == nil ? .none : .certificate
    }

    /// The file's first line.
    private static func secret(_ path: String) throws(WhenceError) -> String {
        do {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return String(text.prefix { $0 != "\n" && $0 != "\r\n" })
        } catch {
            throw WhenceError(.invalidArgument, "the file cannot be read", place: path, hint: "it holds the secret in its first line")
        }
    }
}
