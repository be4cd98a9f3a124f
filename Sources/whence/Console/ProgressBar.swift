import Foundation
import WhenceCore

/// How far a long command has come, on one line of the terminal; says nothing where there is none.
final class ProgressBar {
    private static let redrawEvery = Duration.milliseconds(100)

    private let label: String
    private let unit: String
    let isShown = Console.isErrorTerminal
    private let start = ContinuousClock.now
    /// What was last said of the way so far.
    private var done = 0
    private var total: Int?
    private var drawn: ContinuousClock.Instant?

    init(_ label: String, unit: String = "rows") {
        self.label = label
        self.unit = unit
    }

    deinit { clear() }

    /// Shows that `done` of `total` are done, each as last said where it is left out, and how many things that was.
    /// Redraws ten times a second at most.
    func update(done: Int? = nil, of total: Int? = nil, count: Int) {
        guard isShown else { return }
        if let done { self.done = done }
        if let total { self.total = total }
        let now = ContinuousClock.now
        if let drawn, now - drawn < ProgressBar.redrawEvery { return }
        drawn = now
        draw(count: count, seconds: (now - start).inSeconds)
    }

    /// Takes the line away.
    func clear() {
        guard isShown, drawn != nil else { return }
        drawn = nil
        write("\r\u{1B}[2K")
    }

    private func draw(count: Int, seconds: Double) {
        var tail = "\(count.grouped) \(unit)"
        if seconds > 0.3 { tail += "  \((Double(count) / seconds).compact) \(unit)/s" }
        let head = "\(label)  "
        var bar = ""
        if let total, total > 0 {
            let part = min(1, Double(done) / Double(total))
            if part > 0.02, part < 1, seconds > 1 { tail += "  \(Int((seconds / part * (1 - part)).rounded(.up))) s left" }
            let percent = "\(Int(part * 100))%"
            tail = String(repeating: " ", count: max(0, 4 - percent.count)) + percent + "  " + tail
            let width = min(40, Console.width - head.count - tail.count - 5)
            if width >= 8 {
                let full = Int(part * Double(width))
                bar = String(repeating: "█", count: full) + String(repeating: "░", count: width - full) + " "
            }
        }
        write("\r\u{1B}[2K" + (head + bar + tail).prefix(max(20, Console.width - 1)))
    }

    private func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
