import ArgumentParser
import WhenceCatalog
import WhenceCore
import WhenceEngine

/// What every verb takes: where the store is, how it may use the machine, and how to answer.
struct StoreArguments: ParsableArguments {
    @Option(help: ArgumentHelp("The directory of the store; one process at a time has it open.", valueName: "dir"))
    var data: String?

    @OptionGroup(title: "Server") var server: ServerArguments

    @Flag(help: "Answer in JSON, for programs: one document, or one line for each item.")
    var json = false

    @Option(help: ArgumentHelp("Memory for the cache of latest rows; 0 turns it off (default: 64).", valueName: "MiB"))
    var cache: Int?

    @Option(help: ArgumentHelp("Memory for blocks of files (default: 512).", valueName: "MiB"))
    var blockCache: Int?

    @Option(help: ArgumentHelp("Memory for rows that are not yet in files (default: 256).", valueName: "MiB"))
    var memtable: Int?

    @Option(help: ArgumentHelp("Threads that one command may use (default: 2).", valueName: "n"))
    var threads: Int?

    @Option(help: "What an acknowledged write survives: synced, a power failure; buffered, the end of the process.")
    var durability = Durability.synced

    @Flag(help: "Open a store whose log is damaged: what was committed up to the damage is kept, what follows it is lost.")
    var recoverLog = false

    /// What a command is going to do with the store.
    enum Use {
        /// Read what is there; a store that is damaged in part, or may not be written, serves what it can.
        case read
        /// Write to what is there.
        case write
        /// Write, and make the store where there is none.
        case create
    }

    func validate() throws {
        for (option, value, least) in [("--cache", cache, 0), ("--block-cache", blockCache, 1), ("--memtable", memtable, 4)] {
            guard let value, !(least...(1 << 20)).contains(value) else { continue }
            throw ValidationError("'\(option) \(value)' is out of range: \(least) to \(1 << 20) MiB")
        }
        if let threads, !(1...256).contains(threads) { throw ValidationError("'--threads \(threads)' is out of range: 1 to 256") }
        switch (data, server.isGiven) {
        case (nil, false): throw ValidationError("nothing says where the store is; give --data DIR or --server HOST:PORT")
        case (_?, true): throw ValidationError("'--data' and '--server' are two places; leave one of them out")
        case ("", _): throw ValidationError("'--data' names no directory")
        default: break
        }
        guard server.isGiven else { return }
        for (option, isGiven) in [
            ("--cache", cache != nil), ("--block-cache", blockCache != nil), ("--memtable", memtable != nil), ("--threads", threads != nil),
            ("--durability", durability != .synced), ("--recover-log", recoverLog),
        ] where isGiven {
            throw ValidationError("'\(option)' is for a store that is opened here; the server has its own")
        }
    }

    /// Where a verb's store is.
    enum Place {
        /// In a directory, opened by this process.
        case here(Store)
        /// Behind a server.
        case server(RemoteStore)

        var catalog: Catalog {
            switch self {
            case .here(let store): store.catalog
            case .server(let store): store.catalog
            }
        }
    }

    func place(_ use: Use) throws(WhenceError) -> Place {
        server.isGiven ? .server(try RemoteStore(server)) : .here(try open(use))
    }

    private func open(_ use: Use) throws(WhenceError) -> Store {
        let data = data ?? ""
        var options = StoreOptions()
        if let cache { options.latestCacheBytes = cache << 20 }
        if let blockCache { options.blockCacheBytes = blockCache << 20 }
        if let memtable { options.memtableBytes = memtable << 20 }
        if let threads { options.threads = threads }
        options.durability = durability
        options.recoversDamagedLog = recoverLog
        options.mustExist = use != .create
        do {
            return try Store(at: data, options: options)
        } catch  where use == .read && [.corruption, .permissionDenied, .diskFull].contains(error.code) {
            options.readOnly = true
            let store = try Store(at: data, options: options)
            var warning = error
            switch error.code {
            case .corruption:
                warning.hint =
                    "the store is open for reading only, and serves the views that are whole; restore the damaged one from a backup"
            case .diskFull: warning.hint = "the store is open for reading only, and all of it can be read; free some space before you write"
            default: return store
            }
            Console.warn(warning, asJSON: json)
            return store
        }
    }
}

extension Durability: ExpressibleByArgument {}
