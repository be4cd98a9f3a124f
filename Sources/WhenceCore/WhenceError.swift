/// What went wrong, where, and what a person can do about it: the one error type that leaves Whence.
///
/// The `code` is stable: programs may match on it, and it travels over the wire. The `message` and the
/// `hint` are for people and may change.
public struct WhenceError: Error, Sendable, Equatable {
    /// Stable error codes. The hundreds say the area: 1xxx input, 2xxx definitions, 3xxx store, 4xxx service.
    public enum Code: Int, Sendable, CaseIterable {
        case invalidValue = 1001
        case invalidTime = 1002
        case invalidKey = 1003
        case limitExceeded = 1004
        case malformedInput = 1005
        case unknownFeature = 1006
        case tooManyRejects = 1007
        case invalidArgument = 1008
        case invalidDefinition = 2001
        case incompatibleChange = 2002
        case notFound = 2003
        case alreadyExists = 2004
        case storeLocked = 3001
        case unknownFormat = 3002
        case corruption = 3003
        case diskFull = 3004
        case permissionDenied = 3005
        case inputOutput = 3006
        case storeClosed = 3007
        case readOnly = 3008
        case beyondRetention = 3009
        case deadlineExceeded = 4001
        case cancelled = 4002
        case overloaded = 4003
        case notAuthenticated = 4004
        case notAllowed = 4005
        case protocolViolation = 4006
        case unsupportedVersion = 4007
        case draining = 4008
        case internalError = 4009
        /// Made by clients, never sent.
        case connectionLost = 4010
    }

    /// The stable code.
    public var code: Code
    /// What was wrong, in one sentence.
    public var message: String
    /// Where: file, line, column, view, feature or path; empty when the message says it all.
    public var place: String
    /// What to do; empty when nothing useful can be said.
    public var hint: String
    /// Whether the same request may succeed when it is simply repeated.
    public var isRetryable: Bool
    /// How long to wait before that, at least; nil where there is no advice.
    public var retryAfter: Duration?

    public init(
        _ code: Code, _ message: String, place: String = "", hint: String = "", isRetryable: Bool = false, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.place = place
        self.hint = hint
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
    }

    /// The same error, with an outer place put in front of its own (`file.csv:12`, then `column dep_delay`).
    public func at(_ outer: String) -> WhenceError {
        var error = self
        error.place = place.isEmpty ? outer : "\(outer), \(place)"
        return error
    }
}

extension WhenceError: CustomStringConvertible {
    /// `place: message (hint)`, as the command line prints it after `error: `.
    public var description: String {
        var text = place.isEmpty ? message : "\(place): \(message)"
        if !hint.isEmpty { text += "\n  hint: \(hint)" }
        return text
    }
}
