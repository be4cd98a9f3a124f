import Foundation
import Testing

/// Models on the command line: looked at, and scored with.
@Suite("Models")
struct ModelTests {
    static let models = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/Models").standardizedFileURL

    static func path(_ name: String) -> String { models.appending(path: name).path }

    static let linear = """
        {"format":"whence-linear","version":1,"link":"logistic",
         "features":[{"name":"dep_delay","mean":12.5,"scale":40.0,"missing":12.5},"distance",{"name":"carrier","equals":"AA"}],
         "outputs":[{"name":"late","intercept":-0.5,"coefficients":[2.0,0.001,-0.25]}]}
        """

    static let csv = "id,carrier,dep_delay,distance\n1,AA,32.5,1000\n2,AA,,1000\n"

    static func workspace() throws -> Workspace {
        let workspace = try Workspace()
        try workspace.file("m.json", linear)
        try workspace.file("rows.csv", csv)
        return workspace
    }

    @Test("rows of CSV, NDJSON and Arrow are scored alike")
    func formats() throws {
        let workspace = try ModelTests.workspace()
        let csv = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--keep", "id", "--out", "-")
        #expect(csv.code == 0, "\(csv.err)")
        #expect(csv.out == "id,late\n1,0.7772998611746911\n2,0.5621765008857981\n")
        try workspace.file(
            "rows.ndjson",
            #"{"distance":1000,"dep_delay":32.5,"carrier":"AA"}"# + "\n" + #"{"carrier":"AA","distance":1e3,"dep_delay":null}"# + "\n")
        let ndjson = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.ndjson", "--out", "out.ndjson", "--json")
        #expect(ndjson.code == 0, "\(ndjson.err)")
        #expect(try workspace.text("out.ndjson") == "{\"late\":0.7772998611746911}\n{\"late\":0.5621765008857981}\n")
        #expect(ndjson.lines.first?["rows"] as? Int == 2)
        // The scores themselves as Arrow, scored again by a model of them.
        try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--out", "late.arrows")
        try workspace.file("again.json", #"{"format":"whence-linear","version":1,"features":["late"],"outputs":[{"coefficients":[2]}]}"#)
        let arrow = try workspace.whence("model", "score", "--file", "again.json", "--input", "late.arrows", "--out", "-")
        #expect(arrow.out == "output_0\n1.5545997223493822\n1.1243530017715961\n", "\(arrow.err)")
    }

    @Test("raw scores, leaves, contributions and iterations")
    func choices() throws {
        let workspace = try ModelTests.workspace()
        let raw = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--raw", "--contrib", "--out", "-")
        #expect(
            raw.out
                == "late,contribution.dep_delay,contribution.distance,contribution.carrier,contribution.(bias)\n1.25,1.0,1.0,-0.25,-0.5\n0.25,0.0,1.0,-0.25,-0.5\n",
            "\(raw.err)")
        let model = ModelTests.path("lightgbm/binary.txt")
        try workspace.file("six.csv", "a,b,c,d,e,f\n0.75,0.27,-0.8,1.65,1.0,-0.3\n")
        let leaves = try workspace.whence(
            "model", "score", "--file", model, "--input", "six.csv", "--by-position", "--leaf", "--iterations", "3", "--out", "-",
            "--format", "ndjson")
        #expect(leaves.code == 0 && (leaves.lines.first?["leaves"] as? [Int])?.count == 3, "\(leaves.out)\(leaves.err)")
        let none = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--leaf", "--out", "-")
        #expect(none.code == 2 && none.err.contains("no leaves"))
        let bad = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--iterations", "3:1", "--out", "-")
        #expect(bad.code == 2 && bad.err.contains("FROM:TO"))
    }

    @Test("labels that are whole numbers are written as such")
    func wholeLabels() throws {
        let workspace = try ModelTests.workspace()
        try workspace.file("x.csv", "X[0],X[1],X[2],X[3]\n0.25,0.5,0.5,-1\n,,,\n")
        let model = ModelTests.path("onnx/logistic_binary.onnx")
        let scores = try workspace.whence("model", "score", "--file", model, "--input", "x.csv", "--out", "-", "--format", "ndjson")
        #expect(scores.out.hasPrefix(#"{"output_label":1,"output_probability.0":0."#), "\(scores.out)\(scores.err)")
    }

    @Test("missing and surplus columns are said")
    func columns() throws {
        let workspace = try ModelTests.workspace()
        try workspace.file("few.csv", "distance,tail\n1000,N1\n")
        let missing = try workspace.whence("model", "score", "--file", "m.json", "--input", "few.csv", "--out", "out.csv", "--json")
        #expect(missing.code == 1 && !workspace.exists("out.csv"))
        let error = missing.error
        #expect(
            (error["message"] as? String)?.contains("2 features of the model have no column: dep_delay, carrier") == true, "\(missing.err)")
        #expect((error["place"] as? String) == "few.csv" && (error["hint"] as? String)?.contains("--allow-missing") == true)
        let allowed = try workspace.whence(
            "model", "score", "--file", "m.json", "--input", "few.csv", "--allow-missing", "--out", "out.csv")
        #expect(
            allowed.code == 0 && allowed.err.contains("count as missing: dep_delay, carrier")
                && allowed.err.contains("no use for these columns: tail"))
        #expect(try workspace.text("out.csv") == "late\n0.6224593312018546\n")
        let keep = try workspace.whence("model", "score", "--file", "m.json", "--input", "rows.csv", "--keep", "nobody", "--out", "-")
        #expect(keep.code == 1 && keep.err.contains("no column 'nobody'"))
    }

    @Test("a table without rows is looked at, too; late keys of NDJSON are named; a kept column goes through as it stands")
    func columnsOfTables() throws {
        let workspace = try ModelTests.workspace()
        func score(_ file: String, _ more: String...) throws -> (code: Int32, out: String, err: String) {
            let run = try workspace.run(["model", "score", "--file", "m.json", "--input", file, "--out", "-"] + more)
            return (run.code, run.out, run.err)
        }
        try workspace.file("none.csv", "carrier,distance\n")
        let none = try score("none.csv")
        #expect(none.code != 0 && none.out.isEmpty && none.err.contains("1 feature of the model has no column: dep_delay"), "\(none)")
        try workspace.file("empty.csv", "carrier,distance,dep_delay\n")
        let keep = try score("empty.csv", "--keep", "nope")
        #expect(keep.code != 0 && keep.out.isEmpty && keep.err.contains("no column 'nope'"), "\(keep)")
        #expect(try score("empty.csv").out == "late\n")

        let row = #"{"distance":1000,"carrier":"AA""#
        try workspace.file("late.ndjson", String(repeating: row + "}\n", count: 5000) + row + ",\"dep_delay\":1,\"z\":2}\n")
        let late = try score("late.ndjson")
        #expect(late.code != 0 && late.err.contains("no column in the first 4096 rows: dep_delay"), "\(late.err)")
        #expect(try score("late.ndjson", "--allow-missing").err.contains("no use for these columns: z"))

        try workspace.file("kept.csv", "carrier,distance,dep_delay\nAA,9007199254740993,1e1\n")
        #expect(
            try score("kept.csv", "--keep", "distance", "--keep", "dep_delay").out.hasPrefix(
                "distance,dep_delay,late\n9007199254740993,1e1,"))
        let short = try score("none.csv", "--by-position")
        #expect(
            short.err.contains("the input has 2 columns, and the model 3 features") && !short.err.contains("or use --by-position"),
            "\(short.err)")
    }

    @Test("a bad cell is named with its line and column")
    func cells() throws {
        let workspace = try ModelTests.workspace()
        try workspace.file("bad.csv", "carrier,dep_delay,distance\nAA,1,1\nAA,late,1\n")
        let answer = try workspace.whence("model", "score", "--file", "m.json", "--input", "bad.csv", "--out", "out.csv")
        #expect(answer.code == 1 && answer.err.contains("bad.csv:3, column dep_delay") && !workspace.exists("out.csv"), "\(answer.err)")
    }

    @Test(
        "what is no model says what it is",
        arguments: [("\u{80}\u{4}\u{95}", "pickle", "skl2onnx"), ("PK\u{3}\u{4}", "zip", "torch.onnx.export")])
    func strangers(text: String, what: String, hint: String) throws {
        let workspace = try Workspace()
        try Data(text.unicodeScalars.map { UInt8($0.value) }).write(to: workspace.directory.appending(path: "model.txt"))
        let answer = try workspace.whence("model", "inspect", "model.txt", "--json")
        #expect(answer.code == 1)
        #expect(
            (answer.error["message"] as? String)?.contains(what) == true && (answer.error["hint"] as? String)?.contains(hint) == true,
            "\(answer.err)")
    }

    @Test(
        "a model is described, for people and for programs",
        arguments: ["lightgbm/binary.txt", "catboost/symmetric_words.json", "onnx/columns_ignore.onnx", "xgboost/softprob.json"])
    func inspect(name: String) throws {
        let workspace = try Workspace()
        let text = try workspace.whence("model", "inspect", ModelTests.path(name))
        #expect(text.code == 0 && text.out.contains("format") && text.out.contains("memory"), "\(text.err)")
        let json = try workspace.whence("model", "inspect", ModelTests.path(name), "--json")
        let described = try #require(json.lines.first)
        #expect((described["features"] as? [Any])?.isEmpty == false && (described["outputs"] as? [Any])?.isEmpty == false)
    }

    /// Every command of docs/models.md, run in order in a directory with the fixtures, gives what the page shows.
    @Test("the examples of docs/models.md")
    func documentation() throws {
        let page = ModelTests.models.appending(path: "../../../docs/models.md").standardizedFileURL
        let workspace = try Workspace()
        for (link, target) in [
            ("lightgbm.txt", "lightgbm/named.txt"), ("xgboost.json", "xgboost/softprob.json"),
            ("catboost.json", "catboost/symmetric_words.json"),
            ("pipeline.onnx", "onnx/columns_ignore.onnx"),
        ] {
            try FileManager.default.copyItem(atPath: ModelTests.path(target), toPath: workspace.path(link))
        }
        var lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)[
            ...]
        var commands = 0
        while let line = lines.popFirst() {
            guard line.hasPrefix("```console") || line.hasPrefix("```file ") else { continue }
            var block: [String] = []
            while let next = lines.popFirst(), next != "```" { block.append(next) }
            if line.hasPrefix("```file ") {
                try workspace.file(String(line.dropFirst(8)), block.joined(separator: "\n") + "\n")
                continue
            }
            let shown = block.joined(separator: "\n").components(separatedBy: "$ whence ").dropFirst()
            for example in shown {
                commands += 1
                let parts = example.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
                let answer = try workspace.run(parts[0].split(separator: " ").map(String.init))
                let due = parts.count > 1 ? String(parts[1]) : ""
                #expect(ModelTests.timeless(answer.out + answer.err) == ModelTests.timeless(due), "whence \(parts[0])")
            }
        }
        #expect(commands >= 8)
    }

    /// The text without what differs from run to run.
    static func timeless(_ text: String) -> String {
        text.replacing(#/[0-9.]+ s\b/#, with: "N s").replacing(#/\([0-9.]+( [kM])? rows\/s\)/#, with: "(N rows/s)").replacing(
            #/memory +.*/#, with: "memory"
        )
        .split(separator: "\n", omittingEmptySubsequences: true).map { line in line.replacing(#/ +$/#, with: "") }.joined(separator: "\n")
    }
}
