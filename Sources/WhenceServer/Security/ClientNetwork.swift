import Glibc
import NIOCore

/// Where a client is, as far as failed logins are counted by it: an IPv4 address, or the first 64 bits of an IPv6 address, since whoever
/// has one of those has them all.
struct ClientNetwork: Sendable, Hashable {
    private let bytes: [UInt8]

    /// What has no address, as in tests, is one network.
    static let unknown = ClientNetwork(nil)

    init(_ address: SocketAddress?) {
        guard let address, let text = address.ipAddress else {
            bytes = []
            return
        }
        if address.protocol == .inet {
            bytes = Self.bytes(text, AF_INET, count: 4)
        } else {
            let all = Self.bytes(text, AF_INET6, count: 16)
            // An IPv4 address on a socket of IPv6 (RFC 4291, section 2.5.5.2) is that IPv4 address.
            let isMapped = all.prefix(10).allSatisfy { $0 == 0 } && all[10] == 0xFF && all[11] == 0xFF
            bytes = isMapped ? Array(all[12...]) : Array(all[..<8])
        }
    }

    /// An address of `count` bytes; zeros for what is none, which the system does not give out.
    private static func bytes(_ text: String, _ family: Int32, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        // The system writes as many bytes as an address of that family has.
        _ = unsafe bytes.withUnsafeMutableBytes { unsafe inet_pton(family, text, $0.baseAddress) }
        return bytes
    }
}
