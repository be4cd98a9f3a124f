import Testing
import WhenceCore
import WhenceTabular

@Suite("NDJSON in") struct NDJSONReaderTests {
    @Test("keys become columns as they appear; a missing key is absent, null is null")
    func columns() throws {
        let reader = Samples.ndjson("\u{FEFF}{\"a\":1,\"b\":null}\n\n {\"c\" : [1, 2] , \"b\":\"x\"}\r\n{}\n{\"a\":true}")
        #expect(Samples.records(reader) == ["number:1 | null", "- | string:x | structure:[1, 2]", "- | - | -", "bool:true | - | -"])
        #expect(reader.columns == ["a", "b", "c"])
    }

    @Test("strings are unescaped, surrogate pairs included, in values and in keys")
    func escapes() throws {
        let reader = Samples.ndjson(#"{"\u0061\n":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00ü"}"#)
        #expect(Samples.records(reader) == ["string:\"\\/\u{8}\u{C}\n\r\té😀ü"])
        #expect(reader.columns == ["a\n"])
    }

    @Test(
        "what is no JSON object of plain values is refused with its place, and the next line is read",
        arguments: [
            "[1]", "1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":01}", "{\"a\":1.}", "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":NaN}", "{\"a\":tru}", "{\"a\":\"x}", "{\"a\":\"\\x\"}", "{\"a\":\"\\uD800\"}", "{\"a\":\"\\uD800\\u0041\"}",
            "{\"a\":\"\\uDC00\"}",
            "{\"a\":\"\\u12\"}", "{\"a\":\"\t\"}", "{\"a\":{\"b\":1}}", "{\"a\":[{}]}", "{\"a\":1,\"a\":2}", "{\"a\":null,\"a\":2}",
            "{\"a\":[1,]}",
            "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}", "{a:1}", "{\"a\":1 \"b\":2}",
        ])
    func malformed(line: String) throws {
        let records = Samples.records(Samples.ndjson("{\"a\":0}\n\(line)\n{\"a\":3}\n"))
        #expect(records.count == 3 && records[0] == "number:0" && records[1].hasPrefix("t.ndjson:2") && records[2].hasPrefix("number:3"))
    }

    @Test("the place of a bad value names its column")
    func place() throws {
        #expect(Samples.records(Samples.ndjson("{\"a\":1,\"b\":{}}"))[0].hasPrefix("t.ndjson:1, column b: an object stands where"))
    }

    @Test("invalid UTF-8 is refused")
    func invalidUTF8() throws {
        let bytes = Array("{\"a\":\"".utf8) + [0xC3, 0x28] + Array("\"}\n{\"a\":1}\n".utf8)
        let records = Samples.records(NDJSONReader(ByteSource(bytes: bytes, name: "t.ndjson")))
        #expect(records == ["t.ndjson:1: this line is not valid UTF-8", "number:1"])
    }

    @Test("a line of 100 MB is refused without being kept, and the next line is read")
    func hugeLine() throws {
        try Samples.withDirectory { directory in
            let path = directory + "/huge.ndjson.zst"
            let sink = try ByteSink(path: path)
            try sink.write(Array("{\"a\":\"".utf8))
            let block = [UInt8](repeating: 0x78, count: 1 << 20)
            for _ in 0..<100 { try sink.write(block) }
            try sink.write(Array("\"}\n{\"a\":2}\n".utf8))
            try sink.finish()
            let records = Samples.records(NDJSONReader(try ByteSource(path: path)))
            #expect(records == ["\(path):1: this line is longer than 16777216 bytes", "number:2"])
        }
    }

    @Test("more keys than a table may have columns")
    func manyKeys() throws {
        let line = "{" + (0..<9000).map { "\"k\($0)\":1" }.joined(separator: ",") + "}\n"
        #expect(Samples.records(Samples.ndjson(line))[0].contains("more than 8192 columns"))
    }
}
