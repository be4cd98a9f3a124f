import CertificateFixtures
import Foundation
import StoreFixtures
import WhenceClient

@testable import WhenceServer

/// An authority whose certificates are in files, as the client takes them.
struct TestAuthority {
    private let maker: CertificateMaker

    init() throws { maker = try CertificateMaker(authority: "test authority") }

    func write(to path: String) throws { try maker.pem().write(toFile: path, atomically: true, encoding: .utf8) }

    /// Writes a certificate for `name` to `path.pem`, its key to `path.key`.
    func issue(_ name: String, to path: String, validFor seconds: TimeInterval = 3_600) throws {
        let issued = try maker.issue(name, from: -7_200, to: seconds)
        try issued.certificate.write(toFile: path + ".pem", atomically: true, encoding: .utf8)
        try issued.key.write(toFile: path + ".key", atomically: true, encoding: .utf8)
    }
}

/// A server behind TLS with the users `ann` (reader, with a password) and `app` (admin, by token or certificate).
struct GuardedServer {
    static let password = "correct horse battery"

    let running: RunningServer
    let authority: TestAuthority
    let token: String

    init(
        name: String = "localhost", validFor seconds: TimeInterval = 3_600, mutual: Bool = false,
        certificates: TLSConfigurationFiles.ClientCertificates = .required,
        throttle: LoginThrottle = LoginThrottle()
    ) async throws {
        let authority = try TestAuthority()
        var token = ""
        running = try await RunningServer(guarded: { scratch in
            try authority.write(to: scratch.path("authority.pem"))
            try authority.issue(name, to: scratch.path("server"), validFor: seconds)
            let users = UserAdministration(file: scratch.path("users.yaml"), iterations: 4_096)
            try users.add("ann", password: GuardedServer.password, grants: ["reader"])
            try users.add("app", password: nil, grants: ["admin"])
            token = try users.makeToken(for: "app", label: "test", lifetime: .seconds(3600)).text
            let files = TLSConfigurationFiles(
                certificateChain: scratch.path("server.pem"), privateKey: scratch.path("server.key"),
                clientAuthorities: mutual ? scratch.path("authority.pem") : nil, clientCertificates: mutual ? certificates : nil)
            let access = try AccessControl(
                users: scratch.path("users.yaml"), acceptsCertificates: mutual, audit: AuditLog(path: scratch.path("audit.jsonl")),
                throttle: throttle)
            return (access, try ServerTLS(files))
        })
        self.authority = authority
        self.token = token
    }

    func configuration(_ credentials: Credentials, name: String? = "localhost", certificate: String? = nil) -> ClientConfiguration {
        var configuration = running.configuration
        configuration.credentials = credentials
        let scratch = running.scratch
        configuration.tls = ClientTLS(
            trustedCertificates: scratch.path("authority.pem"), certificate: certificate.map { scratch.path($0 + ".pem") },
            privateKey: certificate.map { scratch.path($0 + ".key") }, serverName: name)
        return configuration
    }
}
