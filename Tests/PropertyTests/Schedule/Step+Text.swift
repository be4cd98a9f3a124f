import WhenceCore

/// A schedule as a person reads it, and can paste it into a test.
extension Step: CustomStringConvertible {
    var description: String {
        switch self {
        case .write(let rows, let split, let key):
            ".write([\n\(Step.lines(rows))    ]\(split ? ", split: true" : "")\(key.map { ", key: \($0)" } ?? ""))"
        case .beginBackfill(let view): ".beginBackfill(view: \(view))"
        case .backfill(let view, let rows): ".backfill(view: \(view), [\n\(Step.lines(rows))    ])"
        case .publish(let view): ".publish(view: \(view))"
        case .abandon(let view): ".abandon(view: \(view))"
        case .flush(let view): ".flush(view: \(view))"
        case .compact(let view): ".compact(view: \(view))"
        case .retain(let view, let before): ".retain(view: \(view), before: \(before))"
        case .erase(let kind, let entity): ".erase(kind: \(kind), entity: \(entity))"
        case .restart(let bytes, let threads): ".restart(latestCacheBytes: \(bytes), threads: \(threads))"
        case .alter(let alteration): ".alter(.\(alteration))"
        case .clock(let tick): ".clock(\(tick))"
        case .join(let join):
            """
            .join(JoinStep(rows: [
            \(Step.lines(join.rows))    ], repeatedTo: \(Step.text(join.repeatedTo)), blockRows: \(Step.text(join.blockRows)), \
            pin: .\(join.pin), served: \(join.served), threads: \(join.threads), features: \(join.features.map(String.init) ?? "nil"), \
            isWithinHorizon: \(join.isWithinHorizon), spills: \(join.spills)))
            """
        case .online(let online):
            """
            .online(OnlineStep(rows: [
            \(Step.lines(online.rows))    ], kept: \(online.kept), withEventTimes: \(online.withEventTimes)))
            """
        case .history(let view, let entity, let pin): ".history(view: \(view), entity: \(entity), .\(pin))"
        case .scan(let view, let from, let to, let pin):
            ".scan(view: \(view), from: \(Step.text(from)), to: \(Step.text(to)), .\(pin))"
        case .entities(let view, let instants, let from, let pin, let served):
            ".entities(view: \(view), instants: \(instants), from: \(Step.text(from)), .\(pin), served: \(served))"
        }
    }

    private static func text(_ number: Int?) -> String { number.map { "\($0)" } ?? "nil" }

    private static func lines(_ rows: [RowStep]) -> String {
        rows.map { row in
            let features = row.features.map { draw in
                ".init(name: \"\(draw.name)\", seed: \(draw.seed)\(draw.isLarge ? ", isLarge: true" : ""))"
            }
            return "        RowStep(view: \(row.view), entity: \(row.entity), event: \(row.event)"
                + (row.available.map { ", available: \($0)" } ?? "") + (row.kind == .row ? "" : ", kind: .\(row.kind)")
                + (features.isEmpty ? "" : ", features: [\(features.joined(separator: ", "))]") + "),\n"
        }.joined()
    }

    private static func lines(_ rows: [SpineRow]) -> String {
        rows.map { row in
            "        SpineRow(tick: \(row.tick), user: \(text(row.user)), other: \(text(row.other)), "
                + "place: \(text(row.place)), thing: \(text(row.thing))),\n"
        }.joined()
    }
}
