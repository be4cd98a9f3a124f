import Dispatch
import Foundation
import WhenceTabular

/// Ends a command that is told to stop, as the system would, but without the unfinished files that it has begun.
enum Interruption {
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

    /// Watches from now on for what ends a process. Called once, at the start; not for the server, which ends in a way of its own.
    static func removesUnfinishedFiles() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            // Who started this without them, as nohup does, wants it to go on.
            let (before, ignored) = unsafe (unsafeBitCast(signal(number, SIG_IGN), to: Int.self), unsafeBitCast(SIG_IGN, to: Int.self))
            guard before != ignored else { continue }
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                ByteSink.removeUnfinished {
                    signal(number, SIG_DFL)
                    // Blocked here, and maybe in the whole process by whoever started it.
                    var own = sigset_t()
                    unsafe sigemptyset(&own)
                    unsafe sigaddset(&own, number)
                    unsafe pthread_sigmask(SIG_UNBLOCK, &own, nil)
                    raise(number)
                }
            }
            source.resume()
            unsafe sources.append(source)
        }
    }
}
