import NIOCore

/// Redis's protocol (RESP 2): a request for N entities is N commands `HMGET user:E f0 … fM` in one write, answered in order.
struct RedisDialect: Dialect {
    private let entitiesPerRequest: Int
    private let fields: [UInt8]
    private let features: Int
    private var picker: EntityPicker
    /// The slots asked, in order, and how many arrays of the first are still to come.
    private var waiting = CircularBuffer<Int>()
    private var left: Int

    init(entitiesPerRequest: Int, features: Int, picker: EntityPicker) {
        self.entitiesPerRequest = entitiesPerRequest
        self.features = features
        self.picker = picker
        left = entitiesPerRequest
        fields = (0..<features).flatMap { feature in
            let name = "f\(feature)"
            return Array("$\(name.utf8.count)\r\n\(name)\r\n".utf8)
        }
    }

    mutating func open(into buffer: inout ByteBuffer) -> Bool { false }

    mutating func ask(slot: Int, into buffer: inout ByteBuffer) {
        waiting.append(slot)
        for _ in 0..<entitiesPerRequest {
            let key = "user:\(picker.next())"
            buffer.writeString("*\(features + 2)\r\n$5\r\nHMGET\r\n$\(key.utf8.count)\r\n\(key)\r\n")
            buffer.writeBytes(fields)
        }
    }

    mutating func take(from buffer: inout ByteBuffer, done: (Int, Outcome) -> Void) throws {
        while let length = try buffer.readableBytesView.withContiguousStorageIfAvailable({ try arrayLength($0) }) ?? nil {
            buffer.moveReaderIndex(forwardBy: length)
            left -= 1
            guard left == 0 else { continue }
            left = entitiesPerRequest
            done(waiting.removeFirst(), .answered)
        }
    }

    /// Bytes of the array of bulk strings at the front, or nil while it is not whole.
    private func arrayLength(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Int? {
        var at = 0
        guard let count = try number(bytes, &at, marker: UInt8(ascii: "*")) else { return nil }
        guard count == features else { throw WrongAnswer(description: "Redis answered \(count) fields, not \(features)") }
        for _ in 0..<count {
            guard let length = try number(bytes, &at, marker: UInt8(ascii: "$")) else { return nil }
            guard length > 0 else { throw WrongAnswer(description: "Redis has no value for a field that was loaded") }
            at += length + 2
            guard at <= bytes.count else { return nil }
        }
        return at
    }

    private func number(_ bytes: UnsafeBufferPointer<UInt8>, _ at: inout Int, marker: UInt8) throws -> Int? {
        guard at < bytes.count else { return nil }
        guard bytes[at] == marker else {
            throw WrongAnswer(description: "Redis answered \(String(decoding: bytes.dropFirst(at).prefix(80), as: UTF8.self))")
        }
        var index = at + 1
        var value = 0
        var negative = false
        while index < bytes.count, bytes[index] != UInt8(ascii: "\r") {
            if bytes[index] == UInt8(ascii: "-") { negative = true } else { value = value * 10 + Int(bytes[index] - UInt8(ascii: "0")) }
            index += 1
        }
        guard index + 1 < bytes.count else { return nil }
        at = index + 2
        return negative ? -value : value
    }
}
