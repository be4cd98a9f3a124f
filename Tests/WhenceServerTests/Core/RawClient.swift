import Foundation
import NIOCore
import WhenceCore
import WhenceProtocol

/// A client as small as can be, on a blocking socket: it says exactly what a test wants it to say. Every wait ends after `patience`.
final class RawClient {
    struct Silence: Error {}
    struct Closed: Error {}

    let socket: Int32
    private var decoder = FrameDecoder(from: .server, maximumPayloadBytes: WireLimits.payloadBytes)
    private(set) var welcome: Welcome?
    private var nextID: UInt32 = 1
    /// Frames that came while another request's were waited for.
    private var kept: [Frame] = []
    static let patience = 60

    /// Connects, and says hello unless told not to.
    init(port: Int, opens: Bool = true, receiveBytes: Int32? = nil) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBytes { unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size)) }
        var timeout = timeval(tv_sec: RawClient.patience, tv_usec: 0)
        unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        unsafe setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Closed() }
        if opens { welcome = try open() }
    }

    deinit { close() }

    private var isClosed = false

    func close() {
        guard !isClosed else { return }
        isClosed = true
        _ = Foundation.close(socket)
    }

    func open() throws -> Welcome {
        try send(Hello(maximumPayloadBytes: UInt32(WireLimits.payloadBytes), client: "raw"), id: 0)
        return try Welcome(decoding: try frame())
    }

    // MARK: Out

    func send(bytes: some Collection<UInt8>) throws {
        let all = Array(bytes)
        var at = 0
        while at < all.count {
            let sent = unsafe all[at...].withUnsafeBytes { unsafe Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Closed() }
            at += sent
        }
    }

    static func bytes<M: Message>(_ message: M, id: UInt32) throws -> [UInt8] {
        var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
        try writer.write(message, requestID: id)
        return Array(writer.buffer.readableBytesView)
    }

    static func bytes(rows: ColumnBatch, id: UInt32) throws -> [UInt8] {
        var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
        try writer.writeRows(rows, as: .uploadRows, requestID: id)
        return Array(writer.buffer.readableBytesView)
    }

    func send<M: Message>(_ message: M, id: UInt32) throws { try send(bytes: try RawClient.bytes(message, id: id)) }

    /// Sends a request and returns its id.
    func begin<M: Message>(_ message: M) throws -> UInt32 {
        let id = nextID
        nextID += 1
        try send(message, id: id)
        return id
    }

    func upload(_ rows: ColumnBatch, id: UInt32) throws { try send(bytes: try RawClient.bytes(rows: rows, id: id)) }

    // MARK: In

    /// The next frame. Throws `Closed` where the server has closed, `Silence` where nothing comes.
    func frame() throws -> Frame {
        if !kept.isEmpty { return kept.removeFirst() }
        return try receive()
    }

    /// The next frame of request `id`; others are kept.
    func frame(of id: UInt32) throws -> Frame {
        if let at = kept.firstIndex(where: { $0.requestID == id }) { return kept.remove(at: at) }
        while true {
            let frame = try receive()
            if frame.requestID == id { return frame }
            kept.append(frame)
        }
    }

    private func receive() throws -> Frame {
        while true {
            if let frame = try decoder.next() { return frame }
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            let count = unsafe recv(socket, &bytes, bytes.count, 0)
            if count == 0 { throw Closed() }
            guard count > 0 else {
                if errno == EAGAIN || errno == EWOULDBLOCK { throw Silence() }
                throw Closed()
            }
            decoder.feed(ByteBuffer(bytes: bytes[..<count]))
        }
    }

    /// Whether the server closes the connection, whatever it says before.
    func isClosedByServer() -> Bool {
        do {
            while true { _ = try frame() }
        } catch is Silence {
            return false
        } catch {
            return true
        }
    }

    // MARK: Conversations

    /// The error that a frame brings, thrown where it is one.
    static func check(_ frame: Frame) throws -> Frame {
        if frame.kind == .error { throw try Failure(decoding: frame).error }
        return frame
    }

    /// The one answer to a request; progress is passed over. Throws the error that it is answered with.
    func ask<M: Message, A: Message>(_ message: M, _: A.Type = A.self) throws -> A {
        let id = try begin(message)
        return try answer(id)
    }

    func answer<A: Message>(_ id: UInt32, _: A.Type = A.self) throws -> A {
        while true {
            let frame = try RawClient.check(try frame(of: id))
            if frame.kind == .progress { continue }
            return try A(decoding: frame)
        }
    }

    struct Rows {
        var schema: StreamSchema
        var batches: [ColumnBatch] = []
        var end: UInt64?

        var count: Int { batches.reduce(0) { $0 + $1.count } }

        /// The values of a column, of all batches.
        func values(_ name: String) -> [Value] {
            batches.flatMap { batch in (0..<batch.count).map { batch.column(named: name)?.value($0) ?? .null } }
        }
    }

    /// A whole stream; credit is given back as frames come.
    func stream(_ id: UInt32) throws -> Rows {
        var rows = Rows(schema: try StreamSchema(decoding: try expect(id, .schema)))
        while true {
            let frame = try RawClient.check(try frame(of: id))
            switch frame.kind {
            case .rows:
                rows.batches.append(try frame.rows(of: rows.schema.schema))
                try send(CreditGrant(bytes: UInt32(frame.byteCount)), id: id)
            case .end:
                rows.end = try StreamEnd(decoding: frame).rows
                return rows
            case .uploadCredit: continue
            default: throw WhenceError(.protocolViolation, "a frame of kind \(frame.kindCode) within a stream")
            }
        }
    }

    /// The next frame of a request that is of `kind`; upload credit and progress are passed over.
    func expect(_ id: UInt32, _ kind: MessageKind) throws -> Frame {
        while true {
            let frame = try RawClient.check(try frame(of: id))
            if frame.kind == kind { return frame }
            guard frame.kind == .uploadCredit || frame.kind == .progress else {
                throw WhenceError(.protocolViolation, "a frame of kind \(frame.kindCode), and not of \(kind)")
            }
        }
    }
}
