import Foundation
import NIOCore
import NIOSSL
import SwiftASN1
import Synchronization
import WhenceCore
import X509

/// The server's side of TLS: certificates from files, read again on request. TLS 1.2 or later, with NIOSSL's choice of ciphers.
public final class ServerTLS: Sendable {
    private let files: TLSConfigurationFiles
    private let context: Mutex<NIOSSLContext>

    /// Throws where a file cannot be read, is no certificate or key, or the two do not belong together.
    public init(_ files: TLSConfigurationFiles) throws(WhenceError) {
        self.files = files
        context = Mutex(try Self.makeContext(files))
    }

    /// Whether clients may show certificates.
    public var acceptsCertificates: Bool { files.clientCertificates != .none }

    /// A handler for a connection that was just accepted; the first one of its pipeline.
    public func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context.withLock { $0 }) }

    /// Reads the files again. Connections that are open keep what they began with; on an error everything stays as it is.
    public func reload() throws(WhenceError) {
        let new = try Self.makeContext(files)
        context.withLock { $0 = new }
    }

    /// The common name of the certificate that the client showed and that was verified; nil where there is none, or more than one. Call it on
    /// the channel's event loop, after the handshake.
    public static func clientName(of channel: any Channel) -> String? {
        guard let handler = try? channel.pipeline.syncOperations.handler(type: NIOSSLServerHandler.self),
            let shown = handler.peerCertificate, let bytes = try? shown.toDERBytes(), let certificate = try? Certificate(derEncoded: bytes)
        else { return nil }
        let names = certificate.subject.flatMap { $0 }.filter { $0.type == .RDNAttributeType.commonName }
        guard names.count == 1, let name = names.first.flatMap({ String($0.value) }) else { return nil }
        return User.isName(name) ? name : nil
    }

    /// Whether an error ended a handshake.
    static func isRefusal(_ error: any Error) -> Bool {
        if case .handshakeFailed? = error as? NIOSSLError { return true }
        return error is BoringSSLError || error is NIOSSLExtraError
    }

    /// What BoringSSL calls the reason, as `CERTIFICATE_VERIFY_FAILED`: nothing that a client sent, and no places of its source.
    static func reason(_ error: any Error) -> String {
        "\(error)".matches(of: /[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+/).map { String($0.output) }.first ?? "unknown"
    }

    private static func makeContext(_ files: TLSConfigurationFiles) throws(WhenceError) -> NIOSSLContext {
        let chain = try certificates(files.certificateChain)
        guard !chain.isEmpty else { throw empty(files.certificateChain) }
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(file: files.privateKey, format: .pem)
        } catch {
            throw unreadable(files.privateKey, "private key")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        if files.clientCertificates != .none {
            guard let path = files.clientAuthorities else {
                throw WhenceError(
                    .invalidArgument, "client certificates are asked for, and no authority is named", place: "tls.client_authorities",
                    hint: "name a file of certificates that sign those of clients")
            }
            let authorities = try certificates(path)
            guard !authorities.isEmpty else { throw empty(path) }
            configuration.trustRoots = .certificates(authorities)
            configuration.certificateVerification = files.clientCertificates == .required ? .noHostnameVerification : .optionalVerification
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw WhenceError(
                .invalidArgument,
                "the private key in \(files.privateKey) does not belong to the first certificate, or one of them cannot be used",
                place: files.certificateChain, hint: "put the server's own certificate first, and name its key")
        }
    }

    /// Throws where the server's own certificate, the first of a file, is not valid at `time`: clients would refuse it.
    static func checkValidity(_ path: String, at time: Timestamp) throws(WhenceError) {
        guard let bytes = try certificates(path).first.flatMap({ try? $0.toDERBytes() }), let own = try? Certificate(derEncoded: bytes)
        else {
            throw unreadable(path, "certificate")
        }
        let seconds = Double(time.microseconds) / 1e6
        let (begin, end) = (own.notValidBefore.timeIntervalSince1970, own.notValidAfter.timeIntervalSince1970)
        guard seconds < begin || seconds > end else { return }
        let moment = Timestamp(microseconds: Int64((seconds < begin ? begin : end) * 1e6))
        throw WhenceError(
            .invalidArgument,
            seconds < begin ? "the server's certificate is valid from \(moment) on" : "the server's certificate has expired, at \(moment)",
            place: path, hint: "clients refuse it: get one that is valid")
    }

    private static func certificates(_ path: String) throws(WhenceError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.fromPEMFile(path)
        } catch {
            throw unreadable(path, "certificates")
        }
    }

    /// Without the library's own words: they are for those who wrote it.
    private static func unreadable(_ path: String, _ what: String) -> WhenceError {
        WhenceError(.invalidArgument, "cannot read the \(what)", place: path, hint: "name a file in PEM that the server's user may read")
    }

    private static func empty(_ path: String) -> WhenceError {
        WhenceError(.invalidArgument, "there is no certificate in the file", place: path, hint: "name a file in PEM")
    }
}
