import Testing
import WhenceCore
import WhenceTabular

@Suite("Spines") struct SpineReaderTests {
    static func all(_ spine: SpineReader, maxRows: Int = 65_536) throws -> [ColumnBatch] {
        var read: [ColumnBatch] = []
        while let batch = try spine.next(maxRows: maxRows) { read.append(batch) }
        return read
    }

    @Test("columns keep their order; keys have their types, other CSV columns are strings, and nulls stay nulls")
    func csv() throws {
        let reader = try Samples.csv(
            "label,tailnum,at,year\n1,N1,2013-01-01T05:00:00Z,2004\n,,2013-01-01T06:00:00Z,\n\"\",N3,2013-01-01T07:00:00Z,7\n")
        let spine = try SpineReader(reader, eventTimeColumn: "at", times: TimeParser(), types: ["tailnum": .string, "year": .int64])
        #expect(
            spine.tableColumns == [
                TableColumn("label", .string), TableColumn("tailnum", .string), TableColumn("at", .timestamp), TableColumn("year", .int64),
            ])
        let batches = try SpineReaderTests.all(spine, maxRows: 2)
        #expect(batches.map(\.count) == [2, 1])
        #expect(
            batches.flatMap { Samples.rows($0) } == [
                [.string("1"), .string("N1"), .timestamp(try Timestamp(parsing: "2013-01-01T05:00:00Z")), .int64(2004)],
                [.null, .null, .timestamp(try Timestamp(parsing: "2013-01-01T06:00:00Z")), .null],
                [.string(""), .string("N3"), .timestamp(try Timestamp(parsing: "2013-01-01T07:00:00Z")), .int64(7)],
            ])
    }

    @Test("NDJSON columns take their types from the first batch, and columns may come late in it")
    func ndjson() throws {
        let reader = Samples.ndjson(
            """
            {"at":"2013-01-01T05:00:00Z","k":1,"b":true,"i":1,"f":1,"s":null}
            {"late":"x","at":"2013-01-01T05:00:00Z","k":2,"b":null,"i":-2,"f":2.5}
            {"at":"2013-01-01T05:00:00Z","k":3,"i":3,"f":3}

            """)
        let spine = try SpineReader(reader, eventTimeColumn: "at", times: TimeParser(), types: ["k": .int64])
        let batches = try SpineReaderTests.all(spine, maxRows: 2)
        #expect(spine.tableColumns.map(\.type) == [.timestamp, .int64, .bool, .int64, .float64, .string, .string])
        let time = Value.timestamp(try Timestamp(parsing: "2013-01-01T05:00:00Z"))
        #expect(
            batches.flatMap { Samples.rows($0) } == [
                [time, .int64(1), .bool(true), .int64(1), .float64(1), .null, .null],
                [time, .int64(2), .null, .int64(-2), .float64(2.5), .null, .string("x")],
                [time, .int64(3), .null, .int64(3), .float64(3), .null, .null],
            ])
    }

    static func error(_ reader: any RecordReader, maxRows: Int = 65_536) -> WhenceError? {
        do throws(WhenceError) {
            let spine = try SpineReader(reader, eventTimeColumn: "at", times: TimeParser(), types: ["k": .int64])
            while try spine.next(maxRows: maxRows) != nil {}
            return nil
        } catch {
            return error
        }
    }

    @Test("NDJSON without rows is a spine without rows, with the columns that it must have")
    func empty() throws {
        for text in ["", "\n\n"] {
            let spine = try SpineReader(
                Samples.ndjson(text), eventTimeColumn: "at", times: TimeParser(), types: ["k": .int64, "b": .string])
            #expect(try spine.next() == nil)
            #expect(try spine.next() == nil)
            #expect(spine.tableColumns == [TableColumn("b", .string), TableColumn("k", .int64), TableColumn("at", .timestamp)])
        }
    }

    @Test("a column that is not there is named, with those that are")
    func missing() throws {
        let csv = SpineReaderTests.error(try Samples.csv("time,k\n"))
        #expect(csv?.message == "the spine has no event time column 'at'" && csv?.hint == "its columns are: time, k")
        #expect(SpineReaderTests.error(try Samples.csv("at,b\n"))?.message == "the spine has no join key column 'k'")
        #expect(SpineReaderTests.error(Samples.ndjson("{\"time\":1}"))?.place == "t.ndjson:1")
        #expect(SpineReaderTests.error(Samples.ndjson("{\"at\":\"2013-01-01T05:00:00Z\"}"))?.hint == "its columns are: at")
    }

    @Test("a bad row is named by line and column")
    func badRows() throws {
        let good = "2013-01-01T05:00:00Z"
        #expect(SpineReaderTests.error(try Samples.csv("at,k\n\(good),1\n2013-01-01T05:00:00,2\n"))?.place == "t.csv:3, column at")
        #expect(SpineReaderTests.error(try Samples.csv("at,k\n\(good),1\n,2\n"))?.place == "t.csv:3, column at")
        #expect(SpineReaderTests.error(try Samples.csv("at,k\n\(good),x\n"))?.place == "t.csv:2, column k")
        #expect(SpineReaderTests.error(try Samples.csv("at,k\n\(good)\n"))?.place == "t.csv:2")
        for text in ["NaN", "1.5", "9223372036854775808.5"] {
            let key = SpineReaderTests.error(try Samples.csv("at,k\n\(good),\(text)\n"))
            #expect(key?.message.contains("'\(text)'") == true && key?.place == "t.csv:2, column k")
            #expect(key?.hint.contains("read as int64") == true && key?.hint.contains("feature") == false)
        }
        let kinds = SpineReaderTests.error(
            Samples.ndjson("{\"at\":\"\(good)\",\"k\":1,\"x\":1}\n{\"at\":\"\(good)\",\"k\":1,\"x\":\"1\"}\n"))
        #expect(kinds?.place == "t.ndjson:2, column x" && kinds?.hint == "state the column's type")
        let later = SpineReaderTests.error(
            Samples.ndjson("{\"at\":\"\(good)\",\"k\":1,\"x\":1}\n{\"at\":\"\(good)\",\"k\":1,\"x\":1.5}\n"), maxRows: 1)
        #expect(later?.place == "t.ndjson:2, column x" && later?.hint.contains("taken from the first rows") == true)
        let new = SpineReaderTests.error(Samples.ndjson("{\"at\":\"\(good)\",\"k\":1}\n{\"at\":\"\(good)\",\"k\":1,\"y\":1}\n"), maxRows: 1)
        #expect(new?.place == "t.ndjson:2" && new?.message.contains("'y'") == true)
    }
}
