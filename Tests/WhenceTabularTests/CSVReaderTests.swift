import Testing
import WhenceCore
import WhenceTabular

@Suite("CSV in") struct CSVReaderTests {
    @Test("cells are text, quoted text or null, whatever the line breaks")
    func cells() throws {
        let reader = try Samples.csv("\u{FEFF}a,b,c\r\n1,,\"\"\r\n\"x \"\"y\"\", z\",\"two\nlines\",é\n\n7,8,9")
        #expect(reader.columns == ["a", "b", "c"])
        #expect(
            Samples.records(reader) == [
                "text:1 | null | quotedText:", "quotedText:x \"y\", z | quotedText:two\nlines | text:é", "text:7 | text:8 | text:9",
            ])
    }

    @Test("asking again at the end says again that it is the end")
    func end() throws {
        let reader = try Samples.csv("a\n1\n")
        #expect(try reader.next())
        #expect(try !reader.next())
        #expect(try !reader.next())
    }

    @Test("a table of one column may have rows without a value; elsewhere a blank line is nothing")
    func blankLines() throws {
        #expect(Samples.records(try Samples.csv("a\n1\n\n2\n")) == ["text:1", "null", "text:2"])
        #expect(Samples.records(try Samples.csv("a,b\n\n1,2\n\n")) == ["text:1 | text:2"])
    }

    @Test("other spellings of null and of absent are options, and quotes switch them off")
    func spellings() throws {
        let reader = try Samples.csv("a;b;c;d\nNA;-;\"NA\";\"-\"\n", .init(delimiter: 0x3B, nullTexts: ["NA"], absentText: "-"))
        #expect(Samples.records(reader) == ["null | - | quotedText:NA | quotedText:-"])
    }

    @Test("a malformed row is refused with its place, and reading goes on with the next one")
    func malformedRows() throws {
        let reader = try Samples.csv("a,b\n1\n1,2,3\nx\"y,2\n\"p\" q,2\n\"two\nlines\",\"ok\"\n5,6\n\"open,1\n2,3\n")
        #expect(
            Samples.records(reader) == [
                "t.csv:2: this row has 1 column, and the header has 2",
                "t.csv:3: this row has 3 columns, and the header has 2",
                "t.csv:4, column a: a quote stands inside a cell that does not begin with one",
                "t.csv:5, column a: text stands between the closing quote of a cell and what should follow it",
                "quotedText:two\nlines | quotedText:ok",
                "text:5 | text:6",
                "t.csv:9, column a: the quote that opens this cell is never closed",
            ])
    }

    @Test("the refused row can be shown, with its first line's number")
    func rawRecord() throws {
        let reader = try Samples.csv("a,b\n\"x\ny\",1,2\r\n3,4\n")
        #expect(throws: WhenceError.self) { try reader.next() }
        #expect(reader.rawRecord == "\"x\ny\",1,2")
        #expect(reader.lineNumber == 2)
        #expect(try reader.next())
        #expect(reader.rawRecord == "3,4" && reader.lineNumber == 4)
    }

    @Test("headers: none, twice the same, no UTF-8")
    func headers() throws {
        #expect { try Samples.csv("") } throws: { ($0 as? WhenceError)?.place == "t.csv" }
        #expect { try Samples.csv("a,b,a\n") } throws: { ($0 as? WhenceError)?.message == "the header names column 'a' twice" }
        let bytes: [UInt8] = [0x61, 0x2C, 0xFF, 0x0A]
        #expect(throws: WhenceError.self) { try CSVReader(ByteSource(bytes: bytes, name: "t.csv")) }
        let wide = String(repeating: ",", count: 9000) + "\n"
        #expect { try Samples.csv(wide) } throws: { ($0 as? WhenceError)?.code == .limitExceeded }
    }

    @Test("a cell of 100 MB is refused without being kept, quoted or not, and the row after it is read", arguments: [true, false])
    func hugeCell(isQuoted: Bool) throws {
        try Samples.withDirectory { directory in
            let path = directory + "/huge.csv.gz"
            let sink = try ByteSink(path: path)
            let quote = isQuoted ? "\"" : ""
            try sink.write(Array("a,b\n1,\(quote)".utf8))
            let block = [UInt8](repeating: 0x78, count: 1 << 20)
            for _ in 0..<100 { try sink.write(block) }
            try sink.write(Array("\(quote)\n2,y\n".utf8))
            try sink.finish()
            let reader = try CSVReader(ByteSource(path: path))
            #expect { try reader.next() } throws: {
                guard let error = $0 as? WhenceError else { return false }
                return error.code == .limitExceeded && error.place == "\(path):2, column b"
            }
            #expect(reader.rawRecord.hasPrefix("1,\(quote)xxx") && reader.rawRecord.utf8.count <= TabularLimits.rawRecordBytes + 3)
            #expect(Samples.records(reader) == ["text:2 | text:y"])
        }
    }

    @Test("rows that lie across the blocks that are read keep their cells")
    func acrossBlocks() throws {
        var text = "n,t,q\n"
        for row in 0..<40_000 { text += "\(row),\(String(repeating: "é", count: row % 50)),\"\(row) \"\"q\"\"\n\"\r\n" }
        let reader = try Samples.csv(text)
        var rows = 0
        while try reader.next() {
            #expect(reader.lineNumber == 2 + 2 * rows)
            let isRight =
                Samples.show(reader.field(0)) == "text:\(rows)" && reader.field(1).bytes.byteCount == rows % 50 * 2
                && Samples.show(reader.field(2)) == "quotedText:\(rows) \"q\"\n"
            if !isRight { Issue.record("row \(rows) is wrong") }
            rows += 1
        }
        #expect(rows == 40_000)
    }
}
