import WhenceCore

/// Where a model is read from. It can be opened more than once: first to see what it is, then to read it.
public enum ModelSource: Sendable {
    /// A regular file.
    case file(String)
    /// Bytes in memory; the name stands in errors where a path would.
    case bytes([UInt8], name: String)

    /// The path, or the name of bytes from elsewhere.
    public var name: String {
        switch self {
        case .file(let path): path
        case .bytes(_, let name): name
        }
    }
}
