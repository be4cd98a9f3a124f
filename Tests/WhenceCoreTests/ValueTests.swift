import Testing
import WhenceCore

@Suite struct ValueTests {
    @Test func identityIsToTheBit() {
        #expect(Value.float64(.nan).isIdentical(to: .float64(.nan)))
        #expect(!Value.float64(0).isIdentical(to: .float64(-0.0)))
        #expect(!Value.string("\u{E9}").isIdentical(to: .string("e\u{301}")))
        #expect(Value.string("\u{E9}").isIdentical(to: .string("\u{E9}")))
        #expect(!Value.list([.string("\u{E9}")]).isIdentical(to: .list([.string("e\u{301}")])))
        #expect(!Value.null.isIdentical(to: .string("")))
    }

    @Test func keyValuesAreEqualWhereTheirKeysAre() throws {
        let (composed, decomposed) = (KeyValue.string("\u{E9}"), KeyValue.string("e\u{301}"))
        #expect(composed != decomposed)
        #expect(try EntityKey([composed]) != EntityKey([decomposed]))
        #expect(Set([composed, decomposed, .bytes([1]), .int64(1), .bool(true)]).count == 5)
        #expect(Set([composed, .string("\u{E9}")]).count == 1)
    }

    @Test func typesReadTheirNames() throws {
        var types = ScalarType.allCases.map { FeatureType.scalar($0) } + ScalarType.allCases.map { FeatureType.list($0) }
        types += [.vector(dimension: 1), .vector(dimension: Limits.vectorDimension)]
        for type in types { #expect(try FeatureType(named: type.name) == type) }
    }

    @Test(arguments: [
        "", "double", "vector", "vector<>", "vector<0>", "vector<-1>", "vector<+5>", "vector<016>", "vector<16385>", "list<>",
        "list<list<bool>>",
        "list<int64", "Int64", "vector<99999999999999999999>",
    ]) func otherNamesAreRefused(_ name: String) { #expect(throws: WhenceError.self) { try FeatureType(named: name) } }
}
