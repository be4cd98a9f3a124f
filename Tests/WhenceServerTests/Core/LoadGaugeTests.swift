import NIOCore
import Testing

@testable import WhenceServer

/// When an event loop is overloaded, and what it refuses then. Time is made up.
@Suite("Load gauge") struct LoadGaugeTests {
    /// A loop that serves turn after turn: in each of them every connection has the same number of reads waiting.
    private final class Loop {
        var gauge = LoadGauge(turnLimit: .milliseconds(10), overloadedTurn: .milliseconds(1))
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let read = TimeAmount.microseconds(50)
        let refusal = TimeAmount.microseconds(1)

        /// Serves a turn. Returns how many reads of each connection were answered.
        func turn(connections: Int = 1, reads: Int) -> [Int] {
            var answered = [Int](repeating: 0, count: connections)
            for connection in 0..<connections {
                let isFirst = gauge.beginConnection(now)
                #expect(isFirst == (connection == 0))
                for _ in 0..<reads {
                    if gauge.refuses(now) {
                        now = now + refusal
                    } else {
                        now = now + read
                        gauge.count(read)
                        answered[connection] += 1
                    }
                }
            }
            gauge.endTurn(now)
            return answered
        }

        /// Whether one read more is refused.
        func refuses() -> Bool { gauge.refuses(now) }

        /// Serves turns of one connection until the loop is overloaded, or for two seconds.
        func turnsUntilOverloaded(reads: Int) -> Int {
            var turns = 0
            while !gauge.isOverloaded, turns < 2_000_000 / (50 * reads) {
                _ = turn(reads: reads)
                turns += 1
            }
            return turns
        }
    }

    @Test("long turns are an overload when they have come one after the other for a while") func patience() {
        let loop = Loop()
        // 15 ms each: the first ones are answered whole.
        #expect(loop.turnsUntilOverloaded(reads: 300) == 7)
        #expect(loop.turn(reads: 300) == [20])
    }

    @Test("a deep pipeline whose turns are not too long is answered whole, however long it goes on") func pipeline() {
        let loop = Loop()
        #expect(loop.turnsUntilOverloaded(reads: 199) == 2_000_000 / (50 * 199))
        #expect(!loop.gauge.isOverloaded)
        #expect(loop.turn(reads: 199) == [199])
    }

    @Test("a short turn between long ones begins the while anew") func burst() {
        let loop = Loop()
        for _ in 0..<20 {
            for _ in 0..<6 { #expect(loop.turn(reads: 300) == [300]) }
            #expect(loop.turn(reads: 1) == [1])
        }
        #expect(!loop.gauge.isOverloaded)
    }

    @Test("connections share an overloaded turn") func fairness() {
        let loop = Loop()
        _ = loop.turnsUntilOverloaded(reads: 300)
        _ = loop.turn(connections: 4, reads: 300)
        #expect(loop.turn(connections: 4, reads: 300) == [5, 5, 5, 5])
        // Who asks for little gets all of it.
        _ = loop.gauge.beginConnection(loop.now)
        #expect(!loop.refuses())
    }

    @Test("more connections than a turn has time for get no more than that time") func manyConnections() {
        let loop = Loop()
        _ = loop.turnsUntilOverloaded(reads: 300)
        _ = loop.turn(connections: 100, reads: 3)
        let answered = loop.turn(connections: 100, reads: 3)
        #expect(answered.reduce(0, +) == 20 && answered.max() == 1)
    }

    @Test("the overload is over when nothing had to be refused for a while") func recovery() {
        let loop = Loop()
        _ = loop.turnsUntilOverloaded(reads: 300)
        _ = loop.turn(reads: 300)
        // 20 reads are what a turn of 1 ms has time for.
        let began = loop.now
        while loop.gauge.isOverloaded, loop.now - began < .seconds(1) { #expect(loop.turn(reads: 20) == [20]) }
        #expect(loop.now - began >= LoadGauge.patience && loop.now - began < LoadGauge.patience + .milliseconds(5))
        #expect(loop.turn(reads: 100) == [100])
    }

    @Test("reads outside of turns are never refused, and count nothing") func outsideOfTurns() {
        let loop = Loop()
        _ = loop.turnsUntilOverloaded(reads: 300)
        #expect(!loop.refuses())
        loop.gauge.count(.seconds(1))
        #expect(loop.turn(reads: 20) == [20])
    }
}
