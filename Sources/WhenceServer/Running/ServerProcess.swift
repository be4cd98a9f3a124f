import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import UnixSignals
import WhenceCore
import WhenceEngine

/// A whole server, from its configuration to its end: what `whence serve` runs.
public struct ServerProcess: Sendable {
    /// Where a server can be reached once it is ready.
    public struct Addresses: Sendable {
        public let server: ListenAddress
        public let http: ListenAddress?
    }

    private let configuration: ServerConfiguration
    private let logger: Logger

    public init(_ configuration: ServerConfiguration, output: LogOutput = .standardError) {
        self.configuration = configuration
        let settings = configuration.log
        logger = Logger(label: "whence") { ServerLogHandler(label: $0, settings: settings, output: output) }
    }

    /// Whatever can be found wrong without starting: reads certificates and users.
    public func check() throws(WhenceError) {
        try configuration.checkExposure()
        if let files = configuration.tls {
            _ = try ServerTLS(files)
            try ServerTLS.checkValidity(files.certificateChain, at: .wallClock())
        }
        if let users = configuration.users { _ = try UsersFile(path: users).read() }
        if let log = configuration.auditLog {
            let folder = URL(fileURLWithPath: log).deletingLastPathComponent().path
            guard FileManager.default.isWritableFile(atPath: FileManager.default.fileExists(atPath: log) ? log : folder) else {
                throw WhenceError(
                    .invalidArgument, "the audit log cannot be written", place: log,
                    hint: "name a file in a folder that is there and that the server's user may write")
            }
        }
    }

    /// Serves until SIGTERM or SIGINT, then drains and returns. SIGHUP reads certificates, users and tokens again.
    ///
    /// - Parameter ready: called once, when requests are answered.
    public func run(ready: @escaping @Sendable (Addresses) -> Void) async throws(WhenceError) {
        try configuration.checkExposure()
        // A client that goes away is an error of a write, and not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let tls = try configuration.tls.map { files throws(WhenceError) in try ServerTLS(files) }
        let audit = try configuration.auditLog.map { path throws(WhenceError) in try AuditLog(path: path) } ?? AuditLog()
        let throttle = LoginThrottle(failures: configuration.limits.loginFailures, within: configuration.limits.loginWindow)
        let access = try AccessControl(
            users: configuration.users, acceptsCertificates: tls?.acceptsCertificates ?? false, audit: audit, throttle: throttle)
        warnOfOpenDoors()
        let metrics = ServerMetrics()
        let health = ServerHealth()
        let pages = SidePages(
            metrics: metrics, health: health, access: access, needsToken: configuration.guardsHTTP && access.isRequired)
        // First of all, so that probes see a server that is alive while a large log is recovered.
        let side = configuration.http.map {
            SideServer(address: $0, pages: pages, tls: configuration.guardsHTTP ? tls : nil, logger: logger)
        }
        let sideAddress = try side.map { side throws(WhenceError) in try side.start() }
        do {
            try await serve(access, tls, metrics, health, pages, side) { ready(Addresses(server: $0, http: sideAddress)) }
        } catch {
            await side?.stop()
            throw (error as? WhenceError) ?? WhenceError(.internalError, "the server ended: \(error)")
        }
    }

    private func serve(
        _ access: AccessControl, _ tls: ServerTLS?, _ metrics: ServerMetrics, _ health: ServerHealth, _ pages: SidePages,
        _ side: SideServer?,
        ready: @escaping @Sendable (ListenAddress) -> Void
    ) async throws {
        let isNew = !FileManager.default.fileExists(atPath: configuration.data + "/FORMAT")
        var options = configuration.store
        // In a server there is always somebody whose read matters more.
        options.compactsAtLowPriority = true
        let held = try HeldStore(at: configuration.data, options: options)
        if isNew { logger.notice("there was no store, and a new one was made", metadata: ["data": "\(configuration.data)"]) }
        let result: Result<Void, any Error>
        do {
            try await held.use { store in
                let server = Server(store, configuration, access: access, tls: tls, metrics: metrics, logger: logger)
                pages.show(store)
                do {
                    try await serve(server, access, tls, health, side, ready: ready)
                } catch {
                    await server.shutDown()
                    throw error
                }
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        health.end()
        pages.close()
        if await !held.close() { logger.warning("the store is still in use at the end, and was not closed") }
        access.audit.record(.init(.stop, operation: "serve", result: "ok"))
        try result.get()
    }

    private func serve(
        _ server: Server, _ access: AccessControl, _ tls: ServerTLS?, _ health: ServerHealth, _ side: SideServer?,
        ready: @escaping @Sendable (ListenAddress) -> Void
    ) async throws {
        let address = try await server.start()
        health.begin {
            server.isDraining
        } readOnlyReason: {
            server.readOnlyCause.map { "\($0.code)" }
        }
        access.audit.record(.init(.start, operation: "serve", result: "ok", detail: "\(address)"))
        // Ended in the reverse order: the server drains first, while its health can still be seen.
        var services: [any Service] = []
        if let side { services.append(side) }
        let hangUps = await UnixSignalsSequence(trapping: .sighup)
        services += [Reloading(access: access, tls: tls, logger: logger, hangUps: hangUps), server, Announcement { ready(address) }]
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
    }

    /// The service group says much that is of no use to an operator.
    private var quiet: Logger {
        var quiet = logger
        quiet.logLevel = max(.warning, logger.logLevel)
        return quiet
    }

    private func warnOfOpenDoors() {
        let isExposed = [configuration.listen, configuration.http].compactMap { $0 }.contains { !$0.isLoopback }
        if isExposed, configuration.tls == nil { logger.warning("connections from other machines are not encrypted") }
        if isExposed, configuration.users == nil { logger.warning("everyone who can connect may read, write and erase everything") }
        if let users = configuration.users,
            let mode = (try? FileManager.default.attributesOfItem(atPath: users))?[.posixPermissions] as? NSNumber,
            mode.intValue & 0o077 != 0
        {
            logger.warning("others may read the file of users: chmod 600", metadata: ["file": "\(users)"])
        }
    }
}

/// Says that the server is ready once signals are trapped, so that whoever waits for that may send one at once.
private struct Announcement: Service {
    let announce: @Sendable () -> Void

    func run() async throws {
        announce()
        try await gracefulShutdown()
    }
}
