import WhenceCore

/// The metadata messages of Arrow's IPC format, version V5, as its `Message.fbs` and `Schema.fbs` define them.
enum ArrowMetadata {
    /// The kinds of message, by their number in the union `MessageHeader`.
    enum Kind: UInt8 { case schema = 1, recordBatch = 3 }

    /// `Message`: version, header type, header, body length.
    static func message(_ kind: Kind, _ header: FlatBuffer, bodyBytes: Int) -> [UInt8] {
        FlatBuffer.table([.int16(4), .uint8(kind.rawValue), header, .int64(Int64(bodyBytes))]).serialized()
    }

    /// `Schema`: endianness (little is the default), fields.
    static func schema(_ fields: [FlatBuffer]) -> FlatBuffer { .table([nil, .tables(fields)]) }

    /// `RecordBatch`: length, nodes (length and nulls of each column and each child), buffers (place and length).
    static func recordBatch(rows: Int, nodes: [Int64], buffers: [Int64]) -> FlatBuffer {
        .table([.int64(Int64(rows)), .structs(nodes, fieldsEach: 2), .structs(buffers, fieldsEach: 2)])
    }

    /// `Field`: name, nullable, type type, type, dictionary, children. All fields may be null, as those of most writers.
    static func field(_ name: String, _ type: FeatureType) -> FlatBuffer {
        let (number, parameters, children): (UInt8, FlatBuffer, [FlatBuffer]) =
            switch type {
            case .scalar(.int32): (2, .table([.int32(32), .bool(true)]), [])
            case .scalar(.int64): (2, .table([.int32(64), .bool(true)]), [])
            case .scalar(.float32): (3, .table([.int16(1)]), [])
            case .scalar(.float64): (3, .table([.int16(2)]), [])
            case .scalar(.bytes): (4, .table([]), [])
            case .scalar(.string): (5, .table([]), [])
            case .scalar(.bool): (6, .table([]), [])
            case .scalar(.timestamp): (10, .table([.int16(2), .string("UTC")]), [])
            case .list(let element): (12, .table([]), [field("item", .scalar(element))])
            case .vector(let dimension): (16, .table([.int32(Int32(dimension))]), [field("item", .float32)])
            }
        return .table([.string(name), .bool(true), .uint8(number), parameters, nil, .tables(children)])
    }
}
