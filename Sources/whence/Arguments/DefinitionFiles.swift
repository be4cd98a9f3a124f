import Foundation
import WhenceCatalog
import WhenceCore
import WhenceProtocol
import WhenceTabular

/// Files of definitions that are named together.
struct DefinitionFiles {
    let definitions: Definitions
    /// The files as they are sent to a server.
    let texts: [WhenceProtocol.DefinitionText]

    init(_ paths: [String]) throws(WhenceError) {
        var all = Definitions()
        var texts: [WhenceProtocol.DefinitionText] = []
        for path in paths {
            let text = try DefinitionFiles.text(path)
            try all.merge(try Definitions.parse(yaml: text, file: path))
            texts.append(WhenceProtocol.DefinitionText(name: path, yaml: text))
        }
        definitions = all
        self.texts = texts
    }

    private static func text(_ path: String) throws(WhenceError) -> String {
        let source = try ByteSource(path: path)
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try source.read(into: &block)
            if count == 0 { break }
            bytes += block[..<count]
            guard bytes.count <= CatalogLimits.fileBytes else {
                throw WhenceError(
                    .limitExceeded, "the file is longer than \(CatalogLimits.fileBytes) bytes", place: path,
                    hint: "is it a file of definitions? Large ones can be given in parts")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw WhenceError(.invalidDefinition, "the file is not valid UTF-8", place: path, hint: "convert it to UTF-8")
        }
        return text
    }
}
