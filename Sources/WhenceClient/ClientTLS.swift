import NIOSSL
import WhenceCore

/// TLS towards a server: 1.2 or later, the certificate and its name always verified.
public struct ClientTLS: Sendable {
    /// A PEM file of certificates that are trusted; nil for the system's.
    public var trustedCertificates: String?
    /// A PEM file of the client's own certificate and those that lead to a trusted one; nil for none.
    public var certificate: String?
    /// A PEM file of its private key.
    public var privateKey: String?
    /// The name that the server's certificate must have; nil for the host that is connected to.
    public var serverName: String?

    public init(
        trustedCertificates: String? = nil, certificate: String? = nil, privateKey: String? = nil, serverName: String? = nil
    ) {
        self.trustedCertificates = trustedCertificates
        self.certificate = certificate
        self.privateKey = privateKey
        self.serverName = serverName
    }

    /// Reads the files. Throws `invalidArgument` for one that is missing or no PEM.
    func makeContext() throws(WhenceError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        if let trustedCertificates {
            let certificates = try ClientTLS.read(trustedCertificates, "trusted certificates") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.trustRoots = .certificates(certificates)
        }
        guard (certificate == nil) == (privateKey == nil) else {
            throw WhenceError(.invalidArgument, "a certificate and its private key are given together, or neither")
        }
        if let certificate, let privateKey {
            let chain = try ClientTLS.read(certificate, "certificate") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.certificateChain = chain.map { .certificate($0) }
            let key = try ClientTLS.read(privateKey, "private key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
            configuration.privateKey = .privateKey(key)
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw WhenceError(.invalidArgument, "the certificates cannot be used: \(error)")
        }
    }

    private static func read<T>(_ path: String, _ what: String, _ body: (String) throws -> T) throws(WhenceError) -> T {
        do {
            return try body(path)
        } catch {
            throw WhenceError(.invalidArgument, "the \(what) cannot be read: \(error)", place: path, hint: "give a file in PEM format")
        }
    }
}
