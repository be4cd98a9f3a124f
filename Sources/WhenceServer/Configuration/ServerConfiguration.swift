import WhenceCore
import WhenceEngine

/// Everything that is decided about a server before it starts. `ServerSettings` says how it is written in a file, in the environment
/// and as flags.
public struct ServerConfiguration: Sendable {
    /// Where the binary protocol is served. Beyond loopback only with TLS and users, see `checkExposure`.
    public var listen = ListenAddress(host: "127.0.0.1", port: 9462)
    /// Where metrics and health are served over HTTP; nil: nowhere.
    public var http: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 9463)
    /// The directory of the store.
    public var data = ""
    /// How the store uses the machine.
    public var store = StoreOptions()
    /// Certificates; nil: connections are not encrypted. `tlsFiles` is what it is made of.
    public var tls: TLSConfigurationFiles?
    /// The file of users and tokens (`Formats/users.md`); nil: whoever connects may do everything.
    public var users: String?
    /// Where administrative acts and refusals are recorded; nil: nowhere but in the log.
    public var auditLog: String?
    public var limits = ServerLimits()
    /// Whether event loops have the lowest real-time priority, which the system has to allow (`EventLoopPriority`).
    public var realtimeLoops = false
    /// A request that takes longer is logged, with where its time went; nil: none is.
    public var slowRequest: Duration? = .seconds(1)
    public var log = LogSettings()
    /// Whether the server may listen beyond loopback without TLS or without users.
    public var allowsInsecureListening = false
    /// The settings under `tls`, before it is checked that they go together.
    var tlsFiles = TLSFileSettings()

    public init() {}

    /// Puts together what belongs together, and refuses what does not.
    mutating func finish() throws(WhenceError) {
        tls = try tlsFiles.files()
        guard !data.isEmpty else {
            throw WhenceError(
                .invalidArgument, "nothing says where the store is", place: "data", hint: "name its directory with --data DIR")
        }
        if tls?.clientCertificates == .required, users == nil {
            throw WhenceError(
                .invalidArgument, "client certificates name users, and there is no file of users", place: "users",
                hint: "make one with 'whence user add NAME --users FILE', or set tls.client_certificates to none")
        }
        try checkExposure()
    }

    /// Refuses to listen beyond this machine without TLS and users, unless that was asked for in so many words.
    public func checkExposure() throws(WhenceError) {
        guard !allowsInsecureListening else { return }
        let missing = [tls == nil ? "TLS" : nil, users == nil ? "users" : nil].compactMap { $0 }
        guard !missing.isEmpty else { return }
        for address in [listen, http].compactMap({ $0 }) where !address.isLoopback {
            throw WhenceError(
                .invalidArgument,
                "this address can be reached from other machines, and there is no \(missing.joined(separator: " and no "))",
                place: "\(address)",
                hint:
                    "set tls.certificate, tls.key and users; or listen on 127.0.0.1; or, where everyone who can connect may read, write and "
                    + "erase everything, add --insecure-listen-without-tls-and-authentication")
        }
    }

    /// Whether the HTTP port is guarded like the protocol's: beyond loopback it is.
    public var guardsHTTP: Bool { http.map { !$0.isLoopback } ?? false }
}

/// The settings under `tls`, as they are written.
struct TLSFileSettings: Sendable, Equatable {
    var certificate: String?
    var key: String?
    var clientAuthorities: String?
    /// Empty: `required` where there are authorities, else `none`.
    var clientCertificates = ""

    func files() throws(WhenceError) -> TLSConfigurationFiles? {
        func refuse(_ place: String, _ message: String) -> WhenceError { WhenceError(.invalidArgument, message, place: place) }
        let choice = TLSConfigurationFiles.ClientCertificates(rawValue: clientCertificates)
        guard let certificate, let key else {
            if certificate != nil { throw refuse("tls.key", "there is a certificate, and its key is not named") }
            if key != nil { throw refuse("tls.certificate", "there is a key, and its certificate is not named") }
            if clientAuthorities != nil || choice.map({ $0 != .none }) ?? false {
                throw refuse("tls.certificate", "client certificates need TLS, and no certificate of the server is named")
            }
            return nil
        }
        let files = TLSConfigurationFiles(
            certificateChain: certificate, privateKey: key, clientAuthorities: clientAuthorities, clientCertificates: choice)
        if files.clientCertificates != .none, clientAuthorities == nil {
            throw refuse("tls.client_authorities", "client certificates are asked for, and no authority that signs them is named")
        }
        return files
    }
}

/// How the log is written.
public struct LogSettings: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable {
        /// One line for people.
        case text
        /// One JSON object a line, for programs.
        case json
    }

    static let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    /// The least level that is written: trace, debug, info, notice, warning, error or critical.
    public var level = "info"
    public var format = Format.text

    public init() {}
}

/// The files of a server's TLS, read at the start and again on SIGHUP.
public struct TLSConfigurationFiles: Sendable, Equatable {
    /// Whether clients have to show a certificate of their own.
    public enum ClientCertificates: String, Sendable, CaseIterable {
        /// They are not asked for one.
        case none
        /// One that is shown is verified, and names the user for the mechanism `CERTIFICATE`.
        case optional
        /// Without one there is no connection.
        case required
    }

    /// The server's certificate, then those that lead to its authority (PEM).
    public var certificateChain: String
    /// The private key of the first certificate (PEM).
    public var privateKey: String
    /// The authorities that sign clients' certificates (PEM); nil: clients are not asked for one.
    public var clientAuthorities: String?
    public var clientCertificates: ClientCertificates

    public init(
        certificateChain: String, privateKey: String, clientAuthorities: String? = nil, clientCertificates: ClientCertificates? = nil
    ) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.clientAuthorities = clientAuthorities
        self.clientCertificates = clientCertificates ?? (clientAuthorities == nil ? .none : .required)
    }
}
