extension ColumnBatch {
    /// The rows of `batches`, which have the same columns, one behind the other. Copies every value once.
    ///
    /// Throws `limitExceeded` where the bytes or elements of one column would be more than offsets can count.
    public init(concatenating batches: [ColumnBatch]) throws(WhenceError) {
        precondition(!batches.isEmpty, "what has no batches has no columns")
        if batches.count == 1 {
            self = batches[0]
            return
        }
        var columns: [Column] = []
        for index in batches[0].columns.indices {
            columns.append(try Column(concatenating: batches.map { $0.columns[index] }))
        }
        self.init(names: batches[0].names, columns: columns, count: batches.reduce(0) { $0 + $1.count })
    }
}

extension Column {
    /// The rows of `parts`, columns of the same type, one behind the other.
    init(concatenating parts: [Column]) throws(WhenceError) {
        let type = parts[0].type
        precondition(parts.allSatisfy { $0.type == type }, "columns of one type make a column")
        let count = parts.reduce(0) { $0 + $1.count }
        let nulls = parts.reduce(0) { $0 + $1.nullCount }
        var validity: ColumnBuffer?
        if nulls > 0 {
            let bits = ColumnBuffer(zeros: (count + 7) / 8)
            var at = 0
            for part in parts {
                bits.copyBits(part.validity, count: part.count, at: at)
                at += part.count
            }
            validity = bits
        }
        switch type {
        case .scalar(.string), .scalar(.bytes), .list:
            let (offsets, last) = try Column.offsets(of: parts.map { ($0.offsets, $0.count) })
            var elementOffsets: ColumnBuffer?
            if case .list(let scalar) = type, scalar.width == nil {
                elementOffsets = try Column.offsets(of: parts.map { ($0.elementOffsets, Int($0.lastOffset)) }).offsets
            }
            if case .list(.bool) = type {
                let bits = ColumnBuffer(zeros: (last + 7) / 8)
                var at = 0
                for part in parts {
                    bits.copyBits(part.values, count: Int(part.lastOffset), at: at)
                    at += Int(part.lastOffset)
                }
                self.init(type: type, count: count, nullCount: nulls, validity: validity, offsets: offsets, values: bits)
                return
            }
            self.init(
                type: type, count: count, nullCount: nulls, validity: validity, offsets: offsets,
                values: ColumnBuffer(concatenating: parts.map(\.values)), elementOffsets: elementOffsets)
        case .scalar(.bool):
            let bits = ColumnBuffer(zeros: (count + 7) / 8)
            var at = 0
            for part in parts {
                bits.copyBits(part.values, count: part.count, at: at)
                at += part.count
            }
            self.init(type: type, count: count, nullCount: nulls, validity: validity, offsets: nil, values: bits)
        default:
            self.init(
                type: type, count: count, nullCount: nulls, validity: validity, offsets: nil,
                values: ColumnBuffer(concatenating: parts.map(\.values)))
        }
    }

    /// Where the last row's values end.
    private var lastOffset: Int32 {
        guard let offsets else { return 0 }
        return unsafe offsets.span.unsafeLoadUnaligned(fromByteOffset: offsets.byteCount - 4, as: Int32.self)
    }

    /// One table of offsets from several, each of `count + 1` entries from 0 on.
    private static func offsets(of parts: [(table: ColumnBuffer?, count: Int)]) throws(WhenceError) -> (offsets: ColumnBuffer, last: Int) {
        let result = ColumnBuffer(zeros: (parts.reduce(0) { $0 + $1.count } + 1) * 4)
        let target = unsafe result.mutableBytes
        var at = 0
        var base = 0
        for (table, count) in parts {
            guard let table, count > 0 else { continue }
            let source = table.span
            let last = Int(unsafe source.unsafeLoadUnaligned(fromByteOffset: count * 4, as: Int32.self))
            guard base + last <= Int(Int32.max) else {
                throw WhenceError(
                    .limitExceeded, "one block of a column would hold more than 2 GiB of values", hint: "give the join less memory")
            }
            let shift = Int32(base)
            for row in 1...count {
                let end = unsafe source.unsafeLoadUnaligned(fromByteOffset: row * 4, as: Int32.self)
                unsafe target.storeBytes(of: end &+ shift, toByteOffset: (at + row) * 4, as: Int32.self)
            }
            at += count
            base += last
        }
        return (result, base)
    }
}

extension ColumnBuffer {
    /// The bytes of `parts`, one behind the other.
    convenience init(concatenating parts: [ColumnBuffer]) {
        self.init(zeros: parts.reduce(0) { $0 + $1.byteCount })
        let target = unsafe mutableBytes
        var at = 0
        for part in parts where part.byteCount > 0 {
            unsafe part.span.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[at..<(at + bytes.count)]).copyMemory(from: bytes)
            }
            at += part.byteCount
        }
    }

    /// Sets the `count` bits from `start` on, which are 0 so far, to those of `source`; to ones where there is no source.
    func copyBits(_ source: ColumnBuffer?, count: Int, at start: Int) {
        let target = unsafe mutableBytes
        guard count > 0 else { return }
        precondition(start + count <= byteCount * 8 && (source.map { count <= $0.byteCount * 8 } ?? true))
        var bit = 0
        // Eight at a time: a source byte falls on two of the target's unless both begin on a byte.
        let shift = UInt8(start & 7)
        while bit < count {
            let width = min(8, count - bit)
            var byte = source.map { $0.span[bit >> 3] } ?? 0xFF
            if width < 8 { byte &= (1 << UInt8(width)) - 1 }
            let at = (start + bit) >> 3
            unsafe target[at] |= byte << shift
            if shift > 0, at + 1 < target.count { unsafe target[at + 1] |= byte >> (8 - shift) }
            bit += 8
        }
    }
}
