import WhenceCore

/// One field of the current record: what kind of thing stands there, and its bytes, borrowed from the reader until it
/// moves on. Making one allocates nothing.
public struct RecordField: ~Escapable {
    /// What kind of thing a field is.
    public enum State: UInt8, Sendable, BitwiseCopyable {
        /// The record does not carry the field (NDJSON: no such key; CSV: the reader's `absentText`).
        case absent
        /// The field is carried and has no value (NDJSON: null; CSV: an empty unquoted cell, or one of `nullTexts`).
        case null
        /// CSV: an unquoted cell.
        case text
        /// CSV: a cell in quotes, unescaped.
        case quotedText
        /// NDJSON: a string, unescaped, valid UTF-8.
        case string
        /// NDJSON: a number, in JSON's grammar.
        case number
        /// NDJSON: `true` or `false`.
        case bool
        /// NDJSON: an array, as the JSON text that stands in the file, checked for its grammar.
        case structure
    }

    /// What kind of thing stands here.
    public let state: State
    /// Its bytes; empty for `absent` and `null`.
    public let bytes: RawSpan

    /// A field of one's own making.
    @_lifetime(copy bytes)
    public init(state: State, bytes: RawSpan) {
        self.state = state
        self.bytes = bytes
    }

    /// Whether there is a value at all.
    @inlinable public var hasValue: Bool { state != .absent && state != .null }
}
