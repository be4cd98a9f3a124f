public import WhenceCore

/// Values of the store: what codecs are given in properties.
extension SeededRandom {
    /// An integer of a random magnitude, the ends and their neighbours included.
    public mutating func integer() -> Int64 {
        switch below(8) {
        case 0: [Int64.min, .min + 1, .max, .max - 1, 0, -1, 1, 255, 256, -255, -256][below(11)]
        default: Int64(truncatingIfNeeded: next()) >> Int64(below(64))
        }
    }

    /// Bytes with many zeros and 0xFF among them.
    public mutating func bytes(upTo limit: Int) -> [UInt8] {
        (0..<below(limit + 1)).map { _ in [0, 0xFF, 1, UInt8(truncatingIfNeeded: next())][below(4)] }
    }

    /// Text with NUL, ASCII and scalars of two to four bytes.
    public mutating func text(upTo limit: Int) -> String {
        let scalars: [Unicode.Scalar] = ["\0", "a", "b", "\u{7F}", "\u{80}", "\u{301}", "e", "\u{FFFF}", "\u{10FFFF}", "\u{E000}", "𝄞"]
        var text = String.UnicodeScalarView()
        for _ in 0..<below(limit + 1) { text.append(scalars[below(scalars.count)]) }
        return String(text)
    }

    public mutating func scalarType() -> ScalarType { ScalarType.allCases[below(ScalarType.allCases.count)] }

    public mutating func featureType() -> FeatureType {
        switch below(4) {
        case 0: .vector(dimension: 1 + below(5))
        case 1: .list(scalarType())
        default: .scalar(scalarType())
        }
    }

    /// A value of `type`; floats are any bits, NaNs included.
    public mutating func value(_ type: FeatureType) -> Value {
        switch type {
        case .scalar(.bool): .bool(below(2) == 1)
        case .scalar(.int32): .int32(Int32(truncatingIfNeeded: integer()))
        case .scalar(.int64): .int64(integer())
        case .scalar(.float32): .float32(Float(bitPattern: UInt32(truncatingIfNeeded: next())))
        case .scalar(.float64): .float64(Double(bitPattern: next()))
        case .scalar(.string): .string(text(upTo: 12))
        case .scalar(.bytes): .bytes(bytes(upTo: 12))
        case .scalar(.timestamp): .timestamp(Timestamp(microseconds: integer()))
        case .vector(let dimension): .vector((0..<dimension).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: next())) })
        case .list(let scalar): .list((0..<below(5)).map { _ in value(.scalar(scalar)) })
        }
    }

    public mutating func schema(maxFields: Int = 20) -> Schema {
        let id = [1, 2, 127, 128, 16_384, UInt32.max][below(6)]
        return Schema(id: id, fields: (0..<below(maxFields + 1)).map { SchemaField(id: UInt32($0), name: "f\($0)", type: featureType()) })
    }
}
