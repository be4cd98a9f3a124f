import Testing

/// A strict reader of the Prometheus text format 0.0.4: what it does not take, a scraper might not take either.
struct ExpositionParser {
    struct Failure: Error, CustomStringConvertible {
        let line: Int
        let description: String
    }

    struct Sample: Equatable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    private(set) var types: [String: String] = [:]
    private(set) var samples: [Sample] = []

    init(_ text: String) throws {
        var number = 0
        func fail(_ message: String) -> Failure { Failure(line: number, description: message) }
        guard text.isEmpty || text.hasSuffix("\n") else { throw fail("the last line has no end") }
        var current = ""
        var helped: Set<String> = []
        var seen: Set<String> = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            number += 1
            if line.hasPrefix("# HELP ") {
                let name = String(line.dropFirst(7).prefix { $0 != " " })
                guard helped.insert(name).inserted else { throw fail("a second HELP of \(name)") }
                current = name
            } else if line.hasPrefix("# TYPE ") {
                let parts = line.dropFirst(7).split(separator: " ").map(String.init)
                guard parts.count == 2, parts[0] == current, ["counter", "gauge", "histogram"].contains(parts[1]) else {
                    throw fail("TYPE")
                }
                guard types.updateValue(parts[1], forKey: parts[0]) == nil else { throw fail("a second TYPE of \(parts[0])") }
            } else {
                let sample = try Self.sample(line, fail)
                let isOfCurrent =
                    sample.name == current
                    || types[current] == "histogram" && ["_bucket", "_sum", "_count"].contains { sample.name == current + $0 }
                guard isOfCurrent, types[current] != nil else { throw fail("\(sample.name) stands outside its group") }
                if types[current] == "counter" {
                    guard current.hasSuffix("_total"), sample.value >= 0 else { throw fail("\(current) is no counter") }
                }
                let identity =
                    sample.name + sample.labels.sorted { $0.key < $1.key }.map { "\($0.key)\u{0}\($0.value)" }.joined(separator: "\u{1}")
                guard seen.insert(identity).inserted else { throw fail("\(line) is there twice") }
                samples.append(sample)
            }
        }
        try checkHistograms()
    }

    private static func sample(_ line: Substring, _ fail: (String) -> Failure) throws -> Sample {
        var rest = line
        func take(while isFitting: (Character) -> Bool) -> String {
            let text = rest.prefix(while: isFitting)
            rest = rest.dropFirst(text.count)
            return String(text)
        }
        func isNamePart(_ c: Character) -> Bool { c.isASCII && (c.isLetter || c.isNumber || c == "_" || c == ":") }
        let name = take(while: isNamePart)
        guard let first = name.first, !first.isNumber else { throw fail("no name in \(line)") }
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = take(while: isNamePart)
                guard !label.isEmpty, rest.hasPrefix("=\"") else { throw fail("no label in \(line)") }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.first, character != "\"" {
                    rest = rest.dropFirst()
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.first {
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    case "n": value.append("\n")
                    default: throw fail("an unknown escape in \(line)")
                    }
                    rest = rest.dropFirst()
                }
                guard rest.first == "\"", labels.updateValue(value, forKey: label) == nil else { throw fail("labels of \(line)") }
                rest = rest.dropFirst()
                if rest.first == "," { rest = rest.dropFirst() } else if rest.first != "}" { throw fail("labels of \(line)") }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " " else { throw fail("no value in \(line)") }
        let text = String(rest.dropFirst())
        let value: Double? = text == "+Inf" ? .infinity : text == "-Inf" ? -.infinity : text == "NaN" ? .nan : Double(text)
        guard let value, !text.contains(" ") else { throw fail("no number in \(line)") }
        return Sample(name: name, labels: labels, value: value)
    }

    /// Buckets never fall, end with +Inf, and that one is the count.
    private func checkHistograms() throws {
        for name in types.filter({ $0.value == "histogram" }).keys {
            let counts = samples.filter { $0.name == name + "_count" }
            for count in counts {
                let buckets = samples.filter { sample in
                    sample.name == name + "_bucket" && sample.labels.filter { $0.key != "le" } == count.labels
                }
                let bounds = buckets.map { $0.labels["le"] == "+Inf" ? .infinity : Double($0.labels["le"] ?? "") ?? .nan }
                let isSound =
                    bounds == bounds.sorted() && bounds.last == .infinity && buckets.map(\.value) == buckets.map(\.value).sorted()
                    && buckets.last?.value == count.value && samples.contains { $0.name == name + "_sum" && $0.labels == count.labels }
                guard isSound else { throw Failure(line: 0, description: "histogram \(name) \(count.labels)") }
            }
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }
}
