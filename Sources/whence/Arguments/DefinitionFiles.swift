import Foundation
import WhenceCatalog
import WhenceCore
import WhenceTabular

/// Files of definitions that are named together.
enum DefinitionFiles {
    static func read(_ paths: [String]) throws(WhenceError) -> Definitions {
        var all = Definitions()
        for path in paths { try all.merge(try Definitions.parse(yaml: try text(path), file: path)) }
        return all
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
