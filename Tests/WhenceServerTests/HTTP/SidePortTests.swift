import Foundation
import Logging
import NIOCore
import NIOPosix
import StoreFixtures
import Synchronization
import Testing
import WhenceCore

@testable import WhenceServer

@Suite("The HTTP port", .timeLimit(.minutes(1))) struct SidePortTests {
    private final class Side: Sendable {
        let health = ServerHealth()
        let isDraining = Mutex(false)
        let readOnly = Mutex<String?>(nil)
        let server: SideServer
        let port: Int

        init(access: AccessControl = AccessControl(), needsToken: Bool = false, timeLimit: TimeAmount = .seconds(5)) throws {
            let pages = SidePages(metrics: ServerMetrics(), health: health, access: access, needsToken: needsToken, keepTime: .zero)
            server = SideServer(
                address: ListenAddress(host: "127.0.0.1", port: 0), pages: pages, tls: nil, logger: Logger(label: "test"),
                timeLimit: timeLimit)
            port = try server.start().port
        }

        func ready() {
            health.begin { [self] in
                isDraining.withLock { $0 }
            } readOnlyReason: { [self] in
                readOnly.withLock { $0 }
            }
        }

        /// Sends `text` and returns everything that comes until the server closes.
        func talk(_ text: String) throws -> String {
            let client = try RawClient(port: port, opens: false)
            try client.send(bytes: Array(text.utf8))
            return client.rest()
        }

        func get(_ path: String, _ headers: String = "", method: String = "GET") throws -> String {
            try talk("\(method) \(path) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
        }
    }

    @Test("alive from the start, ready when requests are answered, and no longer when it drains") func health() async throws {
        let side = try Side()
        #expect(try side.get("/healthz").hasPrefix("HTTP/1.1 200"))
        #expect(try side.get("/readyz").hasPrefix("HTTP/1.1 503"))
        side.ready()
        #expect(try side.get("/readyz").hasSuffix("\r\n\r\nready\n"))
        side.readOnly.withLock { $0 = "diskFull" }
        let readOnly = try side.get("/readyz")
        #expect(readOnly.hasPrefix("HTTP/1.1 200") && readOnly.hasSuffix("read only: diskFull\n"))
        side.isDraining.withLock { $0 = true }
        #expect(try side.get("/readyz").hasPrefix("HTTP/1.1 503"))
        #expect(try side.get("/healthz").hasPrefix("HTTP/1.1 200"))
        await side.server.stop()
    }

    @Test("the metrics are a page that parses, with its type, and HEAD has no body") func metrics() async throws {
        let side = try Side()
        let answer = try side.get("/metrics")
        let parts = try #require(answer.firstRange(of: "\r\n\r\n"))
        let head = answer[..<parts.lowerBound]
        let body = String(answer[parts.upperBound...])
        #expect(
            head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8") && head.contains("Content-Length: \(body.utf8.count)"))
        #expect(try ExpositionParser(body).value("whence_connections") == 0)
        #expect(try side.get("/metrics", method: "HEAD").hasSuffix("\r\n\r\n"))
        #expect(try side.get("/metrics?x=1").hasPrefix("HTTP/1.1 200"))
        await side.server.stop()
    }

    @Test("everything else is refused") func refusals() async throws {
        let side = try Side()
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            #expect(try side.get("/metrics", method: method).hasPrefix("HTTP/1.1 405"), "\(method)")
        }
        #expect(try side.get("/").hasPrefix("HTTP/1.1 404"))
        #expect(try side.get("/../etc/passwd").hasPrefix("HTTP/1.1 404"))
        #expect(try side.get("/" + String(repeating: "a", count: 2_000)).hasPrefix("HTTP/1.1 400"))
        let rubbish = try side.talk("\u{16}\u{3}\u{1}rubbish\r\n\r\n")
        #expect(rubbish.isEmpty || rubbish.hasPrefix("HTTP/1.1 400"))
        let large = try side.get("/healthz", "X: " + String(repeating: "a", count: 200_000) + "\r\n")
        #expect(large.isEmpty || !large.hasPrefix("HTTP/1.1 200"))
        // One request a connection: what comes behind it is not answered.
        let two = try side.talk("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(two.ranges(of: "HTTP/1.1 200").count == 1)
        #expect(try side.get("/healthz").hasPrefix("HTTP/1.1 200"))
        await side.server.stop()
    }

    @Test("a client that trickles, or says nothing, is cut off") func slow() async throws {
        let side = try Side(timeLimit: .milliseconds(300))
        let silent = try RawClient(port: side.port, opens: false)
        let trickling = try RawClient(port: side.port, opens: false)
        for byte in "GET / HT".utf8 {
            guard (try? trickling.send(bytes: [byte])) != nil else { break }
            try await Task.sleep(for: .milliseconds(60))
        }
        #expect(silent.rest().isEmpty && trickling.rest().isEmpty)
        await side.server.stop()
    }

    @Test("more connections than there is room for are closed, and room comes back") func crowd() async throws {
        let side = try Side()
        var crowd = try (0..<SideServer.connectionLimit).map { _ in try RawClient(port: side.port, opens: false) }
        // They are all taken once the last of them is.
        try await Task.sleep(for: .milliseconds(200))
        let turnedAway = try RawClient(port: side.port, opens: false)
        #expect(turnedAway.rest().isEmpty)
        crowd.removeAll()
        var answer = ""
        for _ in 0..<100 where !answer.hasPrefix("HTTP/1.1 200") {
            answer = (try? side.get("/healthz")) ?? ""
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        await side.server.stop()
    }

    @Test("where others can reach it, the metrics take a token, and health does not") func tokens() async throws {
        let guarded = try GuardedAccess()
        let side = try Side(access: guarded.access, needsToken: true)
        #expect(try side.get("/healthz").hasPrefix("HTTP/1.1 200"))
        for headers in [
            "", "Authorization: Bearer x\r\n", "Authorization: Basic abc\r\n", "Authorization: Bearer \(BearerToken().text)\r\n",
        ] {
            #expect(try side.get("/metrics", headers).hasPrefix("HTTP/1.1 401"))
        }
        #expect(try side.get("/metrics", "Authorization: Bearer \(guarded.token.text)\r\n").hasPrefix("HTTP/1.1 200"))
        await side.server.stop()
    }
}

extension RawClient {
    /// Everything that comes until the server closes, as text.
    func rest() -> String {
        var all: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe recv(socket, &bytes, bytes.count, 0)
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all += bytes[..<count]
        }
    }
}
