import WhenceCore

extension Catalog {
    /// The whole catalog as one JSON text: every version of every definition as it is stored. What a client makes its own copy from.
    public var document: [UInt8] {
        var text = Array("{\"catalog_version\":\(version),\"entries\":[".utf8)
        var isFirst = true
        for kind in DefinitionKind.allCases {
            for entry in names(of: kind).flatMap({ versions(kind: kind, name: $0) }) {
                if !isFirst { text.append(0x2C) }
                isFirst = false
                text += entry.json
            }
        }
        return text + Array("]}".utf8)
    }

    /// The catalog that `document` holds. Throws `corruption` for anything that `Catalog.document` does not write, `unknownFormat`
    /// for entries of a later version of Whence.
    public init(document: [UInt8]) throws(WhenceError) {
        var object = try JSONObject(try JSONReader.read(document), "the document")
        let version = Int(try object.count("catalog_version", from: 0))
        var entries: [CatalogEntry] = []
        // An entry has one way only of being written, so its text here is its text there.
        for entry in try object.optionalArray("entries") ?? [] { entries.append(try CatalogEntry(decoding: entry.canonical)) }
        try object.end()
        try self.init(entries: entries)
        guard self.version == version else { throw object.refuse("its entries do not make up version \(version)") }
    }
}
