import Foundation
import Testing

@Suite("Bad definitions")
struct BadDefinitionTests {
    @Test("a cycle and a duplicate: named by line, and no store is made")
    func refused() throws {
        let cycle = "services:\n  - { name: a, include: [b] }\n  - { name: b, include: [a] }\n"
        let duplicate =
            "entities:\n  - { name: a, join_keys: [{ name: x, type: int64 }] }\n  - { name: a, join_keys: [{ name: x, type: int64 }] }\n"
        for (yaml, place, message) in [(cycle, "bad.yaml:", "a -> b -> a"), (duplicate, "bad.yaml:3", "defined twice")] {
            let work = try Workspace()
            try work.file("bad.yaml", yaml)
            for verb in ["plan", "apply"] {
                let answer = try work.onStore(verb, "bad.yaml", "--json")
                #expect(answer.code == 1)
                #expect(answer.error["name"] as? String == "invalidDefinition")
                #expect((answer.error["place"] as? String ?? "").hasPrefix(place), "\(answer.err)")
                #expect((answer.error["message"] as? String ?? "").contains(message), "\(answer.err)")
                #expect((answer.error["hint"] as? String)?.isEmpty == false)
            }
            #expect(!work.exists("store"))
        }
    }

    @Test("an incompatible change is refused, and nothing else of the files is applied")
    func incompatible() throws {
        let work = try Airports.workspace()
        try work.file(
            "bad.yaml",
            Airports.yaml.replacing("name: humid, type: float64", with: "name: humid, type: string").replacing("ttl: 3h", with: "ttl: 9h")
                .replacing("services:", with: "  - { name: extra, entity: plane, features: [{ name: x, type: bool }] }\nservices:"))
        let plan = try work.onStore("plan", "bad.yaml")
        #expect(plan.code == 1 && plan.out.contains("! view weather (refused)"))
        let apply = try work.onStore("apply", "bad.yaml", "--yes", "--json")
        #expect(apply.code == 1)
        #expect(apply.lines.first?["applied"] as? Bool == false)
        #expect(apply.error["name"] as? String == "incompatibleChange")
        #expect(apply.error["place"] as? String == "view weather")
        #expect(try work.onStore("catalog", "list", "--json").lines.allSatisfy { $0["catalog_version"] as? Int == 1 })
    }
}
