import Testing
import WhenceCatalog
import WhenceCore

@Suite("The catalog")
struct CatalogTests {
    @Test("ids stay with features and views for ever, and are never given again")
    func ids() throws {
        func view(_ features: String) -> String { "views: [{name: v, entity: e, features: [\(features)]}]" }
        var catalog = try Catalog().applying(
            "entities: [{name: e, join_keys: [{name: k, type: int64}]}]\n" + view("{name: a, type: int32}, {name: b, type: bool}"))
        catalog = try catalog.applying(view("{name: a, type: int32}"))
        catalog = try catalog.applying(view("{name: b, type: string}, {name: a, type: int64}"))
        catalog = try catalog.applying(
            "views: [{name: v, entity: e, ttl: 1h, features: [{name: b, type: string}, {name: a, type: int64}]}]")
        let stored = try catalog.view(named: "v")
        #expect(stored.id == 1)
        #expect(stored.version == 4)
        #expect(
            stored.schemas == [
                Schema(
                    id: 1, fields: [SchemaField(id: 1, name: "a", type: .int32), SchemaField(id: 2, name: "b", type: .bool)]),
                Schema(id: 2, fields: [SchemaField(id: 1, name: "a", type: .int32)]),
                Schema(
                    id: 3, fields: [SchemaField(id: 3, name: "b", type: .string), SchemaField(id: 1, name: "a", type: .int64)]),
            ])
        #expect(stored.currentSchema.id == 3)
        #expect(stored.schema(id: 2)?.fields.count == 1)
        #expect(stored.schema(id: 0) == nil && stored.schema(id: 4) == nil)
        catalog = try catalog.applying("views: [{name: w, entity: e, features: [{name: a, type: bool}]}]")
        #expect(try catalog.view(named: "w").id == 2)
    }

    @Test("a feature of a retired name is new, and says so")
    func retiredName() throws {
        let entity = "entities: [{name: e, join_keys: [{name: k, type: int64}]}]\n"
        let both = "views: [{name: v, entity: e, features: [{name: a, type: int32}, {name: b, type: bool}]}]"
        let catalog = try Catalog().applying(entity + both).applying("views: [{name: v, entity: e, features: [{name: a, type: int32}]}]")
        let change = try catalog.plan(both).change(.view, "v")
        #expect(change?.effect == .needsBackfill)
        #expect(
            change?.details == ["feature b: bool (new; values of the retired feature of that name stay away; old rows have nothing for it)"]
        )
    }

    @Test("a view sees the latest version of its entity")
    func entityOfView() throws {
        let catalog = try Flights.catalog().applying("entities: [{name: plane, owner: ops, join_keys: [{name: tailnum, type: string}]}]")
        #expect(try catalog.view(named: "planes").entity.owner == "ops")
        #expect(try catalog.view(named: "planes").version == 1)
    }

    @Test("the catalog is the same when it is built from its stored entries, in whatever order")
    func roundTrip() throws {
        let catalog = try Flights.catalog().applying(Flights.yaml("temp, type: int32", "temp, type: int64"))
        var decoded: [CatalogEntry] = []
        for entry in catalog.allEntries.reversed() { decoded.append(try CatalogEntry(decoding: entry.json)) }
        let again = try Catalog(entries: decoded)
        #expect(again.version == 2)
        #expect(again.views == catalog.views && again.services == catalog.services && again.entities == catalog.entities)
        #expect(again.allEntries == catalog.allEntries)
        #expect(try Catalog(entries: []).version == 0)
    }

    @Test("every older version can be listed and read")
    func history() throws {
        let catalog = try Flights.catalog().applying(Flights.yaml("ttl: 3h", "ttl: 4h"))
        let all = catalog.versions(kind: .view, name: "weather")
        #expect(all.map(\.version) == [1, 2])
        #expect(all.map(\.catalogVersion) == [1, 2])
        guard case .view(let first)? = all.first?.definition, case .view(let second)? = all.last?.definition else {
            Issue.record("the entries define no views")
            return
        }
        #expect(first.ttl == .seconds(3 * 3600) && second.ttl == .seconds(4 * 3600))
        #expect(catalog.versions(kind: .view, name: "nothing").isEmpty)
        #expect(catalog.versions(kind: .entity, name: "weather").isEmpty)
    }

    @Test("going back to an older definition is a new version with the older hash")
    func goingBack() throws {
        let catalog = try Flights.catalog().applying(Flights.yaml("ttl: 3h", "ttl: 4h")).applying(Flights.yaml)
        let hashes = catalog.versions(kind: .view, name: "weather").map(\.hash)
        #expect(hashes.count == 3)
        #expect(hashes.first == hashes.last)
        #expect(hashes[0] != hashes[1])
    }

    @Test("a name that does not exist is answered with the nearest one and with what there is")
    func notFound() throws {
        let catalog = try Flights.catalog()
        let error = refusal { () throws(WhenceError) in _ = try catalog.view(named: "wether") }
        #expect(
            error == WhenceError(.notFound, "there is no view 'wether'", hint: "did you mean 'weather'? the views are: planes, weather"))
        #expect(refusal { () throws(WhenceError) in _ = try catalog.entity(named: "x") }?.hint == "the entities are: airport, plane")
        #expect(refusal { () throws(WhenceError) in _ = try Catalog().service(named: "x") }?.hint == "there are no services yet")
    }

    @Test("entries that do not belong together are no catalog")
    func damaged() throws {
        let catalog = try Flights.catalog().applying(Flights.yaml("temp, type: int32", "temp, type: int64"))
        let all = catalog.allEntries
        func refuses(_ entries: [CatalogEntry]) -> String? {
            let error = refusal { () throws(WhenceError) in _ = try Catalog(entries: entries) }
            #expect(error?.code == .corruption)
            return error?.message
        }
        #expect(
            refuses(all.filter { $0.name != "weather" || $0.version != 1 })
                == "the stored catalog is damaged: view weather has a version 2 where version 1 should be")
        #expect(refuses(all.filter { $0.name != "airport" })?.contains("view weather has no entity 'airport'") == true)
        #expect(refuses(all + all.filter { $0.name == "base" })?.contains("service base has a version 1 where version 2 should be") == true)
        // A feature id that changes hands would make rows read as what they are not.
        let weather = try #require(catalog.versions(kind: .view, name: "weather").last)
        let text = String(decoding: weather.json, as: UTF8.self)
        let swapped = text.replacing(#"{"id":1,"name":"temp""#, with: #"{"id":2,"name":"temp""#)
            .replacing(#"{"id":2,"name":"humid""#, with: #"{"id":1,"name":"humid""#)
        #expect(swapped != text)
        let forged = try CatalogEntry(decoding: Array(swapped.utf8))
        #expect(refuses(all.filter { $0 != weather } + [forged])?.contains("for two features") == true)
        let other = try Catalog().applying(
            "entities: [{name: e, join_keys: [{name: k, type: int64}]}]\nviews: [{name: v, entity: e, features: [{name: f, type: bool}]}]")
        #expect(refuses(all + other.allEntries)?.contains("share id 1") == true)
    }
}
