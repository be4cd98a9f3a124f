/// What a version is.
public enum VersionKind: UInt8, Sendable {
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

    static let kindMask: UInt8 = 0b11
    static let availabilityFlag: UInt8 = 1 << 2
    @usableFromInline static let sparseFlag: UInt8 = 1 << 3
    @usableFromInline static let nullsFlag: UInt8 = 1 << 4
    static let overDeletionFlag: UInt8 = 1 << 5
    static let overRetractionFlag: UInt8 = 1 << 6
    static let reservedFlag: UInt8 = 1 << 7

    /// Decodes the header of `row`. Throws `corruption` or `unknownFormat`; reads nothing past the end.
    public init(_ row: RawSpan) throws(WhenceError) {
        guard row.byteCount >= 1 else { throw RowHeader.corrupt("it is empty") }
        let first = row[0]
        guard first & RowHeader.reservedFlag == 0 else {
            throw WhenceError(
                .unknownFormat, "a row was written in a format that this version does not know",
                hint: "open the store with the version that wrote it, or a newer one")
        }
        guard let kind = VersionKind(rawValue: first & RowHeader.kindMask) else { throw RowHeader.corrupt("there is no kind 3") }
        self.kind = kind
        isSparse = first & RowHeader.sparseFlag != 0
        hasNulls = first & RowHeader.nullsFlag != 0
        isOverDeletion = first & RowHeader.overDeletionFlag != 0
        isOverRetraction = first & RowHeader.overRetractionFlag != 0
        var at = 1
        if first & RowHeader.availabilityFlag != 0 {
            guard row.byteCount >= 9 else { throw RowHeader.corrupt("its availability time is cut short") }
            availability = Timestamp(microseconds: Int64(littleEndian: unsafe row.unsafeLoadUnaligned(fromByteOffset: 1, as: Int64.self)))
            at = 9
        } else {
            availability = nil
        }
        var id: UInt32 = 0
        if kind == .row {
            var shift: UInt32 = 0
            while true {
                guard at < row.byteCount, shift < 32 else { throw RowHeader.corrupt("its schema id is cut short") }
                let byte = row[at]
                at += 1
                id |= UInt32(byte & 0x7F) << shift
                if byte & 0x80 == 0 { break }
                shift += 7
            }
        }
        schemaID = id
        bodyOffset = at
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
        var first = kind.rawValue
        if availability != nil { first |= RowHeader.availabilityFlag }
        if isSparse { first |= RowHeader.sparseFlag }
        if hasNulls { first |= RowHeader.nullsFlag }
        if isOverDeletion { first |= RowHeader.overDeletionFlag }
        if isOverRetraction { first |= RowHeader.overRetractionFlag }
        out.append(first)
        if let availability {
            let bits = UInt64(bitPattern: availability.microseconds)
            for shift in stride(from: UInt64(0), to: 64, by: 8) { out.append(UInt8(truncatingIfNeeded: bits >> shift)) }
        }
        if kind == .row {
            var id = schemaID
            while id >= 0x80 {
                out.append(UInt8(truncatingIfNeeded: id) | 0x80)
                id >>= 7
            }
            out.append(UInt8(id))
        }
    }

    @usableFromInline static func corrupt(_ why: String) -> WhenceError {
        WhenceError(.corruption, "a stored row is damaged: \(why)", hint: "run 'whence admin verify' to find the damaged file")
    }
}
