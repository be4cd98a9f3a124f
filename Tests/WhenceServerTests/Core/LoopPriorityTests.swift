import Foundation
import Testing
import WhenceCore
import WhenceProtocol

@testable import WhenceServer

/// What `realtime_loops` makes of the threads of a server.
@Suite("Priority of event loops") struct LoopPriorityTests {
    /// The threads of this process: their names, and whether their policy is a real-time one.
    private func threads() throws -> [(name: Substring, isRealtime: Bool)] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap { thread in
            // A thread may have ended meanwhile.
            guard let text = try? String(contentsOfFile: "/proc/self/task/\(thread)/stat", encoding: .utf8),
                let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")")
            else { return nil }
            // The policy is the 41st field, of which two stand before the end of the name.
            let fields = text[text.index(after: end)...].split(separator: " ")
            return (text[text.index(after: start)..<end], fields[38] == "2")
        }
    }

    /// Whether the system gives a thread of this process such a priority.
    private func isAllowed() async -> Bool {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                var parameters = sched_param(sched_priority: 1)
                continuation.resume(returning: unsafe sched_setscheduler(0, SCHED_RR, &parameters) == 0)
            }
        }
    }

    @Test("is real-time for them, and for nothing that they or the server make") func loops() async throws {
        do {
            try await TestServer.run {
                $0.realtimeLoops = true
                $0.limits.eventLoops = 2
            } _: { server in
                let client = try server.client()
                let _: Committed = try client.ask(Tables.write(Tables.trips(0..<100)))
                let threads = try threads()
                let raised = threads.filter(\.isRealtime).map(\.name)
                #expect(raised.count == 2 && raised.allSatisfy { $0.hasPrefix("NIO-ELT") }, "\(raised)")
                // What an operator finds the one by that has written.
                #expect(threads.contains { $0.name.hasPrefix("writes-") }, "\(threads)")
            }
        } catch let error as WhenceError where error.place == "realtime_loops" {
            #expect(await !isAllowed(), "\(error)")
        }
    }
}
