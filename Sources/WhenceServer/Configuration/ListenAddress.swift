import Glibc
import NIOCore
import WhenceCore

/// Where a server listens: `HOST:PORT`, with an IPv6 address in brackets. Port 0 lets the system choose.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `HOST:PORT` or `[ADDRESS]:PORT`. Throws `invalidArgument`.
    public init(parsing text: String) throws(WhenceError) {
        func refuse(_ message: String) -> WhenceError {
            WhenceError(
                .invalidArgument, "'\(text)' \(message)", hint: "write HOST:PORT, as in 127.0.0.1:9462, or [::1]:9462 for IPv6")
        }
        guard let colon = text.lastIndex(of: ":") else { throw refuse("has no port") }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits), (0...65_535).contains(port) else {
            throw refuse("has a port that is not a number from 0 to 65535")
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw refuse("has an IPv6 address without brackets")
        }
        guard !host.isEmpty else { throw refuse("has no host") }
        self.init(host: String(host), port: port)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach it. A name counts only where it is `localhost`: what others resolve to is not known here.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" || host == "0:0:0:0:0:0:0:1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "127" else { return false }
        return parts.allSatisfy { part in UInt8(part) != nil }
    }

    /// A peer's address, for logs.
    static func text(_ address: SocketAddress?) -> String {
        guard let host = address?.ipAddress, let port = address?.port else { return "unknown" }
        return ListenAddress(host: host, port: port).description
    }

    /// What a failure to listen there means to a person.
    public static func bindingError(_ error: any Error, _ address: ListenAddress) -> WhenceError {
        let place = "\(address)"
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE?:
            return WhenceError(
                .invalidArgument, "something listens on this address already", place: place, hint: "stop it, or choose another port")
        case EACCES?:
            return WhenceError(.permissionDenied, "this port may not be listened on", place: place, hint: "choose a port from 1024 on")
        case EADDRNOTAVAIL?:
            return WhenceError(.invalidArgument, "this machine does not have this address", place: place, hint: "listen on one that it has")
        default:
            return WhenceError(.inputOutput, "cannot listen on this address", place: place, hint: "check the host's name and the port")
        }
    }
}
