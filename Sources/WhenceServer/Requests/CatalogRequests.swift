import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol

/// Requests about definitions.
extension RequestWork {
    private func definitions(_ files: [DefinitionText]) throws(WhenceError) -> Definitions {
        var all = Definitions()
        for file in files { try all.merge(try Definitions.parse(yaml: file.yaml, file: file.name)) }
        return all
    }

    func plan(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try PlanRequest(decoding: frame)
        try principal.check(.read, view: nil)
        return Answer(.raw(try core.store.plan(try definitions(message.files)).json()))
    }

    func apply(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try ApplyRequest(decoding: frame)
        try principal.check(.administer, view: nil)
        let plan = try core.store.plan(try definitions(message.files))
        if let base = message.baseVersion, Int(base) != plan.baseVersion {
            throw WhenceError(
                .incompatibleChange, "the catalog has changed since the plan was made: it has version \(plan.baseVersion), and not \(base)",
                hint: "make the plan again")
        }
        if let refusal = CatalogDocuments.refusal(plan) { throw refusal }
        if plan.isEmpty { return Answer(CatalogDocuments.applied(plan, version: plan.baseVersion, applied: false)) }
        let store = core.store
        let catalog = try core.gate.run { () throws(WhenceError) in try store.apply(plan) }
        return Answer(CatalogDocuments.applied(plan, version: catalog.version, applied: true))
    }

    /// Everything that is defined, in every version, as it is stored.
    func definitions(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        _ = try DefinitionsRequest(decoding: frame)
        try principal.check([.read, .write], view: nil)
        let catalog = core.store.catalog
        let entries = catalog.allEntries.map { JSON.raw(String(decoding: $0.json, as: UTF8.self)) }
        return Answer(.object([("catalog_version", .int(catalog.version)), ("entries", .array(entries))]))
    }

    func catalogList(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        _ = try CatalogListRequest(decoding: frame)
        try principal.check(.read, view: nil)
        return Answer(.array(CatalogDocuments.list(core.store.catalog)))
    }

    func catalogShow(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try CatalogShowRequest(decoding: frame)
        try principal.check(.read, view: nil)
        let kind = message.definitionKind.isEmpty ? nil : try CatalogDocuments.kind(named: message.definitionKind)
        let entry = try CatalogDocuments.find(
            message.name, kind: kind, version: message.version == 0 ? nil : Int(message.version), in: core.store.catalog)
        return Answer(.raw(String(decoding: entry.json, as: UTF8.self)))
    }

    func describe(_ frame: Frame, _ principal: Principal) throws(WhenceError) -> Answer {
        let message = try DescribeRequest(decoding: frame)
        // Before any name is looked up: who may do nothing learns no names from the errors. Whoever writes a view needs its types.
        try principal.check([.read, .write], view: nil)
        let service = try core.store.catalog.resolve(message.selection)
        for selection in service.selections { try principal.check([.read, .write], view: selection.view.definition.name) }
        return Answer(CatalogDocuments.describe(service))
    }
}

extension Catalog {
    /// What a request reads: a service, or a list of features.
    func resolve(_ selection: ReadSelection) throws(WhenceError) -> ResolvedService {
        switch selection {
        case .service(let name): try resolve(service: name)
        case .features(let names): try resolve(features: names)
        }
    }
}
