import WhenceCore

/// The rule that every name keeps: `[A-Za-z_][A-Za-z0-9_]*`, at most `Limits.nameBytes` long.
enum DefinitionName {
    /// The column of event times where nothing names another one, in tables that are read and in those that are written.
    static let eventTimeColumn = "event_time"

    static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= Limits.nameBytes else { return false }
        return !(first >= 0x30 && first <= 0x39) && name.utf8.allSatisfy(isLetterOrDigit)
    }

    /// Whether the byte is an ASCII letter, a digit or an underscore.
    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        default: false
        }
    }
}
