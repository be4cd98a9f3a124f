import RandomFixtures
import Testing

@testable import WhenceCore

/// `Formats/vectors` was written from the pages by another program; both directions must agree with it.
@Suite struct GoldenKeyTests {
    let keys: GoldenVectors.Keys

    init() throws {
        keys = try GoldenVectors.read("keys.json", as: GoldenVectors.Keys.self)
        #expect(keys.version == 1 && keys.entities.count > 100)
    }

    @Test func entitiesBothWays() throws {
        for entity in keys.entities {
            let values = entity.values.map(\.value)
            #expect(try EntityKey(values).bytes.hex == entity.hex, "\(entity.name)")
            #expect(try EntityKey(encoded: [UInt8](hex: entity.hex)).values() == values, "\(entity.name)")
        }
    }

    @Test func versionsBothWays() throws {
        for version in keys.versions {
            let entity = try EntityKey(version.values.map(\.value))
            guard let event = GoldenVectors.time(version.event_time), let commit = GoldenVectors.time(version.commit_time) else {
                Issue.record("a vector without times")
                continue
            }
            var bytes = entity.bytes
            VersionKey.appendTimes(event: event, commit: commit, to: &bytes)
            #expect(bytes.hex == version.hex)
            unsafe #expect(VersionKey.eventTime(bytes.span.bytes) == event)
            unsafe #expect(VersionKey.commitTime(bytes.span.bytes) == commit)
        }
    }

    @Test func listsAreInOrder() throws {
        for list in keys.sorted {
            let encoded = try list.keys.map { try EntityKey($0.map(\.value)) }
            #expect(zip(encoded, encoded.dropFirst()).allSatisfy { $0 < $1 }, "\(list.name)")
        }
        let versions = try keys.sorted_versions.map { version -> [UInt8] in
            var bytes = try EntityKey(version.values.map(\.value)).bytes
            VersionKey.appendTimes(
                event: GoldenVectors.time(version.event_time) ?? .distantPast,
                commit: GoldenVectors.time(version.commit_time) ?? .distantPast,
                to: &bytes)
            return bytes
        }
        #expect(versions.count > 50)
        #expect(zip(versions, versions.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    }

    @Test func whatIsNoKeyIsRefused() {
        for refused in keys.refused {
            let error = #expect(throws: WhenceError.self, "\(refused.name)") { try EntityKey(encoded: [UInt8](hex: refused.hex)).values() }
            #expect(error?.code == .corruption)
        }
    }

    /// A tuple cut short may still be a shorter tuple, but never the same one, and never a trap.
    @Test func cutAndFlippedKeysNeverTrap() throws {
        var random = SeededRandom.printed()
        for entity in keys.entities {
            let bytes = [UInt8](hex: entity.hex)
            for length in bytes.indices {
                guard let values = try? EntityKey(encoded: Array(bytes[..<length])).values() else { continue }
                #expect(values.count <= entity.values.count && values != entity.values.map(\.value), "\(entity.name) cut to \(length)")
            }
            for _ in 0..<100 {
                var damaged = bytes
                damaged[random.below(bytes.count)] = UInt8(random.below(256))
                if let values = try? EntityKey(encoded: damaged).values() { #expect(try EntityKey(values).bytes == damaged) }
            }
        }
    }
}

@Suite struct GoldenRowTests {
    let rows: GoldenVectors.Rows

    init() throws {
        rows = try GoldenVectors.read("rows.json", as: GoldenVectors.Rows.self)
        #expect(rows.version == 1 && rows.rows.count > 25)
    }

    @Test func rowsBothWays() throws {
        for row in rows.rows {
            let layout = try rows.layout(row.schema)
            var encoder = RowEncoder(layout)
            encoder.begin(availability: GoldenVectors.time(row.availability))
            encoder.markOver(deletion: row.over_deletion, retraction: row.over_retraction)
            var expected: RowCodecTests.Row = [:]
            for (index, field) in layout.schema.fields.enumerated() {
                guard let value = try row.values[field.name]?.value(field.type) else { continue }
                expected[index] = value
                try encoder.set(index, value)
            }
            #expect(expected.count == row.values.count)
            var bytes: [UInt8] = []
            try encoder.finish(into: &bytes)
            #expect(bytes.hex == row.hex, "\(row.name)")

            let stored = [UInt8](hex: row.hex)
            let header = try RowHeaderTests.read(stored)
            #expect(header.kind == .row && header.schemaID == layout.schema.id, "\(row.name)")
            #expect(header.availability == GoldenVectors.time(row.availability), "\(row.name)")
            #expect(header.isOverDeletion == row.over_deletion && header.isOverRetraction == row.over_retraction, "\(row.name)")
            #expect(RowCodecTests.areIdentical(try RowCodecTests.decode(stored, layout), expected), "\(row.name)")
        }
    }

    @Test func deletionsAndRetractionsBothWays() throws {
        for tombstone in rows.tombstones {
            let kind = tombstone.kind == "deletion" ? VersionKind.deletion : .retraction
            var bytes: [UInt8] = []
            RowEncoder.append(kind, availability: GoldenVectors.time(tombstone.availability), to: &bytes)
            #expect(bytes.hex == tombstone.hex)
            let header = try RowHeaderTests.read([UInt8](hex: tombstone.hex))
            #expect(header.kind == kind && header.availability == GoldenVectors.time(tombstone.availability))
            for length in bytes.indices { #expect(throws: WhenceError.self) { try RowHeaderTests.read(Array(bytes[..<length])) } }
        }
    }

    @Test func whatIsNoRowIsRefused() throws {
        for refused in rows.refused {
            let layout = try rows.layout(refused.schema)
            let error = #expect(throws: WhenceError.self, "\(refused.name)") { try RowCodecTests.decode([UInt8](hex: refused.hex), layout) }
            #expect(error?.code == (refused.code == "unknownFormat" ? .unknownFormat : .corruption), "\(refused.name)")
        }
    }

    @Test func everyCutIsRefused() throws {
        for row in rows.rows {
            let (layout, bytes) = (try rows.layout(row.schema), [UInt8](hex: row.hex))
            for length in bytes.indices {
                #expect(throws: WhenceError.self, "\(row.name) cut to \(length)") {
                    try RowCodecTests.decode(Array(bytes[..<length]), layout)
                }
            }
        }
    }

    /// Damaged rows are refused or read as some row, through values and through columns alike; nothing traps.
    @Test func flippedRowsNeverTrap() throws {
        var random = SeededRandom.printed()
        for row in rows.rows {
            let (layout, bytes) = (try rows.layout(row.schema), [UInt8](hex: row.hex))
            for _ in 0..<200 {
                var damaged = bytes
                for _ in 0..<(1 + random.below(3)) { damaged[random.below(bytes.count)] ^= UInt8(1 + random.below(255)) }
                _ = try? RowCodecTests.decode(damaged, layout)
                GoldenRowTests.project(damaged, layout)
            }
        }
    }

    /// Reads the row as the engine does.
    private static func project(_ bytes: [UInt8], _ layout: RowLayout) {
        let targets = layout.schema.fields.map { RowProjection.Target(featureID: $0.id, type: $0.type) }
        let projection = RowProjection(
            targets: targets, layouts: [layout.schema.id < 1_000 ? layout : RowLayout(Schema(id: 1, fields: []))])
        let columns = ProjectedColumns(projection, count: 1, withEventTimes: true)
        var decoder = RowDecoder(projection, into: columns)
        let span = unsafe bytes.span.bytes
        do throws(WhenceError) {
            let header = try RowHeader(span)
            if try !decoder.decodeDense(0, version: span, header: header, eventTime: .earliest) {
                decoder.begin(0)
                _ = try decoder.take(span, header: header, eventTime: .earliest)
            }
            for column in try columns.finish() { _ = column.value(0) }
        } catch { #expect(error.code == .corruption || error.code == .unknownFormat) }
    }
}
