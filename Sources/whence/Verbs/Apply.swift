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
        let definitions = try DefinitionFiles.read(files)
        var open = try existingStore(store, for: .write)
        let plan = try open?.plan(definitions) ?? Catalog().plan(definitions)
        if !store.json { try Console.print(plan.text()) }
        if let refusal = CatalogDocuments.refusal(plan) {
            try answer(plan, version: plan.baseVersion, applied: false)
            throw refusal
        }
        if plan.isEmpty { return try answer(plan, version: plan.baseVersion, applied: false) }
        if !yes, !store.json, Console.isInputTerminal, Console.isErrorTerminal, !Console.confirms("Apply this plan?") {
            throw WhenceError(.cancelled, "nothing was changed", place: "apply")
        }
        if open == nil { open = try store.open(.create) }
        guard let catalog = try open?.apply(plan) else { return }
        try answer(plan, version: catalog.version, applied: true)
    }

    private func answer(_ plan: CatalogPlan, version: Int, applied: Bool) throws {
        if store.json {
            try Console.print(CatalogDocuments.applied(plan, version: version, applied: applied))
        } else if applied {
            try Console.print("\nApplied: the catalog has version \(version).")
        }
    }
}
