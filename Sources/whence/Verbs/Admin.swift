import ArgumentParser

struct Admin: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look after a store: statistics, compaction, retention, erasure.",
        subcommands: [AdminStats.self, AdminCompact.self, AdminRetain.self, AdminErase.self])
}
