public import WhenceCore

/// The client's first word.
public struct Hello: Message, Equatable {
    public static var kind: MessageKind { .hello }
    public var lowestVersion: UInt16
    public var highestVersion: UInt16
    /// The longest payload that the client takes, in bytes.
    public var maximumPayloadBytes: UInt32
    /// Name and version of the client's program.
    public var client: String

    public init(
        lowestVersion: UInt16 = WireLimits.version, highestVersion: UInt16 = WireLimits.version, maximumPayloadBytes: UInt32, client: String
    ) {
        self.lowestVersion = lowestVersion
        self.highestVersion = highestVersion
        self.maximumPayloadBytes = maximumPayloadBytes
        self.client = client
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.integer(WireLimits.magic)
        writer.integer(lowestVersion)
        writer.integer(highestVersion)
        writer.integer(maximumPayloadBytes)
        try writer.name(client, "the client's name")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        guard try reader.integer(UInt32.self) == WireLimits.magic else { throw reader.invalid("this is no client of Whence") }
        lowestVersion = try reader.integer()
        highestVersion = try reader.integer()
        maximumPayloadBytes = try reader.payloadLimit()
        client = try reader.name()
        guard lowestVersion <= highestVersion else { throw reader.invalid("versions from \(lowestVersion) to \(highestVersion)") }
    }
}

/// The server's answer to `Hello`.
public struct Welcome: Message, Equatable {
    public static var kind: MessageKind { .welcome }
    /// The version that both speak from here on.
    public var version: UInt16
    /// The longest payload that the server takes, in bytes.
    public var maximumPayloadBytes: UInt32
    /// Requests that may be open at once on this connection.
    public var openRequests: UInt32
    /// The credit with which each upload begins, in bytes.
    public var uploadCredit: UInt32
    /// Name and version of the server's program.
    public var server: String
    /// How a client may authenticate; empty where it need not.
    public var mechanisms: [String]

    public init(
        version: UInt16 = WireLimits.version, maximumPayloadBytes: UInt32, openRequests: UInt32, uploadCredit: UInt32, server: String,
        mechanisms: [String]
    ) {
        self.version = version
        self.maximumPayloadBytes = maximumPayloadBytes
        self.openRequests = openRequests
        self.uploadCredit = uploadCredit
        self.server = server
        self.mechanisms = mechanisms
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        writer.integer(version)
        writer.integer(UInt16(0))
        writer.integer(maximumPayloadBytes)
        writer.integer(openRequests)
        writer.integer(uploadCredit)
        try writer.name(server, "the server's name")
        try writer.names(mechanisms, "mechanisms")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        version = try reader.integer()
        try reader.zeros(2)
        maximumPayloadBytes = try reader.payloadLimit()
        openRequests = try reader.integer()
        uploadCredit = try reader.integer()
        server = try reader.name()
        mechanisms = try reader.names()
    }
}

/// One step of the client's in proving who it is.
public struct Authenticate: Message, Equatable {
    public static var kind: MessageKind { .authenticate }
    /// One of those that `Welcome` listed.
    public var mechanism: String
    /// What the mechanism asks for at this step.
    public var data: [UInt8]

    public init(mechanism: String, data: [UInt8]) {
        self.mechanism = mechanism
        self.data = data
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try writer.name(mechanism, "a mechanism")
        try writer.bytes(data, limit: WireLimits.textBytes, "what a mechanism sends")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        mechanism = try reader.name()
        data = try reader.bytes(limit: WireLimits.textBytes)
    }
}

/// What the server wants to see proven next.
public struct Challenge: Message, Equatable {
    public static var kind: MessageKind { .challenge }
    public var data: [UInt8]

    public init(data: [UInt8]) { self.data = data }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try writer.bytes(data, limit: WireLimits.textBytes, "what a mechanism sends")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) { data = try reader.bytes(limit: WireLimits.textBytes) }
}

/// The session is open.
public struct Authenticated: Message, Equatable {
    public static var kind: MessageKind { .authenticated }
    public var user: String
    public var roles: [String]
    /// The mechanism's last word: with SCRAM the server's proof that it knows the password too.
    public var data: [UInt8]

    public init(user: String, roles: [String], data: [UInt8]) {
        self.user = user
        self.roles = roles
        self.data = data
    }

    public func encode(into writer: inout FrameWriter) throws(WhenceError) {
        try writer.name(user, "a user's name")
        try writer.names(roles, "roles")
        try writer.bytes(data, limit: WireLimits.textBytes, "what a mechanism sends")
    }

    public init(from reader: inout PayloadReader) throws(WhenceError) {
        user = try reader.name()
        roles = try reader.names()
        data = try reader.bytes(limit: WireLimits.textBytes)
    }
}

extension PayloadReader {
    /// The longest payload that the other side takes.
    fileprivate mutating func payloadLimit() throws(WhenceError) -> UInt32 {
        let limit: UInt32 = try integer()
        guard (WireLimits.openingPayloadBytes...WireLimits.payloadBytes).contains(Int(limit)) else {
            throw invalid("a longest payload of \(limit) bytes")
        }
        return limit
    }
}
