import WhenceCore

/// Looks for YAML aliases before a file is parsed: a few lines of them can stand for billions of values, and the parser
/// resolves them by itself. Definitions have no use for them.
enum AliasSearch {
    /// Throws `invalidDefinition` when the text has an anchor (`&name`) and an alias (`*name`) of the same name.
    static func refuseAliases(in yaml: String, file: String) throws(WhenceError) {
        var anchors: Set<String> = []
        var aliases: [(name: String, line: Int, column: Int)] = []
        var line = 1
        var column = 0
        var open: (isAnchor: Bool, name: [UInt8], line: Int, column: Int)?
        func close() {
            if let found = open, !found.name.isEmpty {
                let name = String(decoding: found.name, as: UTF8.self)
                if found.isAnchor {
                    anchors.insert(name)
                } else {
                    aliases.append((name, found.line, found.column))
                }
            }
            open = nil
        }
        for byte in yaml.utf8 {
            column += 1
            if open != nil, DefinitionName.isLetterOrDigit(byte) || byte == 0x2D {
                open?.name.append(byte)
                continue
            }
            close()
            switch byte {
            case 0x0A:
                line += 1
                column = 0
            case 0x26: open = (true, [], line, column)
            case 0x2A: open = (false, [], line, column)
            default: break
            }
        }
        close()
        if let alias = aliases.first(where: { anchors.contains($0.name) }) {
            throw WhenceError(
                .invalidDefinition, "'*\(alias.name)' is a YAML alias, which definitions may not use",
                place: "\(file):\(alias.line):\(alias.column)", hint: "write the value out where it is needed")
        }
    }
}
