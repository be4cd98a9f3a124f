import Foundation
import NIOCore
import NIOPosix

/// Puts load on a server that listens on loopback: `Load whence|redis --port P [--connections N] [--depth N] [--batch N]
/// [--features N] [--entities N] [--seconds S] [--warm-up S] [--rate R] [--headers-only 1]`. Prints one line of JSON.
@main struct Load {
    static func main() async throws {
        let options = try Options(CommandLine.arguments.dropFirst())
        switch options.server {
        case "redis":
            try await put(options) { lane in
                RedisDialect(entitiesPerRequest: options.batch, features: options.features, picker: options.picker(lane))
            }
        case "whence":
            try await put(options) { lane in
                try WhenceDialect(
                    service: options.service, entitiesPerRequest: options.batch, features: options.features, picker: options.picker(lane),
                    headersOnly: options.headersOnly)
            }
        default: throw WrongAnswer(description: "which server? whence or redis")
        }
    }

    /// One event loop does it all: the other core is the server's.
    private static func put<Speech: Dialect>(_ options: Options, _ speech: @escaping @Sendable (Int) throws -> Speech) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let line = try await loop.flatSubmit {
            let run = Run<Speech>(options.plan, lanes: options.connections, loop: loop)
            for index in 0..<options.connections {
                ClientBootstrap(group: loop)
                    .channelOption(.socketOption(.tcp_nodelay), value: 1)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(Lane(try speech(index), depth: options.depth, run: run))
                        }
                    }
                    .connect(host: "127.0.0.1", port: options.port)
                    .whenFailure { run.failed("no connection: \($0)") }
            }
            return run.finished.map { () -> String in
                func micros(_ percentile: Double) -> Double { Double(run.latency.valueAtPercentile(percentile)) / 1000 }
                let fields: [(String, Double)] = [
                    ("requests_per_s", Double(run.answered) / run.seconds), ("shed_per_s", Double(run.shed) / run.seconds),
                    ("p50_us", micros(50)), ("p95_us", micros(95)), ("p99_us", micros(99)), ("p999_us", micros(99.9)),
                    ("max_us", Double(run.latency.max) / 1000),
                ]
                return "{" + fields.map { "\"\($0.0)\": \(String(format: "%.3f", $0.1))" }.joined(separator: ", ") + "}"
            }
        }.get()
        print(line)
        exit(0)
    }
}
