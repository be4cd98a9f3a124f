import Foundation
import Testing
import WhenceCore
import WhenceTabular

@Suite("Tables out") struct RowWriterTests {
    static func written(_ batches: [ColumnBatch], _ make: (ByteSink) throws -> any RowWriter) throws -> [UInt8] {
        let sink = ByteSink(memoryNamed: "t")
        let writer = try make(sink)
        for batch in batches { try writer.write(batch) }
        try writer.finish()
        return sink.memory
    }

    /// Reads every column back as the type that it was written as.
    static func readBack(_ reader: any RecordReader, _ columns: [TableColumn]) throws -> [[Value]] {
        let reader = reader
        var rows: [[Value]] = []
        while try reader.next() {
            rows.append(
                try columns.map { column in
                    guard let index = reader.index(of: column.name) else { return .null }
                    return try TextValue.value(reader.field(index), as: column.type, times: TimeParser()) ?? .null
                })
        }
        return rows
    }

    static func expectSame(_ a: [[Value]], _ b: [[Value]]) {
        #expect(a.count == b.count)
        for (x, y) in zip(a, b) {
            for (left, right) in zip(x, y) where !left.isIdentical(to: right) { Issue.record("\(left) is not \(right)") }
        }
    }

    @Test("CSV is quoted where it must be, and reads back to the bit")
    func csv() throws {
        let batch = try Samples.everyType()
        let bytes = try RowWriterTests.written([batch, batch]) { try CSVWriter($0, columns: Samples.columns(batch)) }
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "flag,small,large,single,double,text,raw,time,embedding,numbers,words,flags,blobs")
        #expect(
            lines[1].hasPrefix(
                "true,-2147483648,-9223372036854775808,0.1,0.1,\"\",0x,0001-01-01T00:00:00Z,\"[1.0,-2.5,1e-10]\",\"[1,-2]\","))
        #expect(text.contains("\"a \"\"b\"\",\nü€😀\\\""))
        let reader = try CSVReader(ByteSource(bytes: bytes, name: "t.csv"))
        RowWriterTests.expectSame(try RowWriterTests.readBack(reader, Samples.columns(batch)), Samples.rows(batch) + Samples.rows(batch))
    }

    @Test("NDJSON is JSON, and reads back to the bit")
    func ndjson() throws {
        let batch = try Samples.everyType()
        let bytes = try RowWriterTests.written([batch]) { NDJSONWriter($0, columns: Samples.columns(batch)) }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        #expect(lines[1].contains("\"double\":\"Infinity\"") && lines[1].contains("\"text\":null"))
        #expect(lines[2].contains("\"text\":\"a \\\"b\\\",\\nü€😀\\\\\""))
        let reader = NDJSONReader(ByteSource(bytes: bytes, name: "t.ndjson"))
        RowWriterTests.expectSame(try RowWriterTests.readBack(reader, Samples.columns(batch)), Samples.rows(batch))
    }

    /// Texts that a reader of CSV may take for something else.
    static let nastyTexts = [
        "", " ", " a ", "NaN", "nan", "NA", "n/a", "null", "NULL", "None", "nano", "true", "0", "-1.5e3", "007", "inf", "0x00", "[1,2]",
        "a,b",
        "a\nb", "a\r\nb", "\r", "\n", "\"", "\"\"", "a\"b", "\"a\"", "'", "\\N", "\\n", "#", "2013-01-01T00:00:00Z", "\u{FEFF}x", "\u{0}",
        "ü😀",
        "\t", ";", "=1+1",
    ]

    @Test("texts that look like something else survive both formats, as values, as join keys and as names of columns")
    func nasty() throws {
        let texts = RowWriterTests.nastyTexts
        for width in [1, 2] {
            let builders = (0..<width).map { _ in ColumnBuilder(.string) }
            for row in texts.indices {
                for (index, builder) in builders.enumerated() { try builder.append(.string(texts[(row + index) % texts.count])) }
            }
            let names = (0..<width).map { $0 == 0 ? "NaN" : "a \"b\",\n" }
            let batch = ColumnBatch(names: names, columns: try builders.map { try $0.finish() }, count: texts.count)
            let columns = Samples.columns(batch)
            let csv = try RowWriterTests.written([batch]) { try CSVWriter($0, columns: columns) }
            let options = CSVReader.Options(nullTexts: ["NA", "null", "NaN"], absentText: "n/a")
            func reader() throws -> CSVReader { try CSVReader(ByteSource(bytes: csv, name: "t"), options: options) }
            RowWriterTests.expectSame(try RowWriterTests.readBack(reader(), columns), Samples.rows(batch))
            let keys = try reader()
            #expect(keys.columns == names)
            for text in texts {
                #expect(try keys.next())
                guard !text.isEmpty else { continue }
                var key: [UInt8] = []
                try TextValue.appendKey(keys.field(0), as: .string, to: &key)
                #expect(try EntityKey(encoded: key).values() == [.string(text)])
            }
            let json = try RowWriterTests.written([batch]) { NDJSONWriter($0, columns: columns) }
            RowWriterTests.expectSame(
                try RowWriterTests.readBack(NDJSONReader(ByteSource(bytes: json, name: "t")), columns), Samples.rows(batch))
        }
    }

    @Test("doubles of all sizes survive both formats")
    func doubles() throws {
        var generator = SeededGenerator(state: 3)
        let builder = ColumnBuilder(.float64)
        for _ in 0..<5000 { builder.append(fixed: Double(bitPattern: generator.next() & 0xFFEF_FFFF_FFFF_FFFF)) }
        let batch = ColumnBatch(names: ["x"], columns: [try builder.finish()], count: 5000)
        let columns = Samples.columns(batch)
        let csv = try RowWriterTests.written([batch]) { try CSVWriter($0, columns: columns) }
        RowWriterTests.expectSame(try RowWriterTests.readBack(CSVReader(ByteSource(bytes: csv, name: "t")), columns), Samples.rows(batch))
        let json = try RowWriterTests.written([batch]) { NDJSONWriter($0, columns: columns) }
        RowWriterTests.expectSame(
            try RowWriterTests.readBack(NDJSONReader(ByteSource(bytes: json, name: "t")), columns), Samples.rows(batch))
    }

    @Test("a batch with other columns is refused")
    func otherColumns() throws {
        let batch = try Samples.everyType()
        let writer = NDJSONWriter(ByteSink(), columns: [TableColumn("flag", .bool)])
        #expect(throws: WhenceError.self) { try writer.write(batch) }
    }

    @Test("an Arrow stream is the golden one of Formats/vectors/arrow-stream.json, which pyarrow reads to the same rows")
    func arrow() throws {
        struct Vector: Decodable { let stream: String }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let data = try Data(contentsOf: root.appendingPathComponent("Formats/vectors/arrow-stream.json"))
        let golden = try JSONDecoder().decode(Vector.self, from: data)
        let batch = try Samples.everyType()
        let bytes = try RowWriterTests.written([batch, try RowWriterTests.empty(batch)]) {
            try ArrowStreamWriter($0, columns: Samples.columns(batch))
        }
        #expect(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == golden.stream)
    }

    static func empty(_ batch: ColumnBatch) throws -> ColumnBatch {
        ColumnBatch(names: batch.names, columns: try batch.columns.map { try ColumnBuilder($0.type).finish() }, count: 0)
    }

    @Test("every part of an Arrow stream is a multiple of 8 bytes long, and a stream without rows has a schema and an end")
    func arrowFrames() throws {
        for columns in [[], [TableColumn("a", .float64)], Samples.columns(try Samples.everyType())] {
            let bytes = try RowWriterTests.written([]) { try ArrowStreamWriter($0, columns: columns) }
            #expect(
                bytes.count % 8 == 0 && bytes.prefix(4) == [255, 255, 255, 255] && bytes.suffix(8) == [255, 255, 255, 255, 0, 0, 0, 0])
            let length = Int(bytes[4]) | Int(bytes[5]) << 8 | Int(bytes[6]) << 16
            #expect(bytes.count == 8 + length + 8)
        }
    }
}
