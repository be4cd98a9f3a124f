/// One field's bytes as a row holds them (`Formats/rows.md`): little-endian elements; UTF-8; lists.
enum FieldBytes {
    /// Appends `value`; false when it is not of `type`, and then what was appended is of no use.
    static func append(_ value: Value, as type: FeatureType, to raw: inout [UInt8]) throws(WhenceError) -> Bool {
        func put<T: FixedWidthInteger>(_ number: T) {
            unsafe withUnsafeBytes(of: number.littleEndian) { unsafe raw.append(contentsOf: $0) }
        }
        switch (type, value) {
        case (.scalar(.bool), .bool(let flag)): raw.append(flag ? 1 : 0)
        case (.scalar(.int32), .int32(let number)): put(number)
        case (.scalar(.int64), .int64(let number)): put(number)
        case (.scalar(.float32), .float32(let number)): put(number.bitPattern)
        case (.scalar(.float64), .float64(let number)): put(number.bitPattern)
        case (.scalar(.timestamp), .timestamp(let time)): put(time.microseconds)
        case (.scalar(.string), .string(let text)): raw.append(contentsOf: text.utf8)
        case (.scalar(.bytes), .bytes(let bytes)): raw.append(contentsOf: bytes)
        case (.vector(let dimension), .vector(let elements)):
            guard elements.count == dimension else { return false }
            for element in elements { put(element.bitPattern) }
        case (.list(let scalar), .list(let elements)):
            // Refused before anything is copied: every element takes at least a byte.
            guard elements.count <= Limits.valueBytes else { throw tooLong(elements.count) }
            if scalar.width == nil {
                let list = raw.count
                put(UInt32(elements.count))
                let table = raw.count
                for _ in elements { put(UInt32(0)) }
                let data = raw.count
                for (index, element) in elements.enumerated() {
                    guard try append(element, as: .scalar(scalar), to: &raw) else { return false }
                    guard raw.count - list <= Limits.valueBytes else { throw tooLong(elements.count) }
                    let end = UInt32(raw.count - data)
                    for byte in 0..<4 { raw[table + index * 4 + byte] = UInt8(truncatingIfNeeded: end >> (8 * UInt32(byte))) }
                }
            } else {
                for element in elements {
                    guard try append(element, as: .scalar(scalar), to: &raw) else { return false }
                }
            }
        default: return false
        }
        return true
    }

    private static func tooLong(_ count: Int) -> WhenceError {
        WhenceError(
            .limitExceeded, "a list of \(count) elements takes more than \(Limits.valueBytes) bytes",
            hint: "keep large objects elsewhere and store a reference")
    }

    /// Whether `bytes` are the form of some value of `type`.
    static func areWellFormed(_ bytes: RawSpan, as type: FeatureType) -> Bool {
        switch type {
        case .scalar(.string): return text(bytes) != nil
        case .scalar(.bytes): return true
        case .scalar, .vector: return bytes.byteCount == type.width
        case .list(let scalar):
            if let width = scalar.width { return bytes.byteCount % width == 0 }
            do throws(WhenceError) {
                try forEachElement(ofList: bytes) { element throws(WhenceError) in
                    if scalar == .string, text(element) == nil { throw RowHeader.corrupt("a string is not UTF-8") }
                }
                return true
            } catch { return false }
        }
    }

    /// The bytes as text, or nil where they are not UTF-8.
    @_lifetime(copy bytes) static func text(_ bytes: RawSpan) -> UTF8Span? {
        try? UTF8Span(validating: Span<UInt8>(_bytes: bytes))
    }

    /// Calls `body` with each element of a list whose elements differ in length: a count, the ends, the bytes. Throws
    /// `corruption` where `bytes` are no such list.
    static func forEachElement(ofList bytes: RawSpan, _ body: (RawSpan) throws(WhenceError) -> Void) throws(WhenceError) {
        func number(_ offset: Int) -> Int {
            Int(UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        guard bytes.byteCount >= 4 else { throw RowHeader.corrupt("a list is cut short") }
        let count = number(0)
        // 32 bits times four: far below 64.
        let data = 4 + count * 4
        guard data <= bytes.byteCount else { throw RowHeader.corrupt("a list is cut short") }
        var start = 0
        for index in 0..<count {
            let end = number(4 + index * 4)
            guard end >= start, data + end <= bytes.byteCount else { throw RowHeader.corrupt("an element ends past its list") }
            try body(bytes.extracting((data + start)..<(data + end)))
            start = end
        }
        guard data + start == bytes.byteCount else { throw RowHeader.corrupt("a list has bytes that belong to no element") }
    }
}

extension Value {
    /// Decodes a field's bytes. Throws `corruption` where they are not of `type`.
    public init(_ bytes: RawSpan, as type: FeatureType) throws(WhenceError) {
        func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: T.Type) -> T {
            T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
        }
        if let width = type.width, bytes.byteCount != width { throw RowHeader.corrupt("a value has the wrong length") }
        switch type {
        case .scalar(.bool): self = .bool(bytes[0] != 0)
        case .scalar(.int32): self = .int32(load(0, Int32.self))
        case .scalar(.int64): self = .int64(load(0, Int64.self))
        case .scalar(.float32): self = .float32(Float(bitPattern: load(0, UInt32.self)))
        case .scalar(.float64): self = .float64(Double(bitPattern: load(0, UInt64.self)))
        case .scalar(.timestamp): self = .timestamp(Timestamp(microseconds: load(0, Int64.self)))
        case .scalar(.string):
            guard let text = FieldBytes.text(bytes) else { throw RowHeader.corrupt("a string is not UTF-8") }
            self = .string(String(copying: text))
        case .scalar(.bytes): self = .bytes(unsafe bytes.withUnsafeBytes { unsafe Array($0) })
        case .vector(let dimension): self = .vector((0..<dimension).map { Float(bitPattern: load($0 * 4, UInt32.self)) })
        case .list(let scalar):
            var elements: [Value] = []
            if let width = scalar.width {
                guard bytes.byteCount % width == 0 else { throw RowHeader.corrupt("a list is cut short") }
                elements.reserveCapacity(bytes.byteCount / width)
                for offset in stride(from: 0, to: bytes.byteCount, by: width) {
                    elements.append(try Value(bytes.extracting(offset..<(offset + width)), as: .scalar(scalar)))
                }
            } else {
                try FieldBytes.forEachElement(ofList: bytes) { element throws(WhenceError) in
                    elements.append(try Value(element, as: .scalar(scalar)))
                }
            }
            self = .list(elements)
        }
    }
}
