import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceServer

struct Apply: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what definitions change, then make it so.",
        discussion: """
            Prints the plan and does exactly that, all of it or nothing. A plan with refusals changes nothing. Makes the store \
            where there is none. At a terminal it asks first, unless --yes is given.

            Example: whence apply flights.yaml --data store --yes
            """)

    @Argument(help: ArgumentHelp("Files of definitions; several count as one.", valueName: "file"))
    var files: [String]

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var store: StoreArguments

    func run() throws {
        let files = try DefinitionFiles(files)
        var place = try existingPlace(store, for: .write)
        let plan = try (place?.catalog ?? Catalog()).plan(files.definitions)
        if !store.json { try Console.print(plan.text()) }
        if let refusal = CatalogDocuments.refusal(plan) {
            try answer(plan, version: plan.baseVersion, applied: false)
            throw refusal
        }
        if plan.isEmpty { return try answer(plan, version: plan.baseVersion, applied: false) }
        if !yes, !store.json, Console.isInputTerminal, Console.isErrorTerminal, !Console.confirms("Apply this plan?") {
            throw WhenceError(.cancelled, "nothing was changed", place: "apply")
        }
        if place == nil { place = try store.place(.create) }
        switch place {
        case .here(let store): try answer(plan, version: try store.apply(plan).version, applied: true)
        case .server(let store): try answer(plan, version: try store.apply(files.texts, base: plan.baseVersion), applied: true)
        case nil: break
        }
    }

    private func answer(_ plan: CatalogPlan, version: Int, applied: Bool) throws {
        if store.json {
            try Console.print(CatalogDocuments.applied(plan, version: version, applied: applied))
        } else if applied {
            try Console.print("\nApplied: the catalog has version \(version).")
        }
    }
}
