import WhenceCore

/// Looks through a file before it is parsed, for what would keep the parser busy for ever.
///
/// The parser resolves aliases by itself, and a few lines of them can stand for billions of values; and it hashes every key
/// of a map whole, so that keys which are maps with such keys cost the square of their size. Definitions need neither.
enum YAMLScreening {
    /// Throws `invalidDefinition`, with the place, when the text has an anchor (`&name`) and an alias (`*name`) of the same
    /// name, or an explicit key (`? key`). Words in prose may have these characters; an accident takes both of a pair.
    static func screen(_ yaml: String, file: String) throws(WhenceError) {
        var anchors: Set<String> = []
        var aliases: [(name: String, line: Int, column: Int)] = []
        var line = 1
        var column = 0
        var open: (isAnchor: Bool, name: [UInt8], line: Int, column: Int)?
        /// Whether only indicators and spaces stand before this byte on its line, or since the last indicator.
        var atStart = true
        var question: Int?
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
            if let asked = question, isSpace(byte) {
                throw WhenceError(
                    .invalidDefinition, "'? ' starts an explicit key of YAML, which definitions may not use",
                    place: "\(file):\(line):\(asked)", hint: "write 'key: value'; put text that starts with '?' in quotes")
            }
            question = byte == 0x3F && atStart ? column : nil
            if !isSpace(byte) { atStart = isIndicator(byte) }
            if open != nil, DefinitionName.isLetterOrDigit(byte) || byte == 0x2D {
                open?.name.append(byte)
                continue
            }
            close()
            switch byte {
            case 0x0A, 0x0D:
                line += byte == 0x0A ? 1 : 0
                column = 0
                atStart = true
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

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// Whether the byte is one of `- ? : , [ {`, after which a key may start.
    private static func isIndicator(_ byte: UInt8) -> Bool { [0x2D, 0x3F, 0x3A, 0x2C, 0x5B, 0x7B].contains(byte) }
}
