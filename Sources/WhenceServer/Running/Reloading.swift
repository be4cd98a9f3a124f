import Logging
import ServiceLifecycle
import UnixSignals
import WhenceCore

/// Reads certificates, users and tokens again, and goes on in a new audit log, on SIGHUP. What cannot be read stays as it was, and is told.
struct Reloading: Service {
    let access: AccessControl
    let tls: ServerTLS?
    let logger: Logger
    /// SIGHUP, trapped before anybody was told that the server is there: untrapped it would end the process.
    let hangUps: UnixSignalsSequence

    func run() async throws {
        for await _ in hangUps.cancelOnGracefulShutdown() { reload() }
    }

    /// Each part by itself: a broken certificate does not keep a token from being revoked.
    func reload() {
        if access.audit.isKept { attempt("audit log") { () throws(WhenceError) in try access.audit.reopen() } }
        if access.isRequired { attempt("users") { () throws(WhenceError) in try access.reload() } }
        if let tls { attempt("certificates") { () throws(WhenceError) in try tls.reload() } }
    }

    private func attempt(_ what: String, _ body: () throws(WhenceError) -> Void) {
        do throws(WhenceError) {
            try body()
            logger.info("reloaded", metadata: ["what": "\(what)"])
            access.audit.record(.init(.reload, operation: what, result: "ok"))
        } catch {
            logger.error(
                "not reloaded: the old one stays in use",
                metadata: ["what": "\(what)", "error": "\(error.message)", "place": "\(error.place)"])
            access.audit.record(.init(.reload, operation: what, result: "\(error.code)"))
        }
    }
}
