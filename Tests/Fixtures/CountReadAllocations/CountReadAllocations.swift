import CAllocations
import Foundation
import Logging
import NIOCore
import StoreFixtures
import WhenceCatalog
import WhenceCore
import WhenceEngine
import WhenceProtocol
import WhenceServer

/// Counts what online reads of entities that are in the cache of latest rows ask the heap for. Prints a line a way to read: `WAY COUNT`, for
/// a thousand reads, after others to warm it: `optimized` says 1 where the compiler has optimized it, and 0 in a debug build, which allocates
/// for itself; `control` must have counted something; `read_…` reads a request, looks its entities up and
/// writes the answer; `served_…` is a whole server behind a socket.
@main struct CountReadAllocations {
    private static let yaml = """
        entities:
          - { name: driver, join_keys: [{ name: driver, type: int64 }] }
        views:
          - name: numbers
            entity: driver
            features: [{ name: a, type: float64 }, { name: b, type: int64 }, { name: c, type: float64 }]
          - name: texts
            entity: driver
            features: [{ name: text, type: string }, { name: flag, type: bool }, { name: words, type: list<string> }]
        services:
          - { name: numbers, features: [{ view: numbers, prefix: "" }] }
          - { name: all, features: [{ view: numbers, prefix: "" }, { view: texts, prefix: "" }] }
        """

    static func main() async throws {
        #if DEBUG
            print("optimized", 0)
        #else
            print("optimized", 1)
        #endif
        print("control", count { _ = Array(repeating: CommandLine.arguments.count, count: 1000) })
        let scratch = try ScratchDirectory()
        let store = try Store(at: scratch.path("store"))
        try store.define(yaml)
        try fill(store)
        for (service, rows) in [("numbers", 1), ("numbers", 100), ("all", 1), ("all", 100)] {
            try read(store, service, rows: rows, eventTimes: false)
            try read(store, service, rows: rows, eventTimes: true)
        }
        try await serve(store)
    }

    private static func count(_ body: () throws -> Void) rethrows -> Int {
        allocations_begin()
        defer { _ = allocations_end() }
        try body()
        return allocations_end()
    }

    private static func fill(_ store: Store) throws {
        let (numbers, texts) = (try store.batch("numbers"), try store.batch("texts"))
        for id in 0..<200 as Range<Int64> {
            let key = try EntityKey([.int64(id)])
            let time = Timestamp(microseconds: 1_700_000_000_000_000)
            try numbers.append(key, at: time, ["a": .float64(Double(id)), "b": .int64(id), "c": .float64(0.5)])
            // Some features have no value, so that an answer has nulls and rows that are put together.
            guard id % 3 > 0 else { continue }
            try texts.append(
                key, at: time,
                id % 3 == 1
                    ? ["text": .string("driver \(id)"), "flag": .bool(true), "words": .list([.string("a"), .string("bc")])]
                    : ["text": .null, "flag": .bool(false)])
        }
        try store.write([numbers, texts])
    }

    private static func question(_ service: String, eventTimes: Bool) throws -> PreparedQuestion {
        try PreparedQuestion(
            OnlineQuestion(
                .service(service), keys: BatchSchema(names: ["driver"], types: [.int64]), eventTimes: eventTimes, ages: eventTimes))
    }

    /// The bytes of a request.
    private static func request(
        _ question: PreparedQuestion, rows: Int, knownSchema: UInt64
    ) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        try question.append(
            to: &bytes, keys: (0..<Int64(rows)).map { $0 }, knownSchema: knownSchema, requestID: 1,
            maximumPayloadBytes: WireLimits.payloadBytes)
        return bytes
    }

    private static func read(_ store: Store, _ service: String, rows: Int, eventTimes: Bool) throws {
        let question = try question(service, eventTimes: eventTimes)
        let reader = try store.servingReader(
            try store.catalog.resolve(service: service), keys: [("driver", .int64)], withEventTimes: eventTimes)
        let columns = reader.columns(eventTimes: eventTimes, ages: eventTimes)
        let schema = try IdentifiedSchema(BatchSchema(names: columns.map(\.name), types: columns.map(\.type)))
        let bytes = try request(question, rows: rows, knownSchema: schema.id)
        var decoder = FrameDecoder(from: .client)
        var placed = PlacedOnlineRead()
        var writer = FrameWriter(maximumPayloadBytes: WireLimits.payloadBytes)
        func once() throws {
            decoder.feed(bytes)
            guard let frame = try decoder.next() else { preconditionFailure("a request is a frame") }
            try placed.read(frame, asking: question)
            let now = store.now
            try reader.read(placed.entities, in: frame.payload.readableBytesSpan, at: now)
            let answers = reader.answers
            for part in answers { try part.measure(eventTimes: eventTimes, agesAt: eventTimes ? now : nil) }
            writer.buffer.clear()
            try writer.writeOnlineAnswer(
                time: now, schema: schema, sendsSchema: false, answers, rows: placed.entities.count, requestID: frame.requestID)
            reader.trim()
        }
        for _ in 0..<10 { try once() }
        let counted = try count { for _ in 0..<1000 { try once() } }
        print("read_\(service)_\(rows)\(eventTimes ? "_times" : "")", counted)
    }

    // MARK: Through a socket

    private static func serve(_ store: Store) async throws {
        var configuration = ServerConfiguration()
        configuration.listen = ListenAddress(host: "127.0.0.1", port: 0)
        configuration.limits.eventLoops = 1
        let logger = Logger(label: "count", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = Server(store, configuration, logger: logger)
        let port = try await server.start().port
        for (service, rows) in [("numbers", 1), ("numbers", 100), ("all", 100)] { try ask(port, service, rows) }
        await server.shutDown()
    }

    /// A client that allocates nothing itself while it asks.
    private static func ask(_ port: Int, _ service: String, _ rows: Int) throws {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(connected == 0, "the server does not take a connection")
        var writer = FrameWriter()
        try writer.write(Hello(maximumPayloadBytes: UInt32(WireLimits.payloadBytes), client: "count"), requestID: 0)
        var received = [UInt8](repeating: 0, count: 1 << 20)
        exchange(socket, Array(writer.buffer.readableBytesView), &received)
        let question = try question(service, eventTimes: false)
        // The first answer brings the schema; whoever has it says so from then on.
        let first = exchange(socket, Array(try request(question, rows: rows, knownSchema: 0).readableBytesView), &received)
        var decoder = FrameDecoder(from: .server, maximumPayloadBytes: WireLimits.payloadBytes)
        decoder.feed(ByteBuffer(bytes: received[..<first]))
        guard let frame = try decoder.next() else { preconditionFailure("the server does not answer") }
        let schema = try OnlineAnswer(decoding: frame).schema.id
        let bytes = Array(try request(question, rows: rows, knownSchema: schema).readableBytesView)
        for _ in 0..<200 { exchange(socket, bytes, &received) }
        print("served_\(service)_\(rows)", count { for _ in 0..<1000 { exchange(socket, bytes, &received) } })
    }

    /// Sends `bytes`, and takes the one frame that answers them. Returns its length.
    @discardableResult private static func exchange(_ socket: Int32, _ bytes: borrowing [UInt8], _ received: inout [UInt8]) -> Int {
        let sent = unsafe bytes.withUnsafeBytes { unsafe send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        precondition(sent == bytes.count, "the server does not read")
        return unsafe received.withUnsafeMutableBytes { memory in
            var end = 0
            // A frame begins with how many bytes follow.
            while unsafe end < 4 || end < 4 + Int(memory.loadUnaligned(as: UInt32.self)) {
                guard let base = memory.baseAddress else { return 0 }
                let count = unsafe recv(socket, base + end, memory.count - end, 0)
                precondition(count > 0, "the server has closed")
                end += count
            }
            return end
        }
    }
}
