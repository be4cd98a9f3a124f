import RandomFixtures
import Testing
import WhenceCore

@Suite struct ColumnBuilderTests {
    static func hex(_ buffer: ColumnBuffer?) -> String? {
        buffer.map { buffer in (0..<buffer.byteCount).map { buffer.span[$0] }.hex }
    }

    static func column(_ type: FeatureType, _ values: [Value]) throws(WhenceError) -> Column {
        let builder = ColumnBuilder(type)
        for value in values { try builder.append(value) }
        return try builder.finish()
    }

    static func rawBytes(_ value: Value, _ type: FeatureType) throws -> [UInt8] {
        let layout = RowLayout(Schema(id: 1, fields: [SchemaField(id: 0, name: "a", type: type)]))
        var encoder = RowEncoder(layout)
        encoder.begin(availability: nil)
        try encoder.set(0, value)
        var row: [UInt8] = []
        try encoder.finish(into: &row)
        guard case .bytes(let range) = unsafe try RowBody(row.span.bytes, layout).place(of: 0) else { return [] }
        return Array(row[range])
    }

    @Test func bothModesHoldWhatIsPutIn() throws {
        var random = SeededRandom.printed()
        for _ in 0..<400 {
            let type = random.featureType()
            let nulls = random.below(3)
            let values = (0..<random.below(70)).map { _ in random.below(4) < nulls ? Value.null : random.value(type) }
            let appended = try ColumnBuilderTests.column(type, values)
            let set = ColumnBuilder(type, count: values.count)
            let arena = ByteArena()
            set.retain(arena)
            for row in values.indices.shuffled(using: &random) {
                // Sometimes something else first, which the second call replaces.
                if random.below(4) == 0 {
                    let other = try ColumnBuilderTests.rawBytes(random.value(type), type)
                    unsafe set.set(row, raw: other.span.bytes, arena: arena)
                }
                if values[row] == .null {
                    set.setNull(row)
                } else {
                    let raw = try ColumnBuilderTests.rawBytes(values[row], type)
                    unsafe set.set(row, raw: raw.span.bytes, arena: arena)
                }
            }
            let column = try set.finish()
            for (row, value) in values.enumerated() {
                #expect(column.value(row).isIdentical(to: value), "\(type.name) row \(row)")
                #expect(appended.value(row).isIdentical(to: value), "\(type.name) row \(row)")
                #expect(column.isValid(row) == (value != .null))
            }
            #expect(column.count == values.count && column.nullCount == values.filter { $0 == .null }.count)
            // The same values are the same bytes, however they came.
            #expect(ColumnBuilderTests.hex(column.validity) == ColumnBuilderTests.hex(appended.validity))
            #expect(ColumnBuilderTests.hex(column.offsets) == ColumnBuilderTests.hex(appended.offsets))
            #expect(ColumnBuilderTests.hex(column.values) == ColumnBuilderTests.hex(appended.values))
            #expect(ColumnBuilderTests.hex(column.elementOffsets) == ColumnBuilderTests.hex(appended.elementOffsets))
        }
    }

    @Test func layoutOfFixedWidths() throws {
        let numbers = try ColumnBuilderTests.column(.int32, [.int32(1), .null, .int32(-2)])
        #expect(ColumnBuilderTests.hex(numbers.values) == "0100000000000000feffffff")
        #expect(ColumnBuilderTests.hex(numbers.validity) == "05")
        #expect(numbers.nullCount == 1 && numbers.offsets == nil && numbers.elementOffsets == nil)
        let vectors = try ColumnBuilderTests.column(.vector(dimension: 2), [.vector([1, 2]), .null])
        #expect(ColumnBuilderTests.hex(vectors.values) == "0000803f000000400000000000000000")
        #expect(vectors.values.byteCount == 16)
    }

    @Test func validityIsLeftOutWhereEveryRowHasAValue() throws {
        #expect(try ColumnBuilderTests.column(.int64, [.int64(1)]).validity == nil)
        #expect(try ColumnBuilderTests.column(.int64, []).validity == nil)
        #expect(ColumnBuilderTests.hex(try ColumnBuilderTests.column(.int64, [.null]).validity) == "00")
    }

    @Test func booleansAreBits() throws {
        let flags: [Value] = [
            .bool(true), .bool(false), .null, .bool(true), .bool(true), .bool(true), .bool(true), .bool(true), .bool(true),
        ]
        let column = try ColumnBuilderTests.column(.bool, flags)
        #expect(ColumnBuilderTests.hex(column.values) == "f901")
        #expect(ColumnBuilderTests.hex(column.validity) == "fb01")
    }

    @Test func layoutOfTextAndLists() throws {
        let text = try ColumnBuilderTests.column(.string, [.string("ab"), .null, .string(""), .string("c")])
        #expect(ColumnBuilderTests.hex(text.offsets) == "0000000002000000020000000200000003000000")
        #expect(ColumnBuilderTests.hex(text.values) == "616263")
        #expect(ColumnBuilderTests.hex(text.validity) == "0d")
        let numbers = try ColumnBuilderTests.column(.list(.int32), [.list([.int32(1), .int32(2)]), .null, .list([]), .list([.int32(3)])])
        #expect(ColumnBuilderTests.hex(numbers.offsets) == "0000000002000000020000000200000003000000")
        #expect(ColumnBuilderTests.hex(numbers.values) == "010000000200000003000000")
        #expect(numbers.elementOffsets == nil)
        let flags = try ColumnBuilderTests.column(.list(.bool), [.list([.bool(true)]), .list([.bool(false), .bool(true)])])
        #expect(ColumnBuilderTests.hex(flags.offsets) == "000000000100000003000000")
        #expect(ColumnBuilderTests.hex(flags.values) == "05")
        let strings = try ColumnBuilderTests.column(
            .list(.string), [.list([.string("ab"), .string("")]), .list([]), .list([.string("c")])])
        #expect(ColumnBuilderTests.hex(strings.offsets) == "00000000020000000200000003000000")
        #expect(ColumnBuilderTests.hex(strings.elementOffsets) == "00000000020000000200000003000000")
        #expect(ColumnBuilderTests.hex(strings.values) == "616263")
    }

    @Test func emptyColumnsOfVariableLengthHaveOneOffset() throws {
        let empty = try ColumnBuilderTests.column(.string, [])
        #expect(ColumnBuilderTests.hex(empty.offsets) == "00000000" && empty.values.byteCount == 0)
        let lists = try ColumnBuilderTests.column(.list(.bytes), [])
        #expect(ColumnBuilderTests.hex(lists.offsets) == "00000000")
        #expect(ColumnBuilderTests.hex(lists.elementOffsets) == "00000000")
    }

    @Test func statesSayWhichRowsHaveValues() throws {
        let builder = ColumnBuilder(.int64, count: 4)
        builder.set(0, fixed: Int64(1))
        builder.set(1, fixed: Int64(2))
        builder.set(3, fixed: Int64(4))
        let states = unsafe ColumnBuffer(copying: [UInt8]([0, 2, 2, 1]).span.bytes)
        let column = try builder.finish(states: states)
        #expect((0..<4).map { column.value($0) } == [.null, .int64(2), .null, .int64(4)])
    }

    @Test func aFinishedBuilderIsEmptyAndMayBeUsedAgain() throws {
        for type in [FeatureType.int64, .bool, .string, .list(.int64), .list(.string), .vector(dimension: 3)] {
            var random = SeededRandom(seed: 7)
            let builder = ColumnBuilder(type)
            let first = (0..<40).map { _ in random.value(type) }
            for value in first { try builder.append(value) }
            let column = try builder.finish()
            #expect(builder.count == 0)
            builder.appendNull()
            try builder.append(first[3])
            let second = try builder.finish()
            #expect(second.value(0) == .null && second.value(1).isIdentical(to: first[3]))
            for (row, value) in first.enumerated() { #expect(column.value(row).isIdentical(to: value)) }
        }
    }

    @Test func anotherTypeIsRefused() throws {
        let builder = ColumnBuilder(.int64)
        #expect(throws: WhenceError.self) { try builder.append(.string("1")) }
        #expect(throws: WhenceError.self) { try ColumnBuilder(.vector(dimension: 2)).append(.vector([1])) }
        #expect(throws: WhenceError.self) { try ColumnBuilder(.list(.int64)).append(.list([.null])) }
        #expect(try builder.finish().count == 0)
    }

    @Test func rowsMayBeSetFromSeveralThreads() async throws {
        let builder = ColumnBuilder(.string, count: 4_000)
        await withTaskGroup(of: Void.self) { group in
            for part in 0..<4 {
                group.addTask {
                    let arena = ByteArena()
                    builder.retain(arena)
                    for row in stride(from: part, to: 4_000, by: 4) {
                        let text = Array(String(row).utf8)
                        unsafe builder.set(row, raw: text.span.bytes, arena: arena)
                    }
                }
            }
        }
        let column = try builder.finish()
        #expect((0..<4_000).allSatisfy { column.value($0) == .string(String($0)) })
    }
}
