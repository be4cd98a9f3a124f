/// The type of one element: of a feature, or of the elements of a list.
public enum ScalarType: UInt8, Sendable, CaseIterable {
    case bool = 1
    case int32 = 2
    case int64 = 3
    case float32 = 4
    case float64 = 5
    case string = 6
    case bytes = 7
    case timestamp = 8

    /// Bytes that one value takes in a row, or nil where values differ in length.
    @inlinable public var width: Int? {
        switch self {
        case .bool: 1
        case .int32, .float32: 4
        case .int64, .float64, .timestamp: 8
        case .string, .bytes: nil
        }
    }

    /// The name that definitions use.
    public var name: String {
        switch self {
        case .bool: "bool"
        case .int32: "int32"
        case .int64: "int64"
        case .float32: "float32"
        case .float64: "float64"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        }
    }
}

/// The type of a feature.
public enum FeatureType: Hashable, Sendable {
    case scalar(ScalarType)
    /// A vector of float32 whose length never varies, such as an embedding.
    case vector(dimension: Int)
    /// A list of any length, without nulls inside.
    case list(ScalarType)

    @inlinable public static var bool: FeatureType { FeatureType.scalar(.bool) }
    @inlinable public static var int32: FeatureType { FeatureType.scalar(.int32) }
    @inlinable public static var int64: FeatureType { FeatureType.scalar(.int64) }
    @inlinable public static var float32: FeatureType { FeatureType.scalar(.float32) }
    @inlinable public static var float64: FeatureType { FeatureType.scalar(.float64) }
    @inlinable public static var string: FeatureType { FeatureType.scalar(.string) }
    @inlinable public static var bytes: FeatureType { FeatureType.scalar(.bytes) }
    @inlinable public static var timestamp: FeatureType { FeatureType.scalar(.timestamp) }

    /// Bytes that one value takes in a row, or nil where values differ in length.
    @inlinable public var width: Int? {
        switch self {
        case .scalar(let scalar): scalar.width
        case .vector(let dimension): dimension * 4
        case .list: nil
        }
    }

    /// The name that definitions use: `float64`, `vector<16>`, `list<string>`.
    public var name: String {
        switch self {
        case .scalar(let scalar): scalar.name
        case .vector(let dimension): "vector<\(dimension)>"
        case .list(let scalar): "list<\(scalar.name)>"
        }
    }

    /// Reads a name as definitions use it.
    public init(named text: String) throws(WhenceError) {
        if let scalar = ScalarType.allCases.first(where: { $0.name == text }) {
            self = .scalar(scalar)
            return
        }
        if text.hasSuffix(">") {
            if text.hasPrefix("vector<"), let dimension = Int(text.dropFirst(7).dropLast()),
                dimension >= 1, dimension <= Limits.vectorDimension, text == FeatureType.vector(dimension: dimension).name
            {
                self = .vector(dimension: dimension)
                return
            }
            if text.hasPrefix("list<"), let scalar = ScalarType.allCases.first(where: { $0.name == text.dropFirst(5).dropLast() }) {
                self = .list(scalar)
                return
            }
        }
        throw WhenceError(
            .invalidDefinition, "'\(text)' is not a feature type",
            hint: "the types are \(ScalarType.allCases.map(\.name).joined(separator: ", ")), vector<N> with N up to "
                + "\(Limits.vectorDimension), and list<TYPE>")
    }

    /// Whether every value of this type is, unchanged, a value of `other`: what a schema may widen to without a backfill.
    public func widens(to other: FeatureType) -> Bool {
        switch (self, other) {
        case (.scalar(.int32), .scalar(.int64)), (.scalar(.int32), .scalar(.float64)), (.scalar(.float32), .scalar(.float64)): true
        default: false
        }
    }
}

/// The type of a join key.
public enum KeyType: String, Sendable, CaseIterable {
    case int64, string, bytes, bool
}
