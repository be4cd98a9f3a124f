extension ProjectedColumns {
    /// Appends the values of row `row` to `out`, in a form that `take` puts back into columns of the same targets: the row's state;
    /// where it is 2, a bit for each column that has a value; then the values, those of variable width with their length (4 bytes) in
    /// front. It is for a file of one process and says nothing of its version.
    ///
    /// False where the row has no value at all; its state is all that is appended then. Columns with event times are not for this.
    public func append(row: Int, to out: inout [UInt8]) -> Bool {
        precondition(row >= 0 && row < count && eventTimes == nil && !isFinished)
        let state = unsafe states.start.load(fromByteOffset: row, as: UInt8.self)
        out.append(state)
        if state == 0 { return false }
        if state == 1, let staging {
            let width = builders.count * 8
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(start: staging.start + row * width, count: width))
            return true
        }
        if state == 2 {
            var bits: UInt8 = 0
            for (index, builder) in builders.enumerated() {
                if builder.isSet(row) { bits |= 1 << UInt8(index & 7) }
                if index & 7 == 7 || index == builders.count - 1 {
                    out.append(bits)
                    bits = 0
                }
            }
        }
        for builder in builders where state == 1 || builder.isSet(row) { builder.append(row: row, to: &out) }
        return true
    }

    /// Puts what `append` wrote into row `row`, which must be without values so far, and returns how many bytes that was. Bytes of
    /// variable width go into `arena`, which must be one that `makeArena` made. Throws where `bytes` do not hold a row.
    public func take(row: Int, from bytes: RawSpan, arena: ByteArena) throws(WhenceError) -> Int {
        precondition(row >= 0 && row < count && eventTimes == nil && !isFinished)
        guard bytes.byteCount > 0, bytes[0] <= 2 else { throw ProjectedColumns.damaged }
        let state = bytes[0]
        if state == 0 { return 1 }
        var at = 1
        if state == 1, let staging {
            let width = builders.count * 8
            guard bytes.byteCount >= at + width else { throw ProjectedColumns.damaged }
            unsafe bytes.withUnsafeBytes { source in
                let from = unsafe UnsafeRawBufferPointer(rebasing: source[at..<(at + width)])
                unsafe UnsafeMutableRawBufferPointer(start: staging.start + row * width, count: width).copyMemory(from: from)
            }
            at += width
        } else {
            let marks = at
            if state == 2 { at += (builders.count + 7) / 8 }
            guard bytes.byteCount >= at else { throw ProjectedColumns.damaged }
            for (index, builder) in builders.enumerated() {
                if state == 2 && bytes[marks + index >> 3] & (1 << UInt8(index & 7)) == 0 { continue }
                var length = builder.stride
                if builder.isVariable {
                    guard bytes.byteCount - at >= 4 else { throw ProjectedColumns.damaged }
                    length = Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
                    at += 4
                }
                guard bytes.byteCount - at >= length else { throw ProjectedColumns.damaged }
                builder.set(row, raw: bytes.extracting(at..<(at + length)), arena: arena)
                at += length
            }
        }
        unsafe states.start.storeBytes(of: state, toByteOffset: row, as: UInt8.self)
        return at
    }

    /// Memory for the bytes of variable width that one thread puts in; it lives as long as the columns need it.
    public func makeArena() -> ByteArena {
        let arena = ByteArena()
        for builder in builders where builder.isVariable { builder.retain(arena) }
        return arena
    }

    private static var damaged: WhenceError {
        WhenceError(.inputOutput, "a temporary file is damaged", hint: "look at the disk, and run this again")
    }
}
