import WhenceCore
import WhenceEngine

/// The store of a server, closed by whoever opened it and not by whichever thread happens to let go of it last: one that closes the store while
/// the process exits meets what RocksDB has destroyed already, and aborts.
final class HeldStore {
    private var store: Store?

    init(at path: String, options: StoreOptions) throws(WhenceError) { store = try Store(at: path, options: options) }

    func use<Result>(_ body: (Store) async throws -> Result) async throws -> Result {
        guard let store else { throw WhenceError(.storeClosed, "the store is closed") }
        return try await body(store)
    }

    /// Waits until nobody else has the store, and closes it. False where somebody still has it after `patience`.
    func close(patience: Duration = .seconds(10)) async -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + patience
        while store != nil, !isKnownUniquelyReferenced(&store) {
            guard clock.now < end else { return false }
            try? await clock.sleep(for: .milliseconds(2))
        }
        store = nil
        return true
    }
}
