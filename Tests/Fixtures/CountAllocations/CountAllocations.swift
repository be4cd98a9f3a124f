import CAllocations
import Foundation
import WhenceCore
import WhenceModels

/// Counts what predictions ask the heap for: `CountAllocations MODEL…` predicts with each model, first to warm it, and prints a line
/// for every way to predict: `MODEL WAY COUNT`. The first line is a control, which must have counted something.
@main struct CountAllocations {
    static func main() throws {
        print("control array", count { _ = Array(repeating: CommandLine.arguments.count, count: 1000) })
        for path in CommandLine.arguments.dropFirst() { try check(path) }
    }

    private static func count(_ body: () throws -> Void) rethrows -> Int {
        allocations_begin()
        defer { _ = allocations_end() }
        try body()
        return allocations_end()
    }

    private static func check(_ path: String) throws {
        let model = try Model.read(.file(path))
        let width = model.featureCount
        let values: [Double] = [.nan, 0, 1, -1.5, 3, 0.25, 1e300, 7, -0.0, 2]
        let features = (0..<(1000 * width)).map { values[($0 * 7 + $0 / 11) % values.count] }
        let perRow = max(model.rawOutputCount * (width + 1), model.outputCount)
        var answers = Array(repeating: 0.0, count: 1000 * perRow)
        let leavesPerRow = try model.leavesPerRow()
        var leaves = Array(repeating: Int32(0), count: 1000 * leavesPerRow)
        for rows in [1, 1000] {
            let rowsOf = features.span.extracting(0..<(rows * width))
            var span = answers.mutableSpan
            var leafSpan = leaves.mutableSpan
            func report(_ way: String, _ body: () throws(WhenceError) -> Void) throws {
                do {
                    try body()
                    print(path, "\(way)_\(rows)", try count(body))
                } catch let error as WhenceError where error.code == .invalidValue {
                    // A graph may refuse rows; what it allocates to say so does not count.
                    print(path, "\(way)_\(rows)", 0)
                }
            }
            try report("raw") { () throws(WhenceError) in try model.predictRaw(rowsOf, rows: rows, into: &span) }
            try report("predict") { () throws(WhenceError) in try model.predict(rowsOf, rows: rows, into: &span) }
            if leavesPerRow > 0 {
                try report("leaves") { () throws(WhenceError) in try model.leafIndices(rowsOf, rows: rows, into: &leafSpan) }
            }
            if model.hasContributions {
                try report("contributions") { () throws(WhenceError) in try model.contributions(rowsOf, rows: rows, into: &span) }
            }
        }
    }
}
