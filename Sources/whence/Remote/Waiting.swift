import Dispatch
import Synchronization
import WhenceCore

/// The command line does one thing after the other: it waits on its own thread for what the client does on others.
enum Waiting {
    private final class Outcome<T: Sendable>: Sendable {
        let value = Mutex<Result<T, WhenceError>?>(nil)
    }

    static func `for`<T: Sendable>(_ body: @escaping @Sendable () async throws(WhenceError) -> T) throws(WhenceError) -> T {
        let outcome = Outcome<T>()
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            let result: Result<T, WhenceError>
            do throws(WhenceError) {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            outcome.value.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        guard let result = outcome.value.withLock({ $0 }) else { throw WhenceError(.cancelled, "there is no answer") }
        return try result.get()
    }
}
