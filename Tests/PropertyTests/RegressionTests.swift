import Testing
import WhenceCore

/// Schedules on which the engine and the model once differed, as the shrinker left them.
@Suite struct RegressionTests {
    private static func row(
        _ view: Int, _ entity: Int, at event: Int, available: Int? = nil, _ kind: VersionKind = .row, _ features: String...
    ) -> RowStep {
        let draws = features.enumerated().map { RowStep.Draw(name: $1, seed: UInt64($0) + 77) }
        return RowStep(view: view, entity: entity, event: event, available: available, kind: kind, features: draws)
    }

    private static func spine(_ entity: Int, at tick: Int) -> [SpineRow] {
        [SpineRow(tick: tick, user: entity, other: entity, place: entity, thing: min(entity, 6))]
    }

    private static func join(_ entity: Int, at tick: Int) -> Step {
        .join(
            JoinStep(
                rows: spine(entity, at: tick), repeatedTo: nil, blockRows: nil, pin: .now, served: false, threads: 1, features: nil,
                isWithinHorizon: true))
    }

    private static func online(_ entity: Int, kept: Bool = false) -> Step {
        .online(OnlineStep(rows: spine(entity, at: 0), kept: kept, withEventTimes: false))
    }

    private func run(_ steps: [Step], ttls: [Int?] = [nil, nil, nil, nil]) throws {
        _ = try ScheduleRunner.run(Schedule(ttls: ttls, steps: steps))
    }

    @Test func twoBatchesOfOneViewAreMerged() throws {
        let rows = [RegressionTests.row(0, 6, at: 12, .row, "ratio"), RegressionTests.row(0, 6, at: 12, .row, "big")]
        try run([.write(rows, split: true), RegressionTests.join(6, at: 52)])
    }

    @Test func anEntityWithoutValuesIsInNoSpine() throws {
        try run([
            .write([RegressionTests.row(2, 7, at: 10)]), .entities(view: 2, instants: [20], from: nil, .now, served: false),
            .write([RegressionTests.row(2, 7, at: 12, .row, "x")]), .alter(.retire(view: 2, "x")),
            .entities(view: 2, instants: [20], from: nil, .now, served: false),
        ])
    }

    @Test func theBeginningOfABackfillIsNotGivenAgain() throws {
        try run([
            .beginBackfill(view: 0), .restart(latestCacheBytes: 0, threads: 1), .write([RegressionTests.row(0, 0, at: 1, .row, "big")]),
        ])
    }

    @Test func aReaderFromBeforeAPlanSpoilsNoCache() throws {
        let steps: [Step] = [
            .write([RegressionTests.row(0, 3, at: 21, .row, "flag")]), RegressionTests.online(1, kept: true), .clock(30),
            .alter(.ttl(view: 0, nil)), RegressionTests.online(3, kept: true), RegressionTests.online(3),
        ]
        try run(steps, ttls: [4, nil, nil, nil])
    }

    @Test func aRetiredFeatureIsNothingToAReaderThatIsKept() throws {
        try run([
            .write([RegressionTests.row(1, 6, at: 1, .row, "raw")]), RegressionTests.online(6, kept: true), .alter(.retire(view: 1, "raw")),
            RegressionTests.online(6, kept: true), .write([RegressionTests.row(1, 6, at: 2, .row, "word", "seen", "vec", "tags", "ids")]),
            RegressionTests.online(6, kept: true),
        ])
    }

    @Test func thePresentNeverGoesBack() throws {
        try run([
            .write([RegressionTests.row(0, 7, at: 9, available: 72, .row, "flag")]), .clock(78), RegressionTests.online(7), .clock(66),
            RegressionTests.online(7),
        ])
    }

    @Test func retentionKeepsADeletionThatALaterFeatureMeets() throws {
        try run([
            .write([RegressionTests.row(3, 4, at: 27, .row, "n", "label")]), .write([RegressionTests.row(3, 4, at: 6, .deletion)]),
            .clock(60), .retain(view: 3, before: 51), .alter(.add(view: 3, "extra", .int32)),
            .write([RegressionTests.row(3, 4, at: 3, .row, "extra")]), RegressionTests.join(4, at: 60),
        ])
    }

    @Test func retentionKeepsARetractionOfADeletionThatALaterFeatureMeets() throws {
        try run([
            .write([RegressionTests.row(3, 4, at: 27, .row, "n", "label")]), .write([RegressionTests.row(3, 4, at: 6, .deletion)]),
            .write([RegressionTests.row(3, 4, at: 6, .retraction)]), .clock(60), .retain(view: 3, before: 51),
            .alter(.add(view: 3, "extra", .int32)), .write([RegressionTests.row(3, 4, at: 3, .row, "extra")]),
            RegressionTests.join(4, at: 60),
        ])
    }

    @Test func aHorizonLaterThanTheLastCommitRefusesNoUnpinnedRead() throws {
        try run([
            .write([RegressionTests.row(0, 1, at: 9, .row, "flag")]), .clock(100), .retain(view: 0, before: 50),
            RegressionTests.join(1, at: 60), .entities(view: 0, instants: [60], from: nil, .now, served: false),
        ])
    }

    @Test func aBackfilledRetractionBeyondRetentionIsRefused() throws {
        try run([
            .retain(view: 0, before: 16), .beginBackfill(view: 0),
            .backfill(view: 0, [RegressionTests.row(0, 6, at: 3, .retraction), RegressionTests.row(0, 6, at: 3)]), .publish(view: 0),
        ])
        try run([
            .beginBackfill(view: 0), .backfill(view: 0, [RegressionTests.row(0, 6, at: 3, .retraction)]), .retain(view: 0, before: 16),
            .publish(view: 0),
        ])
    }
}
