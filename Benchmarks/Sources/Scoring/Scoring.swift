import Foundation
import WhenceCore
import WhenceModels

// Whence's side of the comparison of scorers (`Benchmarks/peers/models.py`): `Scoring COMMAND MODEL [ROWS RUNS]`, one line of JSON a
// result. ROWS is a file of doubles, rows one behind the other. One thread.

func say(_ fields: KeyValuePairs<String, Any>) {
    let body = fields.map { "\"\($0.key)\": " + ($0.value is String ? "\"\($0.value)\"" : "\($0.value)") }
    print("{" + body.joined(separator: ", ") + "}")
    fflush(nil)
}

/// Processor seconds of the quickest of `runs` runs: one thread works, and what else the machine does is not counted. With several
/// threads (`THREADS` in the environment), what the clock on the wall says.
func best(_ runs: Int, _ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(ProcessInfo.processInfo.environment["THREADS"] == nil ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    var best = Double.infinity
    for _ in 0..<runs {
        let start = now()
        try body()
        best = min(best, now() - start)
    }
    return best
}

func doubles(_ path: String) throws -> [Double] {
    try Data(contentsOf: URL(filePath: path)).withUnsafeBytes { Array($0.bindMemory(to: Double.self)) }
}

/// A number of `/proc/self/status`, in kB there, in MB.
func statusMegabytes(_ key: String) -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") } ?? ""
    return (Double(line.split(separator: " ").dropFirst().first ?? "") ?? 0) * 1024 / 1e6
}

/// Gives back to the system what the heap keeps for later (`malloc_trim`, which Swift's module of the C library does not have).
func trimHeap() {
    guard let symbol = dlsym(nil, "malloc_trim") else { return }
    _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
}

@main struct Scoring {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else {
            FileHandle.standardError.write(Data("usage: Scoring load|single|batch|contributions MODEL [ROWS [RUNS [COUNT]]]\n".utf8))
            exit(2)
        }
        let runs = arguments.count > 4 ? Int(arguments[4]) ?? 5 : 5
        if arguments[1] == "load" {
            var model: Model?
            let seconds = try best(runs) {
                model = nil
                model = try Model.read(.file(arguments[2]))
            }
            // What a process that has read a model before needs for another one, at most: its code and what it keeps do not count.
            model = nil
            trimHeap()
            try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
            let before = statusMegabytes("VmRSS")
            model = try Model.read(.file(arguments[2]))
            say([
                "name": "load", "seconds": seconds, "memory_mb": Double(model?.memoryBytes ?? 0) / 1e6, "trees": model?.treeCount ?? 0,
                "peak_mb": statusMegabytes("VmHWM") - before,
            ])
            return
        }
        let model = try Model.read(.file(arguments[2]))
        let features = try doubles(arguments[3])
        var rows = features.count / model.featureCount
        if arguments.count > 5 { rows = min(rows, Int(arguments[5]) ?? rows) }
        let width = model.featureCount
        let threads = Int(ProcessInfo.processInfo.environment["THREADS"] ?? "") ?? 1
        switch arguments[1] {
        case "single":
            var answer = Array(repeating: 0.0, count: model.outputCount)
            var sum = 0.0
            let seconds = try best(runs) {
                sum = 0
                for row in 0..<rows {
                    var span = answer.mutableSpan
                    try model.predict(features.span.extracting((row * width)..<((row + 1) * width)), rows: 1, into: &span)
                    sum += span[0]
                }
            }
            say(["name": "single", "us": seconds / Double(rows) * 1e6, "sum": sum])
        case "batch":
            var answers = Array(repeating: 0.0, count: rows * model.outputCount)
            let seconds = try best(runs) {
                var span = answers.mutableSpan
                try model.predict(features.span.extracting(0..<(rows * width)), rows: rows, threads: threads, into: &span)
            }
            say(["name": "batch", "ms": seconds * 1e3, "rows": rows, "sum": answers.reduce(0, +)])
        case "contributions":
            let part = Array(features[..<(rows * width)])
            var sum = 0.0
            let seconds = try best(runs) { sum = try model.contributions(part, rows: rows, threads: threads).reduce(0, +) }
            say(["name": "contributions", "ms": seconds * 1e3, "rows": rows, "sum": sum])
        default:
            FileHandle.standardError.write(Data("there is no command '\(arguments[1])'\n".utf8))
            exit(2)
        }
    }
}
