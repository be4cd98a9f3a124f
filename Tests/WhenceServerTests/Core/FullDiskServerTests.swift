import Foundation
import StoreFixtures
import Testing
import WhenceCore
import WhenceEngine
import WhenceProtocol

@testable import WhenceServer

/// A disk that fills up under a server: reads go on, writes are refused with advice, and are taken again when there is space.
@Suite("A server on a full disk", .serialized) struct FullDiskServerTests {
    private func notes(_ drivers: Range<Int64>, _ random: inout SplitRandom) throws -> ColumnBatch {
        let builder = ColumnBuilder(.string)
        for _ in drivers { try builder.append(.string((0..<40).map { _ in String(random.next(), radix: 36) }.joined())) }
        let trips = Tables.trips(drivers)
        return ColumnBatch(
            names: ["driver", "event_time", "note"], columns: [trips.columns[0], trips.columns[1], try builder.finish()],
            count: drivers.count)
    }

    @Test("read-only until there is space", .enabled(if: MountedDirectory.isPermitted, "needs the right to mount a file system"))
    func fullDisk() async throws {
        let disk = try MountedDirectory(megabytes: 24)
        let server = try await TestServer(in: disk.path + "/store")
        let ballast = disk.path + "/ballast"
        try Data(count: 10 << 20).write(to: URL(filePath: ballast))
        let client = try server.client()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitRandom(seed)
        var acknowledged: Int64 = 0
        var failure: WhenceError?
        // 100 rows of 500 bytes at a time: 20 MiB in all, twice what there is.
        for _ in 0..<400 {
            do {
                let _: Committed = try client.ask(
                    Tables.write(try notes(acknowledged..<acknowledged + 100, &random), key: "n\(acknowledged)"))
                acknowledged += 100
            } catch let error as WhenceError {
                failure = error
                break
            }
        }
        #expect(failure?.code == .diskFull && failure?.isRetryable == true, "seed \(seed): \(String(describing: failure))")
        var refused: WhenceError?
        do {
            let _: Committed = try client.ask(Tables.write(try notes(0..<1, &random), key: "refused"))
        } catch let error as WhenceError { refused = error }
        #expect(refused?.code == .readOnly && refused?.isRetryable == true && refused?.retryAfter != nil, "\(String(describing: refused))")
        #expect(server.server.readOnlyCause != nil)

        let question = try PreparedQuestion(
            OnlineQuestion(.features(["trips.note"]), keys: BatchSchema(names: ["driver"], types: [.int64])))
        func read(_ driver: Int64) throws -> Value {
            let answer: OnlineAnswer = try client.ask(
                OnlineRead(timeout: nil, knownSchema: 0, question: question, entities: Tables.drivers([driver])))
            return answer.features.columns[0].value(0)
        }
        #expect(try read(5) != .null)
        #expect(try read(acknowledged - 1) != .null)

        try FileManager.default.removeItem(atPath: ballast)
        var isBack = false
        for _ in 0..<150 where !isBack {
            do {
                let _: Committed = try client.ask(
                    Tables.write(try notes(acknowledged..<acknowledged + 100, &random), key: "n\(acknowledged)"))
                isBack = true
            } catch let error as WhenceError {
                #expect(error.isRetryable, "\(error)")
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        #expect(isBack, "seed \(seed)")
        #expect(server.server.readOnlyCause == nil)
        for driver in stride(from: Int64(0), to: acknowledged + 100, by: 7) { #expect(try read(driver) != .null) }
        client.close()
        await server.server.shutDown()
    }
}
