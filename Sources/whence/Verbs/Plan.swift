import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine

struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what applying definitions would change.",
        discussion: """
            Reads YAML files of entities, views and services, and compares them with what the store has. Writes nothing: where \
            there is no store yet, the plan is made against an empty catalog.

            Example: whence plan flights.yaml --data store
            """)

    @Argument(help: ArgumentHelp("Files of definitions; several count as one.", valueName: "file"))
    var files: [String]

    @OptionGroup var store: StoreArguments

    func run() throws {
        let definitions = try DefinitionFiles(files).definitions
        let plan = try (existingPlace(store)?.catalog ?? Catalog()).plan(definitions)
        try store.json ? Console.print(plan.json()) : Console.print(plan.text())
        if plan.hasRefusals { throw ExitCode(Run.failed) }
    }
}

/// The store where there is one, for a plan.
func existingPlace(_ arguments: StoreArguments, for use: StoreArguments.Use = .read) throws(WhenceError) -> StoreArguments.Place? {
    do {
        return try arguments.place(use)
    } catch  where error.code == .notFound {
        return nil
    }
}
