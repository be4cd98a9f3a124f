import Foundation
import WhenceCore

/// The priority of event loops where `realtime_loops` asks for it.
///
/// Between threads of the usual policy a scheduler is fair in the long run, also to those of the lowest priority: on Linux since 6.6 one that has
/// waited for others of its kind is owed some milliseconds, and has them, while a read waits that has come meanwhile. A thread of a real-time
/// policy is not part of that reckoning: it has the processor as soon as it has something to do.
enum EventLoopPriority {
    /// Threads that the loop's thread makes are to be like all others. `SCHED_RESET_ON_FORK` of `sched.h`, where Swift does not see it.
    private static let resetOnFork: Int32 = 0x4000_0000

    /// Raises the calling thread; false where the system does not allow it.
    static func raise() -> Bool {
        var parameters = sched_param()
        // The lowest of them: it stands before all usual threads, and before nothing else.
        parameters.sched_priority = sched_get_priority_min(SCHED_RR)
        return unsafe sched_setscheduler(0, SCHED_RR | resetOnFork, &parameters) == 0
    }

    static var refusal: WhenceError {
        WhenceError(
            .invalidArgument, "the system gives this process no real-time priority", place: "realtime_loops",
            hint: "allow it one (ulimit -r 1, LimitRTPRIO=1 of systemd, or the capability CAP_SYS_NICE), or leave the setting away")
    }
}
