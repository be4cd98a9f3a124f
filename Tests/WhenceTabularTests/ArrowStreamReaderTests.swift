import Foundation
import Testing
import WhenceCore
import WhenceTabular

@Suite("Arrow in") struct ArrowStreamReaderTests {
    static func stream() throws -> (bytes: [UInt8], batch: ColumnBatch) {
        let batch = try Samples.everyType()
        let sink = ByteSink(memoryNamed: "t")
        let writer = try ArrowStreamWriter(sink, columns: Samples.columns(batch))
        try writer.write(batch)
        try writer.write(batch)
        try writer.finish()
        return (sink.memory, batch)
    }

    static func read(_ bytes: [UInt8]) throws(WhenceError) -> (ArrowStreamReader, [ColumnBatch]) {
        let reader = try ArrowStreamReader(ByteSource(bytes: bytes, name: "t.arrows"))
        var batches: [ColumnBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return (reader, batches)
    }

    @Test("what was written is read back to the bit; lists and vectors are passed over")
    func roundTrip() throws {
        let (bytes, batch) = try ArrowStreamReaderTests.stream()
        let (reader, batches) = try ArrowStreamReaderTests.read(bytes)
        #expect(reader.columns.map(\.name) == batch.names)
        #expect(batches.count == 2)
        for (index, name) in batch.names.enumerated() {
            guard let type = reader.columns[index].type else {
                #expect(batches[0].column(named: name) == nil)
                continue
            }
            #expect(type == batch.columns[index].type)
            for read in batches {
                let column = try #require(read.column(named: name))
                for row in 0..<batch.count where !column.value(row).isIdentical(to: batch.columns[index].value(row)) {
                    Issue.record("\(name)[\(row)] is \(column.value(row))")
                }
            }
        }
    }

    /// A stream that another library wrote, and the rows that it says are in it.
    struct Foreign {
        let vectors: [String: Any]

        init(_ file: String) throws {
            let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Formats/vectors/\(file).json")
            vectors = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        }

        func bytes(_ kind: String) throws -> [UInt8] {
            let hex = Array(try #require(vectors[kind] as? String).utf8)
            return stride(from: 0, to: hex.count, by: 2).map { UInt8(String(decoding: hex[$0..<($0 + 2)], as: UTF8.self), radix: 16) ?? 0 }
        }

        func check(_ batches: [ColumnBatch]) throws {
            let rows = try #require(vectors["rows"] as? [[String: Any]])
            var row = 0
            for batch in batches {
                for index in 0..<batch.count {
                    for (name, column) in zip(batch.names, batch.columns) {
                        let text = column.isValid(index) ? "\(column.value(index))" : "null"
                        let due = rows[row][name]
                        let dueText = due is NSNull ? "null" : column.type == .bool ? "\(due as? Bool ?? true)" : "\(due ?? "?")"
                        #expect(text.contains(dueText), "\(name) of row \(row): \(text), not \(dueText)")
                    }
                    #expect(Set(batch.names) == Set(rows[row].keys))
                    row += 1
                }
            }
            #expect(row == rows.count)
        }
    }

    /// Written by pyarrow: a table of int8, uint32, large_string, a dictionary of strings, null, date32 and float64, in
    /// `Formats/vectors/arrow-input.json` with the rows that pyarrow reads.
    @Test("what pyarrow writes", arguments: ["stream", "file"])
    func pyarrow(kind: String) throws {
        let foreign = try Foreign("arrow-input")
        let (reader, batches) = try ArrowStreamReaderTests.read(try foreign.bytes(kind))
        #expect(reader.columns.first { $0.name == "day" }?.type == nil)
        try foreign.check(batches)
    }

    @Test("what polars writes: texts as views")
    func polars() throws {
        let foreign = try Foreign("arrow-views")
        let (reader, batches) = try ArrowStreamReaderTests.read(try foreign.bytes("stream"))
        #expect(reader.columns.filter { $0.type == nil }.map(\.name) == ["l"])
        try foreign.check(batches)
        // Its files do not begin with a stream.
        let file = try foreign.bytes("file")
        let error = #expect(throws: WhenceError.self) { try ArrowStreamReaderTests.read(file) }
        #expect(error?.hint.contains("write_ipc_stream") == true)
    }

    @Test("streams that were cut or changed give an error, or rows, and nothing else")
    func mutations() throws {
        for bytes in [try ArrowStreamReaderTests.stream().0, try Foreign("arrow-views").bytes("stream")] {
            try mutate(bytes)
        }
    }

    private func mutate(_ bytes: [UInt8]) throws {
        for end in stride(from: 0, to: bytes.count - 8, by: 7) {
            do throws(WhenceError) {
                _ = try ArrowStreamReaderTests.read(Array(bytes[..<end]))
            } catch { #expect(!error.message.isEmpty) }
        }
        var generator = SeededGenerator(state: 17)
        for _ in 0..<5000 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let at = Int.random(in: 0..<changed.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: changed[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: changed[at] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                case 2: changed[at] = 0xFF
                default: changed.removeSubrange(at..<min(changed.count, at + Int.random(in: 1...9, using: &generator)))
                }
            }
            _ = try? ArrowStreamReaderTests.read(changed)
        }
    }

    @Test("what is no Arrow stream says so")
    func strangers() {
        for text in ["", "a,b\n1,2\n", "{\"a\":1}\n", "ARROW1\0\0not more"] {
            do throws(WhenceError) {
                _ = try ArrowStreamReaderTests.read(Array(text.utf8))
                Issue.record("'\(text)' was read")
            } catch { #expect(error.description.contains("t.arrows")) }
        }
    }
}
