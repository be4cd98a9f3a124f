import RandomFixtures
import Testing

@testable import WhenceCore

@Suite struct RowCodecTests {
    /// Fields by index; a field that is not there is absent.
    typealias Row = [Int: Value]

    static func encode(_ row: Row, _ layout: RowLayout, availability: Timestamp? = nil) throws(WhenceError) -> [UInt8] {
        var encoder = RowEncoder(layout)
        encoder.begin(availability: availability)
        for (field, value) in row.sorted(by: { $0.key < $1.key }) { try encoder.set(field, value) }
        var bytes: [UInt8] = []
        try encoder.finish(into: &bytes)
        return bytes
    }

    static func decode(_ bytes: [UInt8], _ layout: RowLayout) throws(WhenceError) -> Row {
        let span = unsafe bytes.span.bytes
        let body = try RowBody(span, layout)
        var row: Row = [:]
        for (index, field) in layout.schema.fields.enumerated() {
            switch body.place(of: index) {
            case .absent: continue
            case .null: row[index] = .null
            case .bytes(let range): row[index] = try Value(span.extracting(range), as: field.type)
            }
        }
        return row
    }

    static func random(_ random: inout SeededRandom, _ schema: Schema) -> Row {
        let (absentOf4, nullOf4) = ([0, 0, 1, 3][random.below(4)], [0, 0, 1, 4][random.below(4)])
        var row: Row = [:]
        for (index, field) in schema.fields.enumerated() where random.below(4) >= absentOf4 {
            row[index] = random.below(4) < nullOf4 ? .null : random.value(field.type)
        }
        return row
    }

    static func areIdentical(_ a: Row, _ b: Row) -> Bool {
        a.count == b.count && a.allSatisfy { index, value in b[index].map { $0.isIdentical(to: value) } ?? false }
    }

    @Test func rowsOfAnySchemaReadBack() throws {
        var random = SeededRandom.printed()
        for _ in 0..<600 {
            let layout = RowLayout(random.schema())
            // One encoder for many rows, so that nothing of one row may be left in the next.
            var encoder = RowEncoder(layout)
            var all: [UInt8] = []
            for _ in 0..<8 {
                let row = RowCodecTests.random(&random, layout.schema)
                let availability = random.below(2) == 0 ? nil : Timestamp(microseconds: random.integer())
                encoder.begin(availability: availability)
                // In any order, some more than once: the last one counts.
                for field in row.keys.shuffled(using: &random) {
                    if random.below(4) == 0 { encoder.setNull(field) }
                    if random.below(4) == 0 { try encoder.set(field, random.value(layout.schema.fields[field].type)) }
                    try encoder.set(field, row[field] ?? .null)
                }
                let start = all.count
                try encoder.finish(into: &all)
                let bytes = Array(all[start...])
                #expect(try bytes == RowCodecTests.encode(row, layout, availability: availability))
                let header = unsafe try RowHeader(bytes.span.bytes)
                #expect(header.availability == availability && header.schemaID == layout.schema.id)
                #expect(header.isSparse == (row.count < layout.schema.fields.count))
                #expect(header.hasNulls == row.values.contains(.null))
                #expect(RowCodecTests.areIdentical(try RowCodecTests.decode(bytes, layout), row))
                #expect(bytes.indices.allSatisfy { (try? RowCodecTests.decode(Array(bytes[..<$0]), layout)) == nil })
                #expect(throws: WhenceError.self) { try RowCodecTests.decode(bytes + [0], layout) }
            }
        }
    }

    @Test func overlayIsALaterRowOverAnEarlierOne() throws {
        var random = SeededRandom.printed()
        for _ in 0..<600 {
            let layout = RowLayout(random.schema())
            var encoder = RowEncoder(layout)
            encoder.begin(availability: nil)
            var merged: Row = [:]
            for _ in 0..<(1 + random.below(3)) {
                let row = RowCodecTests.random(&random, layout.schema)
                let bytes = try RowCodecTests.encode(row, layout)
                unsafe try encoder.overlay(bytes.span.bytes)
                merged.merge(row) { $1 }
            }
            var bytes: [UInt8] = []
            try encoder.finish(into: &bytes)
            #expect(try bytes == RowCodecTests.encode(merged, layout))
        }
    }

    @Test func theSeveralWaysToSetAgree() throws {
        let layout = RowLayout(
            Schema(
                id: 1,
                fields: [
                    SchemaField(id: 0, name: "a", type: .float64), .init(id: 1, name: "b", type: .int32),
                    .init(id: 2, name: "c", type: .string),
                ]))
        var encoder = RowEncoder(layout)
        encoder.begin(availability: nil)
        encoder.set(0, fixed: 1.5)
        encoder.set(1, fixed: Int32(-2))
        unsafe encoder.set(2, raw: Array("hé".utf8).span.bytes)
        var bytes: [UInt8] = []
        try encoder.finish(into: &bytes)
        #expect(try bytes == RowCodecTests.encode([0: .float64(1.5), 1: .int32(-2), 2: .string("hé")], layout))
    }

    @Test func marksOfWhatStandsBeneath() throws {
        let layout = RowLayout(Schema(id: 1, fields: [SchemaField(id: 0, name: "a", type: .bool)]))
        var encoder = RowEncoder(layout)
        for (deletion, retraction) in [(false, false), (true, false), (false, true), (true, true)] {
            encoder.begin(availability: nil)
            encoder.markOver(deletion: deletion, retraction: retraction)
            encoder.set(0, fixed: true)
            var bytes: [UInt8] = []
            try encoder.finish(into: &bytes)
            let header = unsafe try RowHeader(bytes.span.bytes)
            #expect(header.isOverDeletion == deletion && header.isOverRetraction == retraction)
        }
    }

    @Test func rowsOfAnotherSchemaOrKindAreRefused() throws {
        let fields = [SchemaField(id: 0, name: "a", type: .int64)]
        let (one, two) = (RowLayout(Schema(id: 1, fields: fields)), RowLayout(Schema(id: 2, fields: fields)))
        let bytes = try RowCodecTests.encode([0: .int64(7)], one)
        #expect(throws: WhenceError.self) { try RowCodecTests.decode(bytes, two) }
        let empty = RowLayout(Schema(id: 0, fields: []))
        #expect(throws: WhenceError.self) { try RowCodecTests.decode([1], empty) }
        #expect(throws: WhenceError.self) { try RowCodecTests.decode([2], empty) }
    }

    @Test func flippedBytesNeverTrap() throws {
        var random = SeededRandom.printed()
        var refused = 0
        for _ in 0..<3_000 {
            let layout = RowLayout(random.schema())
            let bytes = try RowCodecTests.encode(RowCodecTests.random(&random, layout.schema), layout, availability: nil)
            for _ in 0..<8 {
                var damaged = bytes
                for _ in 0..<(1 + random.below(2)) {
                    damaged[random.below(damaged.count)] = [0, 0xFF, UInt8(random.below(256))][random.below(3)]
                }
                do { _ = try RowCodecTests.decode(damaged, layout) } catch { refused += 1 }
            }
        }
        #expect(refused > 1_000)
    }
}

/// What a writer may not store, and what a reader may not believe.
@Suite struct FieldBytesTests {
    static func decoded(_ hex: String, _ type: FeatureType) throws(WhenceError) -> Value {
        unsafe try Value([UInt8](hex: hex).span.bytes, as: type)
    }

    @Test(arguments: [
        ("ff", FeatureType.string), ("c3", .string), ("ed a0 80", .string), ("00 00", .bool), ("", .bool), ("00 00 00", .int32),
        ("", .int64),
        ("00 00 00 00", .vector(dimension: 2)), ("00 00 00 00 00 00", .list(.int32)), ("", .list(.string)), ("00 00", .list(.bytes)),
        ("01 00 00 00", .list(.bytes)), ("ff ff ff ff", .list(.bytes)), ("00 00 00 00 00", .list(.bytes)),
        ("01 00 00 00 01 00 00 00", .list(.bytes)), ("01 00 00 00 00 00 00 00 61", .list(.bytes)),
        ("02 00 00 00 02 00 00 00 01 00 00 00 61 61", .list(.bytes)), ("01 00 00 00 ff ff ff ff 61", .list(.bytes)),
        ("01 00 00 00 01 00 00 00 ff", .list(.string)),
    ]) func damagedValuesAreRefused(_ hex: String, _ type: FeatureType) {
        let error = #expect(throws: WhenceError.self) { try FieldBytesTests.decoded(hex, type) }
        #expect(error?.code == .corruption)
        // A column is as careful as a value about lists, whose bytes are read again when it is finished.
        guard case .list = type else { return }
        let builder = ColumnBuilder(type)
        unsafe builder.append(raw: [UInt8](hex: hex).span.bytes)
        if type != .list(.string) || hex.count < 20 { #expect(throws: WhenceError.self) { try builder.finish() } }
    }

    private static func finishing(_ type: FeatureType, _ raw: [UInt8]) -> WhenceError? {
        var encoder = RowEncoder(RowLayout(Schema(id: 1, fields: [SchemaField(id: 0, name: "tail", type: type)])))
        encoder.begin(availability: nil)
        unsafe encoder.set(0, raw: raw.span.bytes)
        var out: [UInt8] = [42]
        do {
            try encoder.finish(into: &out)
            return nil
        } catch {
            #expect(out == [42], "a refused row leaves nothing behind")
            // The next row is none the worse for it.
            out = []
            encoder.begin(availability: nil)
            encoder.setNull(0)
            #expect(throws: Never.self) { try encoder.finish(into: &out) }
            return error
        }
    }

    @Test func rawValuesAreLimitedToo() {
        #expect(FieldBytesTests.finishing(.bytes, Array(repeating: 0, count: Limits.valueBytes)) == nil)
        let error = FieldBytesTests.finishing(.bytes, Array(repeating: 0, count: Limits.valueBytes + 1))
        #expect(error?.code == .limitExceeded)
        #expect(error?.message.contains("'tail'") == true)
    }

    @Test(arguments: [
        ("ff", FeatureType.string), ("61 62 63 64 65 66 67 68 c3", .string), ("00 00 00", .list(.int32)), ("", .list(.string)),
        ("01 00 00 00 01 00 00 00 ff", .list(.string)), ("01 00 00 00 02 00 00 00 61", .list(.bytes)),
    ]) func rawValuesOfAnotherFormAreNotStored(_ hex: String, _ type: FeatureType) {
        let error = FieldBytesTests.finishing(type, [UInt8](hex: hex))
        #expect(error?.code == .invalidValue)
        #expect(error?.message.contains("'tail'") == true)
    }

    @Test func rowsOfManyLargeValuesAreLimited() throws {
        let fields = (0..<5).map { SchemaField(id: UInt32($0), name: "f\($0)", type: .bytes) }
        var encoder = RowEncoder(RowLayout(Schema(id: 1, fields: fields)))
        let megabyte = Array(repeating: UInt8(0), count: Limits.valueBytes)
        encoder.begin(availability: nil)
        for field in 0..<3 { unsafe encoder.set(field, raw: megabyte.span.bytes) }
        var out: [UInt8] = []
        try encoder.finish(into: &out)
        encoder.begin(availability: nil)
        for field in 0..<5 { unsafe encoder.set(field, raw: megabyte.span.bytes) }
        let before = out
        let error = #expect(throws: WhenceError.self) { try encoder.finish(into: &out) }
        #expect(error?.code == .limitExceeded)
        #expect(out == before)
    }

    @Test func errorsDoNotRepeatAHugeValue() {
        var encoder = RowEncoder(RowLayout(Schema(id: 1, fields: [SchemaField(id: 0, name: "a", type: .int64)])))
        encoder.begin(availability: nil)
        do {
            try encoder.set(0, .string(String(repeating: "x", count: 1 << 20)))
            Issue.record("a string is no int64")
        } catch { #expect(error.code == .invalidValue && error.message.utf8.count < 400) }
    }
}
