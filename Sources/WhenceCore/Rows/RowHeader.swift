/// What a version is.
public enum VersionKind: UInt8, Sendable, CaseIterable {
    /// Values for any subset of the view's features.
    case row = 0
    /// A tombstone: from its event time on the entity has no values.
    case deletion = 1
    /// The versions at its event time that were committed before it never happened.
    case retraction = 2
}

/// The first bytes of a stored version, decoded (`Formats/rows.md`).
public struct RowHeader: Equatable, Sendable {
    public var kind: VersionKind
    /// Not every field of the schema is carried: a presence bitmap follows.
    public var isSparse: Bool
    /// Some carried field is null: a null bitmap follows.
    public var hasNulls: Bool
    /// In its batch a deletion of the same entity and event time came before it: what it does not carry is nothing.
    public var isOverDeletion: Bool
    /// In its batch a retraction of the same entity and event time came before it: it retracts as well.
    public var isOverRetraction: Bool
    /// Availability time where it differs from the commit time.
    public var availability: Timestamp?
    /// The schema that a row was written under; 0 for deletions and retractions.
    public var schemaID: UInt32
    /// Where the bitmaps, or the fixed section, begin.
    public var bodyOffset: Int

    // Computed, so that other rooms see a number and not a variable of this one.
    @inlinable static var kindMask: UInt8 { 0b11 }
    @inlinable static var availabilityFlag: UInt8 { 1 << 2 }
    @inlinable static var sparseFlag: UInt8 { 1 << 3 }
    @inlinable static var nullsFlag: UInt8 { 1 << 4 }
    @inlinable static var overDeletionFlag: UInt8 { 1 << 5 }
    @inlinable static var overRetractionFlag: UInt8 { 1 << 6 }
    @inlinable static var reservedFlag: UInt8 { 1 << 7 }
    /// Bytes of the longest header: flags, availability time, a schema id of five bytes.
    static let longest = 14

    /// Decodes the header of `row`. Throws `corruption` or `unknownFormat`; reads nothing past the end.
    ///
    /// Cost: a few instructions at the caller for a row whose schema id is below 128, a call for everything else.
    @inlinable @inline(__always) public init(_ row: RawSpan) throws(WhenceError) {
        let count = row.byteCount
        if count >= 2 {
            let first = row[0]
            if first & (RowHeader.kindMask | RowHeader.availabilityFlag | RowHeader.reservedFlag) == 0, row[1] < 0x80 {
                self.init(flags: first, availability: nil, schemaID: row[1], bodyOffset: 2)
                return
            }
            if first & (RowHeader.kindMask | RowHeader.availabilityFlag | RowHeader.reservedFlag) == RowHeader.availabilityFlag,
                count >= 10, row[9] < 0x80
            {
                self.init(flags: first, availability: RowHeader.availability(row), schemaID: row[9], bodyOffset: 10)
                return
            }
        }
        self = try RowHeader(anyForm: row)
    }

    /// A plain row with a schema id of one byte.
    @inlinable init(flags: UInt8, availability: Timestamp?, schemaID: UInt8, bodyOffset: Int) {
        kind = .row
        isSparse = flags & RowHeader.sparseFlag != 0
        hasNulls = flags & RowHeader.nullsFlag != 0
        isOverDeletion = flags & RowHeader.overDeletionFlag != 0
        isOverRetraction = flags & RowHeader.overRetractionFlag != 0
        self.availability = availability
        self.schemaID = UInt32(schemaID)
        self.bodyOffset = bodyOffset
    }

    @inlinable static func availability(_ row: RawSpan) -> Timestamp {
        Timestamp(microseconds: Int64(littleEndian: unsafe row.unsafeLoadUnaligned(fromByteOffset: 1, as: Int64.self)))
    }

    /// Decodes a header of any form.
    @usableFromInline init(anyForm row: RawSpan) throws(WhenceError) {
        guard row.byteCount >= 1 else { throw RowHeader.corrupt("it is empty") }
        let first = row[0]
        guard first & RowHeader.reservedFlag == 0 else {
            throw WhenceError(
                .unknownFormat, "a row was written in a format that this version does not know",
                hint: "open the store with the version that wrote it, or a newer one")
        }
        guard let kind = VersionKind(rawValue: first & RowHeader.kindMask) else { throw RowHeader.corrupt("there is no kind 3") }
        self.init(flags: first, availability: nil, schemaID: 0, bodyOffset: 1)
        self.kind = kind
        if first & RowHeader.availabilityFlag != 0 {
            guard row.byteCount >= 9 else { throw RowHeader.corrupt("its availability time is cut short") }
            availability = RowHeader.availability(row)
            bodyOffset = 9
        }
        if kind == .row {
            try readSchemaID(row)
        } else {
            guard !isSparse, !hasNulls, bodyOffset == row.byteCount else { throw RowHeader.corrupt("a \(kind) carries no values") }
        }
    }

    /// Reads a schema id at `bodyOffset`: seven bits a byte, lowest first, in as few bytes as it takes.
    private mutating func readSchemaID(_ row: RawSpan) throws(WhenceError) {
        var id: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard bodyOffset < row.byteCount else { throw RowHeader.corrupt("its schema id is cut short") }
            let byte = row[bodyOffset]
            bodyOffset += 1
            id |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 {
                guard shift == 0 || byte != 0 else { throw RowHeader.corrupt("its schema id is longer than it need be") }
                break
            }
            shift += 7
            guard shift < 35 else { throw RowHeader.corrupt("its schema id does not end") }
        }
        guard let id = UInt32(exactly: id) else { throw RowHeader.corrupt("its schema id is out of range") }
        schemaID = id
    }

    /// A header for a version that is about to be written.
    public init(kind: VersionKind, schemaID: UInt32 = 0, availability: Timestamp? = nil) {
        self.kind = kind
        self.schemaID = schemaID
        self.availability = availability
        isSparse = false
        hasNulls = false
        isOverDeletion = false
        isOverRetraction = false
        bodyOffset = 0
    }

    /// Appends the encoded header.
    public func append(to out: inout [UInt8]) {
        unsafe withUnsafeTemporaryAllocation(byteCount: RowHeader.longest, alignment: 1) { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe write(to: start)
            unsafe out.append(contentsOf: UnsafeRawBufferPointer(start: start, count: byteCount))
        }
    }

    /// Bytes of the encoded header.
    var byteCount: Int {
        // A schema id takes seven bits a byte.
        1 + (availability == nil ? 0 : 8) + (kind == .row ? (38 - (schemaID | 1).leadingZeroBitCount) / 7 : 0)
    }

    /// Writes the encoded header to `target`, where there is room for `byteCount` bytes.
    func write(to target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(of: flags, as: UInt8.self)
        var at = 1
        if let availability {
            unsafe target.storeBytes(of: availability.microseconds.littleEndian, toByteOffset: 1, as: Int64.self)
            at = 9
        }
        guard kind == .row else { return }
        var id = schemaID
        while id >= 0x80 {
            unsafe target.storeBytes(of: UInt8(truncatingIfNeeded: id) | 0x80, toByteOffset: at, as: UInt8.self)
            id >>= 7
            at += 1
        }
        unsafe target.storeBytes(of: UInt8(id), toByteOffset: at, as: UInt8.self)
    }

    /// The first byte.
    var flags: UInt8 {
        kind.rawValue | (availability != nil ? RowHeader.availabilityFlag : 0) | (isSparse ? RowHeader.sparseFlag : 0)
            | (hasNulls ? RowHeader.nullsFlag : 0) | (isOverDeletion ? RowHeader.overDeletionFlag : 0)
            | (isOverRetraction ? RowHeader.overRetractionFlag : 0)
    }

    @usableFromInline static func corrupt(_ why: String) -> WhenceError {
        WhenceError(.corruption, "a stored row is damaged: \(why)", hint: "run 'whence admin verify' to find the damaged file")
    }
}
