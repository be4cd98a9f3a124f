import Foundation
import Testing

/// Spines from files: what they may hold, and what is said of those that hold something else.
@Suite("Spine files")
struct SpineFileTests {
    static let select = ["join", "--features", "planes.seats", "--data", "store", "--spine"]

    /// A store in which plane 1 has 150 seats from 2013 on, and a spine of this text.
    static func workspace(_ name: String, _ text: String) throws -> Workspace {
        let work = try Airports.workspace()
        try work.file("planes.csv", BadInputTests.good)
        #expect(try work.onStore("ingest", "planes", "planes.csv").code == 0)
        try work.file(name, text)
        return work
    }

    @Test("without rows the answer has none, in either format")
    func empty() throws {
        let work = try SpineFileTests.workspace("spine.ndjson", "")
        let ndjson = try work.run(SpineFileTests.select + ["spine.ndjson", "--out", "-", "--format", "csv"])
        #expect(ndjson.code == 0, "\(ndjson.err)")
        #expect(ndjson.out == "tail,event_time,planes.seats\n")
        try work.file("spine.csv", "tail,event_time\n")
        let csv = try work.run(SpineFileTests.select + ["spine.csv", "--out", "-"])
        #expect(csv.code == 0 && csv.out == ndjson.out, "\(csv.err)")
    }

    @Test("a row without a key comes back without values; a NaN is refused, or is null where that is said")
    func nulls() throws {
        let work = try SpineFileTests.workspace(
            "spine.csv", "tail,event_time\n,2014-01-01T00:00:00Z\n1,2014-01-01T00:00:00Z\nNaN,2014-01-01T00:00:00Z\n")
        let refused = try work.run(SpineFileTests.select + ["spine.csv", "--out", "out.csv", "--json"])
        #expect(refused.code == 1)
        #expect(refused.error["place"] as? String == "spine.csv:4, column tail")
        #expect((refused.error["message"] as? String ?? "").contains("'NaN'"))
        let hint = refused.error["hint"] as? String ?? ""
        #expect(hint.contains("int64") && hint.contains("--null") && !hint.contains("feature"), "\(refused.err)")
        #expect(!work.exists("out.csv"))
        let allowed = try work.run(SpineFileTests.select + ["spine.csv", "--null", "NaN", "--out", "-"])
        #expect(allowed.code == 0, "\(allowed.err)")
        #expect(
            allowed.out
                == "tail,event_time,planes.seats\n,2014-01-01T00:00:00Z,\n1,2014-01-01T00:00:00Z,150\n,2014-01-01T00:00:00Z,\n")
        try work.file(
            "spine.ndjson",
            #"{"tail":null,"event_time":"2014-01-01T00:00:00Z"}"# + "\n" + #"{"event_time":"2014-01-01T00:00:00Z","tail":1}"#)
        let ndjson = try work.run(SpineFileTests.select + ["spine.ndjson", "--out", "-", "--format", "ndjson"])
        #expect(ndjson.code == 0 && ndjson.lines.map { $0["planes.seats"] as? Int } == [nil, 150], "\(ndjson.err)")
    }

    @Test("times finer than a microsecond are refused, and cut off where that is asked for")
    func finerTimes() throws {
        let work = try SpineFileTests.workspace("spine.csv", "tail,event_time\n1,2013-01-01T00:00:00.0000009Z\n")
        let refused = try work.run(SpineFileTests.select + ["spine.csv", "--out", "-", "--json"])
        #expect(refused.code == 1 && (refused.error["hint"] as? String ?? "").contains("--floor-times"), "\(refused.err)")
        let floored = try work.run(SpineFileTests.select + ["spine.csv", "--floor-times", "--out", "-"])
        #expect(floored.code == 0 && floored.out == "tail,event_time,planes.seats\n1,2013-01-01T00:00:00Z,150\n", "\(floored.err)")
        let load = try work.onStore("ingest", "planes", "spine.csv", "--json")
        #expect(load.code == 1 && (load.error["hint"] as? String ?? "").contains("--floor-times"), "\(load.err)")
        let option = try work.onStore(
            "get", "--features", "planes.seats", "--entity", "tail=1", "--as-of", "2013-01-01T00:00:00.0000009Z", "--json")
        #expect(option.code == 2 && !(option.error["hint"] as? String ?? "").contains("--floor-times"), "\(option.err)")
    }
}
