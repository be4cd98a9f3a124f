import Crypto
import Foundation
import SwiftASN1
import X509

/// Certificates for tests, made on the spot: nothing expires in the tree, and nothing has to be installed.
public struct CertificateMaker {
    private let key = P256.Signing.PrivateKey()
    private let certificate: Certificate

    /// An authority that signs itself.
    public init(authority name: String) throws {
        let key = Certificate.PrivateKey(key)
        let subject = try DistinguishedName { CommonName(name) }
        certificate = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: key.publicKey, notValidBefore: Date(timeIntervalSinceNow: -86_400),
            notValidAfter: Date(timeIntervalSinceNow: 86_400), issuer: subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
                Critical(KeyUsage(keyCertSign: true))
            }, issuerPrivateKey: key)
    }

    /// A certificate for `commonName` that this authority signs, and its key, both in PEM.
    public func issue(
        _ commonName: String, hosts: [String] = [], from begin: TimeInterval = -3_600, to end: TimeInterval = 3_600
    ) throws -> (certificate: String, key: String) {
        let ownKey = P256.Signing.PrivateKey()
        let issued = try Certificate(
            version: .v3, serialNumber: .init(), publicKey: Certificate.PrivateKey(ownKey).publicKey,
            notValidBefore: Date(timeIntervalSinceNow: begin), notValidAfter: Date(timeIntervalSinceNow: end), issuer: certificate.subject,
            subject: try DistinguishedName { CommonName(commonName) }, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames((hosts.isEmpty ? [commonName] : hosts).map { .dnsName($0) })
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return (try issued.serializeAsPEM().pemString, ownKey.pemRepresentation)
    }

    public func pem() throws -> String { try certificate.serializeAsPEM().pemString }
}
