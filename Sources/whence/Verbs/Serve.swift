import ArgumentParser
import Dispatch
import Logging
import ServiceLifecycle
import UnixSignals
import WhenceCore
import WhenceServer

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a store over the network.",
        discussion: "Example: whence serve --data store --listen 127.0.0.1:9462")

    @Option(help: ArgumentHelp("Where to listen.", valueName: "host:port"))
    var listen = "127.0.0.1:9462"

    @OptionGroup var store: StoreArguments

    func run() throws {
        var configuration = ServerConfiguration()
        configuration.listen = try ListenAddress(parsing: listen)
        guard configuration.listen.isLoopback else {
            throw UsageError("--listen", "a server without TLS and users listens on loopback only")
        }
        var logger = Logger(label: "whence", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .notice
        let server = Server(try store.open(.create), configuration, logger: logger)
        let group = ServiceGroup(
            configuration: .init(services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        Task.detached {
            do {
                let address = try await server.start()
                try Console.print("listening on \(address)")
                try await group.run()
            } catch {
                outcome.error = error
            }
            done.signal()
        }
        done.wait()
        if let error = outcome.error { throw error }
    }

    /// Written before the semaphore is signalled, read after.
    private final class Outcome: @unchecked Sendable {
        var error: (any Error)?
    }
}
