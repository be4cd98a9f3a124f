import Foundation
import Testing
import WhenceCore
import WhenceTabular

@Suite("Bytes in and out") struct ByteSourceTests {
    /// A text of some length, packed as the suffix says.
    static func packed(_ suffix: String, _ text: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try Samples.withDirectory { directory in
            let path = directory + "/x" + suffix
            let sink = try ByteSink(path: path)
            try sink.write(Array(text.utf8))
            try sink.finish()
            bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        return bytes
    }

    static func unpacked(_ bytes: [UInt8]) throws(WhenceError) -> String {
        let source = ByteSource(bytes: bytes, name: "x")
        var out: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1000)
        while true {
            let count = try source.read(into: &block)
            if count == 0 { return String(decoding: out, as: UTF8.self) }
            out.append(contentsOf: block[..<count])
        }
    }

    static let text = (0..<5000).map { "line \($0 * 7919 % 5000)" }.joined(separator: "\n")

    @Test("what is packed is seen from the bytes; members and frames follow one another", arguments: ["", ".gz", ".zst"])
    func formats(suffix: String) throws {
        let once = try ByteSourceTests.packed(suffix, ByteSourceTests.text)
        #expect(suffix.isEmpty || once.count < ByteSourceTests.text.utf8.count / 2)
        #expect(try ByteSourceTests.unpacked(once) == ByteSourceTests.text)
        #expect(try ByteSourceTests.unpacked(once + once) == ByteSourceTests.text + ByteSourceTests.text)
        #expect(try ByteSourceTests.packed(suffix, ByteSourceTests.text) == once)
    }

    @Test("packed data that is cut short or damaged is refused", arguments: [".gz", ".zst"])
    func damage(suffix: String) throws {
        let whole = try ByteSourceTests.packed(suffix, ByteSourceTests.text)
        for count in [5, 20, whole.count / 2, whole.count - 1] {
            #expect { try ByteSourceTests.unpacked(Array(whole[..<count])) } throws: { ($0 as? WhenceError)?.code == .malformedInput }
        }
        var flipped = whole
        flipped[whole.count / 2] ^= 0x40
        #expect { try ByteSourceTests.unpacked(flipped) } throws: { ($0 as? WhenceError)?.place == "x" }
        #expect { try ByteSourceTests.unpacked(whole + [1, 2, 3, 4]) } throws: { ($0 as? WhenceError)?.code == .malformedInput }
    }

    @Test("a reader whose source fails says so, and that there is nothing to go on with")
    func failure() throws {
        let whole = try ByteSourceTests.packed(".gz", "a\n" + ByteSourceTests.text)
        let reader = try CSVReader(ByteSource(bytes: Array(whole[..<(whole.count - 9)]), name: "x.gz"))
        let records = Samples.records(reader)
        #expect(records.last == "x.gz: the compressed data ends too early" && !reader.canContinue)
    }

    @Test("files that cannot be opened: none, a directory")
    func unopened() throws {
        #expect { try ByteSource(path: "/nowhere/x.csv") } throws: { ($0 as? WhenceError)?.code == .notFound }
        #expect { try ByteSource(path: "/") } throws: { ($0 as? WhenceError)?.code == .invalidArgument }
    }

    @Test("a file appears whole or not at all, and an old one stays until then")
    func wholeFiles() throws {
        try Samples.withDirectory { directory in
            let path = directory + "/out.csv"
            try "old".write(toFile: path, atomically: true, encoding: .utf8)
            do {
                let abandoned = try ByteSink(path: path)
                try abandoned.write(Array(repeating: 0x78, count: 1 << 20))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["out.csv"])
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
            let sink = try ByteSink(path: path)
            try sink.write(Array("new".utf8))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
            try sink.finish()
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["out.csv"])
        }
    }

    @Test("a full disk, and a directory that is not there, are named with the path")
    func faults() throws {
        let sink = try ByteSink(path: "/dev/full")
        #expect {
            try sink.write(Array(repeating: 0x78, count: 1 << 20))
            try sink.finish()
        } throws: {
            guard let error = $0 as? WhenceError else { return false }
            return error.code == .diskFull && error.place == "/dev/full"
        }
        #expect { try ByteSink(path: "/nowhere/x.csv") } throws: { ($0 as? WhenceError)?.place == "/nowhere/x.csv" }
        #expect { try ByteSink(path: "/proc/x.csv") } throws: { $0 is WhenceError }
    }
}
