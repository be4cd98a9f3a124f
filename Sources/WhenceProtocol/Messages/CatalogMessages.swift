public import WhenceCore

/// A file of definitions, as text.
public struct DefinitionText: Sendable, Equatable {
    /// The file's name, for error messages.
    public var name: String
    public var yaml: String

    public init(name: String, yaml: String) {
        self.name = name
        self.yaml = yaml
    }

    static func encode(_ files: [DefinitionText], into writer: inout FrameWriter) throws(WhenceError) {
        writer.integer(UInt32(files.count))
        for file in files {
            try writer.name(file.name, "a file's name")
            try writer.string(file.yaml, "a text of definitions", limit: WireLimits.definitionBytes)
        }
    }

    static func list(from reader: inout PayloadReader) throws(WhenceError) -> [DefinitionText] {
        let count = try reader.count(itemBytes: 8)
        var files: [DefinitionText] = []
        files.reserveCapacity(count)
        for _ in 0..<count {
            files.append(DefinitionText(name: try reader.name(), yaml: try reader.string(limit: WireLimits.definitionBytes)))
        }
        return files
    }
}

/// Asks what `Apply` would change.
public struct PlanRequest: Message, Equatable {
    public static var kind: MessageKind { .plan }
    public var timeout: Duration?
    public var files: [DefinitionText]

    public init(timeout: Duration?, files: [DefinitionText]) {
        self.timeout = timeout
        self.files = files
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try DefinitionText.encode(files, into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        files = try DefinitionText.list(from: &reader)
    }
}

/// Makes definitions so.
public struct ApplyRequest: Message, Equatable {
    public static var kind: MessageKind { .apply }
    public var timeout: Duration?
    public var files: [DefinitionText]

    public init(timeout: Duration?, files: [DefinitionText]) {
        self.timeout = timeout
        self.files = files
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try DefinitionText.encode(files, into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        files = try DefinitionText.list(from: &reader)
    }
}

/// Asks what is defined.
public struct CatalogListRequest: Message, Equatable {
    public static var kind: MessageKind { .catalogList }
    public var timeout: Duration?

    public init(timeout: Duration?) { self.timeout = timeout }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) { writer.timeout(timeout) }

    public init(from reader: inout PayloadReader) throws(WhenceError) { timeout = try reader.timeout() }
}

/// Asks for one definition.
public struct CatalogShowRequest: Message, Equatable {
    public static var kind: MessageKind { .catalogShow }
    public var timeout: Duration?
    /// Empty for any.
    public var definitionKind: String
    public var name: String
    /// 0 for the latest.
    public var version: UInt32

    public init(timeout: Duration?, definitionKind: String, name: String, version: UInt32) {
        self.timeout = timeout
        self.definitionKind = definitionKind
        self.name = name
        self.version = version
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try writer.name(definitionKind, "a kind")
        try writer.name(name, "a definition's name")
        writer.integer(version)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        definitionKind = try reader.name()
        name = try reader.name()
        version = try reader.integer()
    }
}

/// What a read is of.
public enum ReadSelection: Sendable, Hashable {
    /// `NAME` or `NAME@VERSION`.
    case service(String)
    /// `VIEW.FEATURE` or `VIEW.*`, at least one.
    case features([String])

    func encode(into writer: inout FrameWriter) throws(WhenceError) {
        switch self {
        case .service(let name):
            guard !name.isEmpty else { throw WhenceError(.invalidArgument, "the name of a service is empty") }
            try writer.name(name, "a service's name")
            writer.integer(UInt32(0))
        case .features(let names):
            guard !names.isEmpty else { throw WhenceError(.invalidArgument, "no features are asked for") }
            writer.integer(UInt32(0))
            try writer.names(names, "features")
        }
    }

    init(from reader: inout PayloadReader) throws(WhenceError) {
        let service = try reader.name()
        let features = try reader.names()
        guard service.isEmpty != features.isEmpty else {
            throw reader.invalid("a selection is a service or features, and neither both nor nothing")
        }
        self = service.isEmpty ? .features(features) : .service(service)
    }
}

/// Asks for the join keys and features of a selection.
public struct DescribeRequest: Message, Equatable {
    public static var kind: MessageKind { .describe }
    public var timeout: Duration?
    public var selection: ReadSelection

    public init(timeout: Duration?, selection: ReadSelection) {
        self.timeout = timeout
        self.selection = selection
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.timeout(timeout)
        try selection.encode(into: &writer)
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        timeout = try reader.timeout()
        selection = try ReadSelection(from: &reader)
    }
}
