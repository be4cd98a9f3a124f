import ArgumentParser
import Foundation
import WhenceCore
import WhenceModels
import WhenceServer

struct ModelInspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Say what a model file is and what it needs.",
        discussion: "Example: whence model inspect model.txt")

    @Argument(help: "The model's file.")
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(help: "List every feature, also those that no rule looks at.")
    var all = false

    func run() throws {
        let start = ContinuousClock.now
        let model = try Model.read(.file(file))
        let seconds = (ContinuousClock.now - start).inSeconds
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        let bytes = (attributes?[.size] as? NSNumber)?.intValue ?? 0
        if json { return try Console.print(described(model, bytes: bytes, seconds: seconds)) }
        try Console.print(text(model, bytes: bytes, seconds: seconds))
    }

    private func text(_ model: Model, bytes: Int, seconds: Double) -> String {
        var lines: [(String, String)] = [("file", "\(file), \(bytes.byteText)"), ("format", model.format.name), ("library", model.library)]
        func add(_ key: String, _ text: String) { if !text.isEmpty { lines.append((key, text)) } }
        add("booster", model.booster)
        add("objective", model.objective)
        if model.treeCount > 0 {
            add("trees", "\(model.treeCount.grouped), at most \(model.depth.grouped) deep, \(model.nodeCount.grouped) nodes")
        }
        if model.iterationCount > 0 {
            let best = model.bestIterations.map { ", the best is \($0.grouped)" } ?? ""
            add("iterations", model.iterationCount.grouped + best)
        }
        add("outputs", outputs(model))
        if model.transformName != "none" { add("transform", model.transformName) }
        for note in model.notes { add(note.key, note.text) }
        add("contributions", model.contributionsLack.map { "no: \($0)" } ?? "yes")
        add("memory", "\(model.memoryBytes.byteText), read in \(seconds.fixed(3)) s")
        let used = model.features.count { $0.isUsed }
        add("features", "\(model.featureCount.grouped)" + (used < model.featureCount ? ", of which \(used.grouped) are used" : ""))
        let width = lines.map(\.0.count).max() ?? 0
        let head = lines.map { $0.0 + String(repeating: " ", count: width + 2 - $0.0.count) + $0.1 + "\n" }.joined()
        return head + "\n" + features(model)
    }

    private func outputs(_ model: Model) -> String {
        let names = model.outputNames
        return names.count <= 8 ? names.joined(separator: ", ") : "\(names.count.grouped): \(names.prefix(4).joined(separator: ", ")), …"
    }

    private func features(_ model: Model) -> String {
        let splits = model.splitCounts
        let gains = model.gains
        var header = ["feature", "type"]
        if !splits.isEmpty { header.append("splits") }
        if !gains.isEmpty { header.append("gain") }
        var table = TextTable(header, right: [2, 3])
        for (index, feature) in model.features.enumerated() where all || feature.isUsed {
            var row = [feature.name, ModelInspect.type(feature)]
            if !splits.isEmpty { row.append(splits[index].grouped) }
            if !gains.isEmpty { row.append(gains[index].compact) }
            table.append(row)
        }
        return table.text
    }

    private static func type(_ feature: ModelFeature) -> String {
        switch feature.kind {
        case .number: return "number"
        case .text: return "text"
        case .category:
            let texts = feature.categories
            if texts.isEmpty { return "category (whole number)" }
            return "category (\(texts.prefix(4).joined(separator: ", "))\(texts.count > 4 ? ", … \(texts.count.grouped) in all" : ""))"
        }
    }

    private func described(_ model: Model, bytes: Int, seconds: Double) -> JSON {
        let splits = model.splitCounts
        let gains = model.gains
        let features = model.features.enumerated().map { index, feature in
            var members: [(String, JSON)] = [
                ("name", .string(feature.name)), ("type", .string("\(feature.kind)")), ("used", .bool(feature.isUsed)),
            ]
            if !feature.categories.isEmpty { members.append(("categories", .array(feature.categories.map { .string($0) }))) }
            if !splits.isEmpty { members.append(("splits", .int(splits[index]))) }
            if !gains.isEmpty { members.append(("gain", JSON(gains[index]))) }
            return JSON.object(members)
        }
        return .object([
            ("file", .string(file)), ("file_bytes", .int(bytes)), ("format", .string(model.format.rawValue)),
            ("library", .string(model.library)),
            ("booster", .string(model.booster)), ("objective", .string(model.objective)), ("transform", .string(model.transformName)),
            ("trees", .int(model.treeCount)), ("depth", .int(model.depth)), ("nodes", .int(model.nodeCount)),
            ("iterations", .int(model.iterationCount)), ("best_iterations", model.bestIterations.map { .int($0) } ?? .null),
            ("outputs", .array(model.outputNames.map { .string($0) })), ("contributions", .bool(model.hasContributions)),
            ("memory_bytes", .int(model.memoryBytes)), ("read_seconds", JSON(seconds)),
            ("notes", .object(model.notes.map { ($0.key, .string($0.text)) })), ("features", .array(features)),
        ])
    }
}
