import Foundation
import Testing

/// A bad row is named with its place and the way out, and nothing is written.
@Suite("Bad input")
struct BadInputTests {
    /// One bad table: the error that is due, and the view and entity that must stay without history.
    struct Case: CustomTestStringConvertible, Sendable {
        let what: String
        var view = "planes"
        var file = "bad.csv"
        let text: String
        let name: String
        let place: String
        let message: String
        let hint: String

        var testDescription: String { what }
    }

    static let good = "tail,event_time,seats\n1,2013-01-01T00:00:00Z,150\n"

    static let cases = [
        Case(
            what: "too few columns", text: good + "2,2013-01-01T00:00:00Z\n", name: "malformedInput", place: "bad.csv:3",
            message: "this row has 2 columns, and the header has 3", hint: "delimiter"),
        Case(
            what: "a bad number", text: good + "2,2013-01-01T00:00:00Z,many\n", name: "invalidValue", place: "bad.csv:3, column seats",
            message: "'many'", hint: "whole number"),
        Case(
            what: "a time without a zone", text: good + "2,2013-01-01 00:00,1\n", name: "invalidTime",
            place: "bad.csv:3, column event_time",
            message: "names no time zone", hint: "add Z"),
        Case(
            what: "a bare number for a time", text: good + "2,1356998400,1\n", name: "invalidTime", place: "bad.csv:3, column event_time",
            message: "bare number", hint: "--epoch"),
        Case(
            what: "an unknown feature", text: "tail,event_time,seat\n1,2013-01-01T00:00:00Z,150\n", name: "unknownFeature",
            place: "bad.csv, column seat", message: "no feature 'seat'", hint: "its features are seats, maker"),
        Case(
            what: "an unknown feature in NDJSON", file: "bad.ndjson",
            text: #"{"tail":1,"event_time":"2013-01-01T00:00:00Z"}"# + "\n" + #"{"tail":1,"event_time":"2013-01-01T00:00:00Z","seat":1}"#,
            name: "unknownFeature", place: "bad.ndjson:2, column seat", message: "no feature 'seat'", hint: "--ignore-unknown"),
        Case(
            what: "a key of the wrong type", text: good + "N14228,2013-01-01T00:00:00Z,1\n", name: "invalidKey",
            place: "bad.csv:3, column tail", message: "N14228", hint: "int64"),
        Case(
            what: "a key of the wrong type in NDJSON", file: "bad.ndjson", text: #"{"tail":"1","event_time":"2013-01-01T00:00:00Z"}"#,
            name: "invalidKey", place: "bad.ndjson:1, column tail", message: "join key", hint: "int64"),
        Case(
            what: "an event time out of range", text: good + "2,0000-12-31T23:59:59Z,1\n", name: "invalidTime",
            place: "bad.csv:3, column event_time", message: "0000-12-31", hint: ""),
        Case(
            what: "an event time of the year 10000", text: good + "2,10000-01-01T00:00:00Z,1\n", name: "invalidTime",
            place: "bad.csv:3, column event_time", message: "out of range", hint: "9999-12-31"),
        Case(
            what: "a NaN key", text: good + "NaN,2013-01-01T00:00:00Z,1\n", name: "invalidKey", place: "bad.csv:3, column tail",
            message: "NaN is no join key", hint: "leave the row out"),
        Case(
            what: "a missing key", text: good + ",2013-01-01T00:00:00Z,1\n", name: "invalidKey", place: "bad.csv:3, column tail",
            message: "missing", hint: "entity"),
        Case(
            what: "a missing time column", text: "tail,seats\n1,150\n", name: "malformedInput", place: "bad.csv",
            message: "no column 'event_time'", hint: "--rename"),
        Case(
            what: "an unknown kind", text: "tail,event_time,_kind\n1,2013-01-01T00:00:00Z,remove\n", name: "invalidValue",
            place: "bad.csv:2, column _kind", message: "'remove'", hint: "deletion"),
        Case(
            what: "a deletion with a feature",
            text: "tail,event_time,seats,_kind\n1,2013-01-01T00:00:00Z,1,\n1,2013-01-02T00:00:00Z,2,deletion\n",
            name: "invalidValue", place: "bad.csv:3, column seats", message: "a deletion carries no features, and '2'", hint: "empty"),
        Case(
            what: "a retraction with garbage", file: "bad.ndjson",
            text: #"{"tail":1,"event_time":"2013-01-01T00:00:00Z","_kind":"retraction","seats":"garbage"}"#, name: "invalidValue",
            place: "bad.ndjson:1, column seats", message: "a retraction carries no features, and 'garbage'", hint: "empty"),
        Case(
            what: "an empty file", text: "", name: "malformedInput", place: "bad.csv", message: "empty", hint: "header|first line"),
    ]

    @Test("is refused, by ordinary writes and as a backfill", arguments: cases, [false, true])
    func refused(_ bad: Case, backfill: Bool) throws {
        let work = try Airports.workspace()
        try work.file(bad.file, bad.text)
        let answer =
            backfill
            ? try work.onStore("ingest", bad.view, bad.file, "--json", "--batch-rows", "1", "--backfill")
            : try work.onStore("ingest", bad.view, bad.file, "--json", "--batch-rows", "1")
        #expect(answer.code == 1)
        #expect(answer.out.isEmpty)
        #expect(answer.error["name"] as? String == bad.name)
        #expect(answer.error["place"] as? String == bad.place)
        #expect((answer.error["message"] as? String ?? "").contains(bad.message), "\(answer.err)")
        let hint = answer.error["hint"] as? String ?? ""
        #expect(bad.hint.split(separator: "|").contains { hint.contains($0) } || bad.hint.isEmpty, "\(answer.err)")
        #expect(hint.contains("nothing was written"), "\(answer.err)")
        #expect(try work.history("planes", "tail=1").isEmpty, "the good row before it is not written either")
    }

    @Test("a string of 100 MB")
    func hugeString() throws {
        let work = try Airports.workspace()
        var bytes = Data("tail,event_time,maker\n1,2013-01-01T00:00:00Z,Boeing\n2,2013-01-01T00:00:00Z,".utf8)
        bytes.append(Data(repeating: 0x41, count: 100_000_000))
        bytes.append(Data("\n3,2013-01-01T00:00:00Z,Airbus\n".utf8))
        try bytes.write(to: work.directory.appending(path: "huge.csv"))
        let refused = try work.onStore("ingest", "planes", "huge.csv", "--json")
        #expect(refused.code == 1)
        #expect(refused.error["name"] as? String == "limitExceeded")
        #expect(refused.error["place"] as? String == "huge.csv:3, column maker")
        #expect(try work.history("planes", "tail=1").isEmpty)
        let allowed = try work.onStore("ingest", "planes", "huge.csv", "--max-rejects", "1")
        #expect(allowed.code == 3, "\(allowed.err)")
        #expect(try work.history("planes", "tail=1").count == 1)
        #expect(try work.history("planes", "tail=3").count == 1)
    }

    @Test("rejects go to a file with line, column and reason; too many stop the load")
    func maxRejects() throws {
        let work = try Airports.workspace()
        try work.file("some.csv", BadInputTests.good + "2,2013-01-01T00:00:00Z,many\n3,2013-01-01T00:00:00Z\n4,2013-01-01T00:00:00Z,4\n")
        let stopped = try work.onStore("ingest", "planes", "some.csv", "--max-rejects", "1", "--json")
        #expect(stopped.code == 1)
        #expect(stopped.error["name"] as? String == "tooManyRejects")
        #expect(try work.history("planes", "tail=1").isEmpty)
        let done = try work.onStore("ingest", "planes", "some.csv", "--max-rejects", "2", "--rejects", "refused.csv", "--json")
        #expect(done.code == 3)
        #expect(done.lines.first?["rows"] as? Int == 2)
        #expect(done.lines.first?["rejected"] as? Int == 2)
        #expect(done.lines.first?["rejects_file"] as? String == "refused.csv")
        #expect(try work.history("planes", "tail=4").count == 1)
        let rejects = try work.text("refused.csv").split(separator: "\n")
        #expect(rejects.count == 3 && rejects[0] == "line,column,reason,record")
        #expect(rejects[1].hasPrefix("3,seats,") && rejects[1].hasSuffix("\"2,2013-01-01T00:00:00Z,many\""))
        #expect(rejects[2].hasPrefix("4,,"))
    }

    @Test("what would be written over what is read is refused, by whatever name")
    func outputIsInput() throws {
        let work = try Airports.workspace()
        let rows = BadInputTests.good + "2,2013-01-01T00:00:00Z,many\n"
        try work.file("in.csv", rows)
        try FileManager.default.createSymbolicLink(atPath: work.path("other.csv"), withDestinationPath: work.path("in.csv"))
        try FileManager.default.linkItem(atPath: work.path("in.csv"), toPath: work.path("in.csv.rejects.csv"))
        try work.file("model.json", ModelTests.linear)
        for arguments in [
            ["ingest", "planes", "in.csv", "--rejects", "in.csv", "--data", "store"],
            ["ingest", "planes", "in.csv", "--rejects", "./other.csv", "--data", "store"],
            ["ingest", "planes", "in.csv", "--backfill", "--data", "store"],
            ["ingest", "planes", "-", "--rejects", ".9.in", "--data", "store"],
            ["join", "--features", "planes.seats", "--spine", "in.csv", "--out", "other.csv", "--data", "store"],
            ["model", "score", "--file", "model.json", "--input", "in.csv", "--out", "in.csv"],
            ["model", "score", "--file", "model.json", "--input", "in.csv", "--out", "model.json", "--format", "csv"],
        ] {
            var arguments = arguments
            // Standard input is a file here, whose name is that of the run to come.
            if let index = arguments.firstIndex(of: ".9.in") { arguments[index] = ".\(work.runs + 1).in" }
            let answer = try work.run(arguments + ["--json"], input: rows)
            #expect(answer.code == 2, "\(arguments): \(answer.out)")
            #expect((answer.error["message"] as? String ?? "").contains("the same file"), "\(answer.err)")
            #expect((answer.error["place"] as? String ?? "").hasPrefix("--"), "\(answer.err)")
            #expect(try work.text("in.csv") == rows)
            #expect(try work.text("model.json") == ModelTests.linear)
        }
        #expect(try work.history("planes", "tail=1").isEmpty)
    }

    @Test("a retraction before the retention horizon is a bad row; a load that stops says how far it came")
    func beyondRetention() throws {
        let work = try Airports.workspace()
        try work.file("planes.csv", BadInputTests.good)
        #expect(try work.onStore("ingest", "planes", "planes.csv").code == 0)
        #expect(try work.onStore("admin", "retain", "planes", "--before", "2014-01-01T00:00:00Z").code == 0)
        let rows =
            #"{"tail":2,"event_time":"2015-01-01T00:00:00Z","seats":1}"# + "\n"
            + #"{"tail":3,"event_time":"2015-01-01T00:00:00Z","seats":1}"# + "\n"
            + #"{"tail":1,"event_time":"2013-01-01T00:00:00Z","_kind":"retraction"}"# + "\n"
            + #"{"tail":4,"event_time":"2015-01-01T00:00:00Z","_kind":"retraction"}"# + "\n"
        try work.file("late.ndjson", rows)
        for more in [["--backfill"], []] {
            let refused = try work.run(["ingest", "planes", "late.ndjson", "--batch-rows", "1", "--json", "--data", "store"] + more)
            #expect(refused.code == 1 && refused.error["name"] as? String == "beyondRetention", "\(refused.err)")
            #expect(refused.error["place"] as? String == "late.ndjson:3, column event_time")
            #expect((refused.error["hint"] as? String ?? "").contains("nothing was written"))
            #expect(try work.history("planes", "tail=2").isEmpty)
        }
        let allowed = try work.onStore("ingest", "planes", "late.ndjson", "--batch-rows", "1", "--max-rejects", "1", "--json")
        #expect(allowed.code == 3 && allowed.lines.first?["rows"] as? Int == 3, "\(allowed.err)")
        #expect(try work.text("late.ndjson.rejects.csv").contains("\n3,event_time,\"a retraction at 2013-01-01T00:00:00Z would uncover"))
        // Under a key it is the commit that refuses, and the rows before are there.
        let keyed = try work.onStore("ingest", "planes", "late.ndjson", "--batch-rows", "1", "--idempotency-key", "k", "--json")
        #expect(keyed.code == 1 && keyed.error["name"] as? String == "beyondRetention", "\(keyed.err)")
        let hint = keyed.error["hint"] as? String ?? ""
        #expect(hint.contains("2 of 4 rows were committed in 2 batches") && hint.contains("run the same command again"), "\(hint)")
        try work.file("mended.ndjson", rows.replacing("\"2013-01-01T00:00:00Z\"", with: "\"2014-06-01T00:00:00Z\""))
        let again = try work.onStore("ingest", "planes", "mended.ndjson", "--batch-rows", "1", "--idempotency-key", "k", "--json")
        #expect(again.code == 0 && again.lines.first?["repeated_commits"] as? Int == 2, "\(again.err)")
    }

    @Test("no rejects file without rejects")
    func noRejects() throws {
        let work = try Airports.workspace()
        try work.file("good.csv", BadInputTests.good)
        #expect(try work.onStore("ingest", "planes", "good.csv").code == 0)
        #expect(!work.exists("good.csv.rejects.csv"))
    }

    @Test("standard input cannot be read twice: what was committed is said")
    func standardInput() throws {
        let work = try Airports.workspace()
        let input = BadInputTests.good + "2,2013-01-01T00:00:00Z,2\n3,2013-01-01T00:00:00Z,many\n"
        let answer = try work.onStore("ingest", "planes", "-", "--batch-rows", "1", input: input)
        #expect(answer.code == 1)
        #expect(answer.err.contains("error: standard input:4, column seats: 'many'"))
        #expect(answer.err.contains("2 rows were committed in 2 batches") && answer.err.contains("--idempotency-key"))
        #expect(try work.history("planes", "tail=2").count == 1)
        #expect(work.exists("whence.rejects.csv"))
    }

    @Test("a spine with a bad row, and the file of the answer does not appear")
    func badSpine() throws {
        let work = try Airports.workspace()
        try work.file("spine.csv", "tail,event_time\n1,2013-01-01T00:00:00Z\n2,2013-01-01\n")
        let answer = try work.onStore("join", "--features", "planes.seats", "--spine", "spine.csv", "--out", "out.csv", "--json")
        #expect(answer.code == 1)
        #expect(answer.error["place"] as? String == "spine.csv:3, column event_time")
        #expect(!work.exists("out.csv"))
        #expect(try partialFiles(work).isEmpty)
    }

    private func partialFiles(_ work: Workspace) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: work.directory.path).filter { $0.hasSuffix(".partial") }
    }

    @Test("what is stopped leaves no part of its file", arguments: [SIGINT, SIGTERM, SIGHUP])
    func stopped(signal: Int32) throws {
        let work = try Airports.workspace()
        let process = work.process([
            "join", "--features", "planes.seats", "--spine", "-", "--out", "out.csv", "--no-spill", "--data", "store",
        ])
        let input = Pipe()
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data("tail,event_time\n1,2013-01-01T00:00:00Z\n".utf8))
        let deadline = Date(timeIntervalSinceNow: 60)
        while try partialFiles(work).isEmpty, Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
        #expect(try partialFiles(work).count == 1, "it waits for more of its spine")
        kill(process.processIdentifier, signal)
        // Where it does not end for that the test fails, and does not wait for ever.
        let end = Date(timeIntervalSinceNow: 60)
        while process.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.02) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
        #expect(try partialFiles(work).isEmpty)
        #expect(!work.exists("out.csv"))
        try input.fileHandleForWriting.close()
    }
}
