import Crypto
import Foundation
import StoreFixtures
import Testing
import WhenceCore

@testable import WhenceServer

@Suite("SCRAM-SHA-256") struct ScramTests {
    /// The example of RFC 7677, section 3: user `user`, password `pencil`.
    private static let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    private static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    private static let final =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    private static let salt = Array(Data(base64Encoded: "W22ZaJ0SNY7soEsUEjb6gQ==") ?? Data())

    private static func credential(_ password: String = "pencil") -> ScramCredential {
        ScramCredential(password: Array(password.utf8), salt: salt, iterations: 4_096)
    }

    @Test("the example of RFC 7677") func example() throws {
        let conversation = try #require(ScramConversation(clientFirst: Array(Self.first.utf8)))
        #expect(conversation.user == "user")
        #expect(
            conversation.challenge(Self.credential(), serverNonce: Self.serverNonce)
                == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        #expect(
            conversation.conclude(clientFinal: Array(Self.final.utf8), Self.credential(), serverNonce: Self.serverNonce)
                == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    }

    @Test("another password, another nonce, and every changed byte of the proof are refused") func wrong() throws {
        let conversation = try #require(ScramConversation(clientFirst: Array(Self.first.utf8)))
        let final = Array(Self.final.utf8)
        let credential = Self.credential()
        #expect(conversation.conclude(clientFinal: final, Self.credential("pencil2"), serverNonce: Self.serverNonce) == nil)
        #expect(conversation.conclude(clientFinal: final, credential, serverNonce: "other") == nil)
        for index in final.indices {
            var changed = final
            changed[index] ^= 1
            #expect(conversation.conclude(clientFinal: changed, credential, serverNonce: Self.serverNonce) == nil)
            #expect(conversation.conclude(clientFinal: Array(final.prefix(index)), credential, serverNonce: Self.serverNonce) == nil)
        }
    }

    @Test(
        "messages that are none",
        arguments: [
            "", "n", "n,,", "n,,n=user", "n,,n=,r=abc", "n,,n=user,r=", "p=tls-unique,,n=user,r=abc", "n,a=admin,n=user,r=abc",
            "n,,m=ext,n=user,r=abc", "n,,n=us=er,r=abc", "n,,r=abc,n=user", "n,,n=user,r=a\u{7F}b", "x,,n=user,r=abc",
            "n,,n=user,r=" + String(repeating: "a", count: 2_000),
        ])
    func malformed(text: String) { #expect(ScramConversation(clientFirst: Array(text.utf8)) == nil) }

    @Test("a name may have commas and equals signs, written as =2C and =3D") func escapes() {
        #expect(ScramConversation(clientFirst: Array("n,,n=a=2Cb=3Dc,r=x".utf8))?.user == "a,b=c")
    }

    @Test("what is stored is read back, and is not the password") func stored() throws {
        let credential = ScramCredential(password: Array("correct horse".utf8), salt: RandomBytes.make(16), iterations: 4_096)
        #expect(ScramCredential(text: credential.text) == credential)
        #expect(!credential.text.contains("correct"))
        for text in [
            "", "SCRAM-SHA-256$4095:AAAAAAAAAAA=$A:A", "SCRAM-SHA-1$4096:x$y:z", credential.text + "$", String(credential.text.dropLast()),
        ] {
            #expect(ScramCredential(text: text) == nil)
        }
    }
}

/// A client's side of SCRAM, written from RFC 5802 for the tests.
struct ScramClient {
    let user: String
    let password: String
    let nonce = "abcdefghijklmnop"

    var first: [UInt8] { Array("n,,n=\(user),r=\(nonce)".utf8) }

    /// client-final-message for the server's first, and the signature that the server must answer with.
    func final(_ challenge: [UInt8]) throws -> (message: [UInt8], signature: String) {
        let text = String(decoding: challenge, as: UTF8.self)
        let parts = text.split(separator: ",").map(String.init)
        let salt = try #require(Data(base64Encoded: String(parts[1].dropFirst(2))))
        let iterations = try #require(Int(parts[2].dropFirst(2)))
        let salted = SymmetricKey(
            data: ScramCredential.saltedPassword(Array(password.utf8), salt: Array(salt), iterations: iterations))
        let clientKey = Array(HMAC<SHA256>.authenticationCode(for: Array("Client Key".utf8), using: salted))
        let withoutProof = "c=biws,\(parts[0])"
        let message = Array("n=\(user),r=\(nonce),\(text),\(withoutProof)".utf8)
        let storedKey = SymmetricKey(data: Array(SHA256.hash(data: clientKey)))
        let proof = zip(clientKey, HMAC<SHA256>.authenticationCode(for: message, using: storedKey)).map { $0 ^ $1 }
        let serverKey = SymmetricKey(data: Array(HMAC<SHA256>.authenticationCode(for: Array("Server Key".utf8), using: salted)))
        let signature = Data(HMAC<SHA256>.authenticationCode(for: message, using: serverKey)).base64EncodedString()
        return (Array("\(withoutProof),p=\(Data(proof).base64EncodedString())".utf8), "v=\(signature)")
    }
}
