import NIOCore

struct WhenceDialect: Dialect {
    init(service: String, entitiesPerRequest: Int, features: Int, picker: EntityPicker) {}
    mutating func open(into buffer: inout ByteBuffer) -> Bool { true }
    mutating func ask(slot: Int, into buffer: inout ByteBuffer) {}
    mutating func take(from buffer: inout ByteBuffer, done: (Int, Outcome) -> Void) throws {}
}
