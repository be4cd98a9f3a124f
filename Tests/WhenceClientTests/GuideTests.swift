import Foundation
import StoreFixtures
import Testing
import WhenceClient
import WhenceCore
import WhenceProtocol
import WhenceServer

/// The examples of `docs/clients/swift.md`, in its order and its words.
@Suite(.timeLimit(.minutes(2))) struct GuideTests {
    @Test func theExamplesRun() async throws {
        let running = try await RunningServer()
        let port = running.port

        let client = try await WhenceClient.connect(ClientConfiguration(address: "127.0.0.1:\(port)"))
        let time = try await client.ping()
        #expect(time.isInRange)

        _ = try await client.apply([
            DefinitionText(
                name: "trips.yaml",
                yaml: """
                    entities:
                      - { name: driver, join_keys: [{ name: driver, type: int64 }] }
                    views:
                      - name: trips
                        entity: driver
                        features: [{ name: count, type: int64 }, { name: rating, type: float64 }]
                    services:
                      - name: dispatch
                        features: [{ view: trips, prefix: "" }]
                    """)
        ])

        let driver = ColumnBuilder(.int64)
        let at = ColumnBuilder(.timestamp)
        let count = ColumnBuilder(.int64)
        for id in 1...3 as ClosedRange<Int64> {
            driver.append(fixed: id)
            at.append(fixed: Int64(1_700_000_000_000_000))
            count.append(fixed: id * 10)
        }
        let rows = ColumnBatch(
            names: ["driver", "event_time", "count"], columns: [try driver.finish(), try at.finish(), try count.finish()], count: 3)
        let committed = try await client.write([WritePart(view: "trips", eventTime: "event_time", rows: rows)])
        #expect(committed.rows == 3)
        let loaded = try await client.writeInPieces(
            WritePart(view: "trips", eventTime: "event_time", rows: rows), idempotencyKey: Array("load-7".utf8))
        #expect(loaded.rows == 3)

        let dispatch = try client.prepare(.service("dispatch"), keys: BatchSchema(names: ["driver"], types: [.int64]), ages: true)

        let wanted = ColumnBuilder(.int64)
        for id in [3, 1, 99] as [Int64] { wanted.append(fixed: id) }
        let drivers = ColumnBatch(names: ["driver"], columns: [try wanted.finish()], count: 3)

        let answer = try await dispatch.read(drivers, timeout: .seconds(50))
        let counts = answer.features.column(named: "count")
        let first = counts?.value(0)  // .int64(30)
        let missing = counts?.value(2)  // .null: nothing is known of driver 99
        #expect(first == .int64(30) && missing == .null)

        let label = ColumnBuilder(.bool)
        let when = ColumnBuilder(.timestamp)
        let who = ColumnBuilder(.int64)
        for id in 1...3 as ClosedRange<Int64> {
            who.append(fixed: id)
            when.append(fixed: Int64(1_700_000_000_000_000) + id)
            label.append(fixed: UInt8(1))
        }
        let spine = ColumnBatch(
            names: ["driver", "event_time", "late"], columns: [try who.finish(), try when.finish(), try label.finish()], count: 3)

        let stream = try await client.join(.service("dispatch"), spine: spine)
        let knownAt = stream.knownAt  // pass it as knownAt: to read the same again, whatever is written meanwhile
        for try await batch in stream {
            print(batch.count, batch.names)  // 3 ["driver", "event_time", "late", "count", "rating"]
        }
        #expect(knownAt != nil)
        let again = try await client.join(.service("dispatch"), spine: spine, knownAt: knownAt).collect()
        #expect(again.map(\.names) == [["driver", "event_time", "late", "count", "rating"]])
        #expect(
            again.values("count") == [.int64(10), .int64(20), .int64(30)]
                && again.values("late") == [.bool(true), .bool(true), .bool(true)])

        do {
            _ = try await client.show("trip")
        } catch {
            print(error.code, error)  // notFound …
            #expect(error.code == .notFound)
        }
        await client.close()
        await running.server.shutDown()
    }

    /// A server beyond this machine: with TLS, and with users.
    @Test func theGuardedExamplesRun() async throws {
        let guarded = try await GuardedServer(mutual: true, certificates: .optional)
        let etc = guarded.running.scratch.path("")
        try guarded.authority.issue("app", to: guarded.running.scratch.path("app"))
        let (port, token, password) = (guarded.running.port, guarded.token, GuardedServer.password)

        var configuration = try ClientConfiguration(address: "localhost:\(port)")
        configuration.tls = ClientTLS(trustedCertificates: "\(etc)/authority.pem")
        configuration.credentials = .token(token)
        let service = try await WhenceClient.connect(configuration)

        configuration.credentials = .password(user: "ann", password: password)  // SCRAM-SHA-256: the password is never sent
        let ann = try await WhenceClient.connect(configuration)
        let user = try await ann.identity().user  // ann

        configuration.tls?.certificate = "\(etc)/app.pem"
        configuration.tls?.privateKey = "\(etc)/app.key"
        configuration.credentials = .certificate
        let app = try await WhenceClient.connect(configuration)

        #expect(user == "ann")
        let byToken = try await service.identity()
        #expect(byToken.user == "app")
        let identity = try await app.identity()
        #expect(identity.user == "app" && identity.roles == ["admin"])
        // Whoever does not trust the authority, or asks for another name, does not get in.
        configuration.tls?.serverName = "features.example.com"
        do {
            _ = try await WhenceClient.connect(configuration)
            Issue.record("a server of another name was taken")
        } catch {
            #expect(error.code == .connectionLost && error.message.contains("TLS"))
        }
        for client in [service, ann, app] { await client.close() }
        await guarded.running.server.shutDown()
    }

    /// Every line of code of the page is one of this file.
    @Test func thePageSaysWhatIsTested() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/clients/swift.md"), encoding: .utf8)
        let source = try String(contentsOfFile: #filePath, encoding: .utf8)
        func plain(_ line: Substring) -> String {
            line.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
                .replacing("127.0.0.1:9462", with: "127.0.0.1:\\(port)").replacing(".milliseconds(50)", with: ".seconds(50)")
                .replacing("features.example.com:9462", with: "localhost:\\(port)").replacing("/etc/whence/", with: "\\(etc)/")
        }
        let tested = Set(source.split(separator: "\n").map(plain))
        var isCode = false
        var lines = 0
        for line in page.split(separator: "\n") {
            if line.hasPrefix("```") {
                isCode = line == "```swift"
            } else if isCode {
                lines += 1
                #expect(tested.contains(plain(line)), "\(line)")
            }
        }
        #expect(lines > 60)
    }
}
