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
    /// Certificates; nil: connections are not encrypted.
    public var tls: TLSConfigurationFiles?
    /// The file of users and tokens (`Formats/users.md`); nil: whoever connects may do everything.
    public var users: String?
    /// Where administrative acts and refusals are recorded; nil: nowhere but in the log.
    public var auditLog: String?
    public var limits = ServerLimits()
    /// A request that takes longer is logged, with where its time went; nil: none is.
    public var slowRequest: Duration? = .seconds(1)
    public var log = LogSettings()
    /// Whether the server may listen beyond loopback without TLS or without users.
    public var allowsInsecureListening = false

    public init() {}
}

/// How the log is written.
public struct LogSettings: Sendable, Equatable {
    public enum Format: String, Sendable, CaseIterable {
        /// One line for people.
        case text
        /// One JSON object a line, for programs.
        case json
    }

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
