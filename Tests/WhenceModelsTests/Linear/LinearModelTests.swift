import RandomFixtures
import Testing
import WhenceCore

@testable import WhenceModels

@Suite("Linear models in JSON") struct LinearModelTests {
    /// The worked example of `Formats/linear-model.md`.
    static let example = """
        {
          "format": "whence-linear", "version": 1, "name": "late arrival", "link": "logistic",
          "features": [
            {"name": "dep_delay", "mean": 12.5, "scale": 40.0, "missing": 12.5},
            "distance",
            {"name": "carrier", "equals": "AA"}
          ],
          "outputs": [{"name": "late", "intercept": -0.5, "coefficients": [2.0, 0.001, -0.25]}]
        }
        """

    static func model(_ text: String) throws(WhenceError) -> Model { try Model.read(.bytes(Array(text.utf8), name: "m.json")) }

    @Test("the worked example")
    func worked() throws {
        let model = try LinearModelTests.model(LinearModelTests.example)
        #expect(model.features.map(\.name) == ["dep_delay", "distance", "carrier"])
        let american = model.code(of: unsafe Array("AA".utf8).span.bytes, feature: 2)
        let rows = [32.5, 1000, american, .nan, 1000, american, 12.5, .nan, -1]
        #expect(try model.predictRaw(rows, rows: 3)[..<2] == [1.25, 0.25])
        let predictions = try model.predict(rows, rows: 3)
        #expect(predictions[..<2] == [0.7772998611746911, 0.5621765008857981] && predictions[2].isNaN)
        #expect(model.outputNames == ["late"] && model.format == .linearJSON)
    }

    @Test(
        "links",
        arguments: [
            ("identity", [1.0, -1.0]), ("log", [2.718281828459045, 0.36787944117144233]),
            ("softmax", [0.8807970779778824, 0.11920292202211756]),
        ])
    func links(link: String, due: [Double]) throws {
        let model = try LinearModelTests.model(
            """
            {"format":"whence-linear","version":1,"link":"\(link)","features":["x"],
             "outputs":[{"coefficients":[1]},{"name":"b","intercept":-2,"coefficients":[1]}]}
            """)
        let answers = try model.predict([1], rows: 1)
        for (answer, due) in zip(answers, due) { #expect(abs(answer - due) <= due.ulp.magnitude) }
        #expect(model.outputNames == ["output_0", "b"])
    }

    @Test(
        "what is wrong is said with its place",
        arguments: [
            (#""features":["x"],"outputs":[]"#, "no outputs"),
            (#""features":["x"],"outputs":[{"coefficients":[1,2]}]"#, "2 coefficients for 1 features"),
            (#""features":["x","x"],"outputs":[{"coefficients":[1,2]}]"#, "'x' stands twice"),
            (#""features":[{"name":"x","equals":"a"},{"name":"x","equals":"a"}],"outputs":[{"coefficients":[1,2]}]"#, "'x' stands twice"),
            (#""features":[{"name":"x","equals":"a"},"x"],"outputs":[{"coefficients":[1,2]}]"#, "'x' stands twice"),
            (#""features":[{"name":"x","mising":1}],"outputs":[]"#, "'mising' is no key"),
            (#""features":[{"name":"x","scale":0}]"#, "the scale is 0"),
            (#""features":[{"name":"x","mean":NaN}]"#, "not finite"), (#""features":[{"name":"x","equals":"a","mean":1}]"#, "is a text"),
            (#""features":[""]"#, "no name"), (#""features":["x"]"#, "no 'outputs'"), (#""link":"probit""#, "'probit' is not known"),
            (#""link":"softmax","features":["x"],"outputs":[{"coefficients":[1]}]"#, "more than one output"),
            (#""features":["x"],"outputs":[{"coefficients":[1]}],"x":1"#, "'x' is no key"),
            (#""features":["x"],"features":["y"]"#, "stands twice"),
        ])
    func faults(members: String, says: String) {
        expectError(.malformedInput, "m.json:1", says) {
            _ = try LinearModelTests.model(#"{"format":"whence-linear","version":1,"# + members + "}")
        }
    }

    @Test("another version is refused")
    func version() {
        expectError(.unknownFormat, "version 2", "at version") {
            _ = try LinearModelTests.model(#"{"format":"whence-linear","version":2}"#)
        }
    }

    @Test("50,000 damaged files")
    func damaged() {
        let seed = Array(LinearModelTests.example.utf8)
        var generator = SeededRandom(seed: 21)
        for _ in 0..<FuzzRounds.count(50_000) {
            do throws(WhenceError) {
                let model = try Model.read(.bytes(Mutation.mutate(seed, &generator), name: "m"))
                if model.featureCount < 100 { _ = try model.predict(Array(repeating: .nan, count: model.featureCount), rows: 1) }
            } catch { if error.place.isEmpty { Issue.record("\(error)") } }
        }
    }
}
