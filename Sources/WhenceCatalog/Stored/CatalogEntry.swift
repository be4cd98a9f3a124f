import WhenceCore

/// One version of one definition, as the store keeps it (`Formats/catalog.md`).
public struct CatalogEntry: Sendable, Hashable {
    public let kind: DefinitionKind
    public let name: String
    /// Counts the versions of this definition from 1.
    public let version: Int
    /// The version of the catalog that this entry came with.
    public let catalogVersion: Int
    /// SHA-256 over the canonical JSON of the definition, in lower-case hexadecimal: two entries with the same hash define the same.
    public let hash: String
    /// The definition itself.
    public let definition: Definition
    /// The bytes to store: canonical JSON.
    public let json: [UInt8]
    /// For a view, the number that the engine knows it by and the schema of this version.
    let numbering: ViewNumbering?

    /// The version of the stored form that this code writes, and the only one that it reads.
    public static let formatVersion = 1

    init(_ definition: Definition, version: Int, catalogVersion: Int, numbering: ViewNumbering? = nil) {
        kind = definition.kind
        name = definition.name
        self.version = version
        self.catalogVersion = catalogVersion
        hash = definition.contentHash
        self.definition = definition
        self.numbering = numbering
        var members = JSONMembers()
        members.put("format", CatalogEntry.formatVersion)
        members.put("kind", kind.rawValue)
        members.put("version", version)
        members.put("catalog_version", catalogVersion)
        members.put("hash", hash)
        members.put("definition", definition.json)
        if let numbering { members.put("view", numbering.json) }
        json = members.object.canonical
    }

    /// Reads the bytes of a stored entry.
    ///
    /// Throws `unknownFormat` when a later version of Whence wrote it, and `corruption` when the bytes are damaged: when
    /// they are not canonical JSON, when the hash is not that of the definition, or when the parts contradict one another.
    public init(decoding bytes: [UInt8]) throws(WhenceError) {
        guard bytes.count <= CatalogLimits.entryBytes else {
            throw WhenceError(
                .corruption, "a catalog entry of \(bytes.count) bytes is longer than the limit of \(CatalogLimits.entryBytes)")
        }
        var object = try JSONObject(try JSONReader.read(bytes), "the frame")
        let format = try object.count("format", from: 0)
        guard format == CatalogEntry.formatVersion else {
            throw WhenceError(
                .unknownFormat, "a catalog entry has format version \(format); this version of Whence reads \(CatalogEntry.formatVersion)",
                hint: "open the store with the version of Whence that wrote it, or a later one")
        }
        guard let kind = DefinitionKind(rawValue: try object.text("kind")) else { throw object.refuse("its kind is unknown") }
        let version = Int(try object.count("version"))
        let catalogVersion = Int(try object.count("catalog_version"))
        let hash = try object.text("hash")
        let definition = try Definition(kind: kind, json: try object.take("definition"))
        var numbering: ViewNumbering?
        if case .view(let view) = definition { numbering = try ViewNumbering(try object.take("view"), of: view) }
        try object.end()
        self.init(definition, version: version, catalogVersion: catalogVersion, numbering: numbering)
        guard self.hash == hash else { throw object.refuse("the hash of '\(name)' is not that of its definition") }
        guard json == bytes else { throw object.refuse("it is not canonical JSON") }
    }

    /// The key under which the store keeps the entry: it sorts by kind, then name, then version.
    public var key: [UInt8] { CatalogEntry.key(kind: kind, name: name, version: version) }

    /// The key of an entry that may or may not exist: a byte for the kind (1 entity, 2 view, 3 service), the name, a zero byte, and
    /// the version as four bytes, big-endian.
    public static func key(kind: DefinitionKind, name: String, version: Int) -> [UInt8] {
        let number = UInt32(clamping: version)
        return [kind.code] + Array(name.utf8) + [0]
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }
}
