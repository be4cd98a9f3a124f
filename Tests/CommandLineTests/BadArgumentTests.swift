import Foundation
import Testing

@Suite("Bad arguments")
struct BadArgumentTests {
    @Test("join keys that are missing, unknown, twice or of the wrong type")
    func joinKeys() throws {
        let work = try Airports.workspace()
        for (entity, message) in [
            ("origin=JFK", "the join key 'tail' is missing"), ("origin=JFK,tail=1,dest=LGA", "there is no join key 'dest'"),
            ("origin=JFK,tail=1,tail=2", "the join key 'tail' is given twice"), ("origin=JFK,tail=N14228", "N14228"),
        ] {
            let answer = try work.onStore("get", "departure", "--entity", entity, "--json")
            #expect(answer.code == 1)
            #expect(answer.error["name"] as? String == "invalidKey")
            #expect((answer.error["place"] as? String ?? "").hasPrefix("--entity \(entity)"))
            #expect((answer.error["message"] as? String ?? "").contains(message), "\(answer.err)")
            #expect((answer.error["hint"] as? String)?.isEmpty == false)
        }
    }

    @Test("wrong usage ends with exit code 2")
    func usage() throws {
        let work = try Airports.workspace()
        for arguments in [
            ["get", "departure"], ["get", "departure", "--entity", "origin"], ["frobnicate"], ["ingest", "planes", "rows.xls"],
            ["get", "departure", "--entity", "origin=JFK,tail=1", "--as-of", "2013-01-01"],
            ["join", "--service", "departure", "--out", "-"],
            ["scan", "weather"], ["join", "--features", "weather.temp", "--spine", "-", "--out", "-", "--no-spill", "--spill-dir", "."],
            ["ingest", "planes", "-", "--batch-rows", "0"], ["admin", "retain", "--before", "2013-01-01T00:00:00Z"],
            ["ingest", "planes", "-", "--idempotency-key", ""],
            ["ingest", "planes", "-", "--idempotency-key", String(repeating: "k", count: 89)],
        ] {
            let process = work.process(arguments + ["--data", "store", "--json"])
            let pipe = Pipe()
            process.standardError = pipe
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            let said = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 2, "\(arguments)")
            let json = try JSONSerialization.jsonObject(with: said) as? [String: [String: Any]]
            #expect(json?["error"]?["message"] as? String != nil, "\(arguments)")
        }
        #expect(try work.whence("--version").code == 0)
        #expect(try work.whence("ingest", "--help").out.contains("Example: whence ingest"))
    }

    @Test("names that do not exist come with the nearest that does")
    func names() throws {
        let work = try Airports.workspace()
        let view = try work.onStore("ingest", "plane", "-")
        #expect(view.code == 1 && view.err.contains("did you mean 'planes'?"))
        let service = try work.onStore("get", "departures", "--entity", "tail=1")
        #expect(service.code == 1 && service.err.contains("did you mean 'departure'?"))
        let feature = try work.onStore("get", "--features", "planes.seat", "--entity", "tail=1")
        #expect(feature.code == 1 && feature.err.contains("did you mean 'seats'?"))
    }

    @Test("reading makes no store")
    func noStore() throws {
        let work = try Workspace()
        for arguments in [
            ["get", "x", "--entity", "a=1"], ["history", "x", "--entity", "a=1"], ["admin", "stats"], ["catalog", "list"],
            ["ingest", "x", "-"],
        ] {
            let process = work.process(arguments + ["--data", "store"])
            process.standardError = FileHandle.nullDevice
            process.standardInput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
        }
        #expect(!work.exists("store"))
    }
}
