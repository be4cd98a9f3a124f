import Foundation

/// A page of metrics in the Prometheus text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
struct Exposition {
    enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    /// Begins a metric: its samples follow, all before the next one begins.
    mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n"))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, (label, value)) in labels.enumerated() {
                text += "\(index > 0 ? "," : "")\(label)=\"\(Self.escaped(value))\""
            }
            text += "}"
        }
        text += " \(Self.number(value))\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Int) { sample(name, labels, Double(value)) }

    /// A metric with one sample.
    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        begin(name, kind, help)
        sample(name, [], value)
    }

    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Int) { single(name, kind, help, Double(value)) }

    /// The samples of one histogram of seconds.
    mutating func histogram(_ name: String, _ labels: [(String, String)], _ counts: OperationCounters.Counts) {
        var sum = 0
        for (index, bound) in LatencyBuckets.boundsMicros.enumerated() {
            sum += counts.latencies[index]
            sample("\(name)_bucket", labels + [("le", Self.number(Double(bound) / 1e6))], sum)
        }
        sum += counts.latencies[LatencyBuckets.boundsMicros.count]
        sample("\(name)_bucket", labels + [("le", "+Inf")], sum)
        sample("\(name)_sum", labels, Double(counts.micros) / 1e6)
        sample("\(name)_count", labels, sum)
    }

    /// The value of a label, in which backslashes, quotes and line breaks are escaped.
    static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }
}
