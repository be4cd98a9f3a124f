import ArgumentParser

/// The command `whence`.
struct Whence: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whence",
        abstract: "A time-travel feature store: what is it now, and what did we know then?",
        discussion: """
            A first round, in a directory of its own:
              whence apply flights.yaml --data store
              whence ingest weather weather.csv --data store --backfill
              whence get departure_delay --entity origin=JFK --data store
              whence join --service departure_delay --spine flights.csv \\
                --out training.csv --data store

            Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 done but some input rows were rejected.
            """,
        version: "whence 0.1.0",
        subcommands: [
            Plan.self, Apply.self, CatalogVerb.self, Ingest.self, Get.self, HistoryVerb.self, Scan.self, Join.self, ModelVerb.self,
            Admin.self, Serve.self, UserVerb.self,
        ])
}
