import WhenceCore
import WhenceProtocol

/// The work behind a stream: a machine that does a step at a time, each no longer than a block unless the one before has said so
/// (`StepState.moreAtLength`). Steps run on a pool, one after the other, on whichever thread is free.
protocol StreamJob: AnyObject, Sendable {
    /// How the answer is to be sent.
    var options: StreamOptions { get }
    var takesUploads: Bool { get }

    /// Does the next step and puts what it has made into `output`.
    func step(_ upload: StreamUpload, _ output: inout StreamOutput) throws(WhenceError) -> StepState
}

/// Where a step puts what it makes: whole frames for the client.
struct StreamOutput {
    private(set) var frames: [StreamFrame] = []
    /// Bytes of uploaded frames that have been used up.
    var uploadBytes = 0
    let requestID: UInt32
    /// The longest payload that the client takes.
    let maximumPayloadBytes: Int
    /// Frames of rows are to be about this long.
    let frameBytes: Int

    init(requestID: UInt32, maximumPayloadBytes: Int, frameBytes: Int) {
        self.requestID = requestID
        self.maximumPayloadBytes = maximumPayloadBytes
        self.frameBytes = frameBytes
    }

    /// Adds a message; the last one ends the request.
    mutating func send<M: Message>(_ message: M, rows: Int = 0, isLast: Bool = false) throws(WhenceError) {
        var writer = FrameWriter(maximumPayloadBytes: maximumPayloadBytes)
        try writer.write(message, requestID: requestID)
        frames.append(StreamFrame(bytes: writer.buffer, takesCredit: false, rows: rows, isLast: isLast))
    }

    /// Adds rows `range` of `batch`.
    mutating func send(_ batch: ColumnBatch, _ range: Range<Int>, _ compressor: RowsCompressor?) throws(WhenceError) {
        var writer = FrameWriter(maximumPayloadBytes: maximumPayloadBytes)
        try writer.writeRows(batch, range, as: .rows, requestID: requestID, compressor: compressor)
        frames.append(StreamFrame(bytes: writer.buffer, takesCredit: true, rows: range.count, isLast: false))
    }
}

/// Cuts blocks of rows into frames.
struct BlockCutter {
    private var block: ColumnBatch?
    private var next = 0
    private var frameRows = 0
    private let batchRows: Int
    private let compressor: RowsCompressor?
    /// Rows of all blocks so far.
    private(set) var rows = 0

    init(_ options: StreamOptions) {
        batchRows = Int(options.batchRows)
        compressor = options.compress ? RowsCompressor() : nil
    }

    /// Whether all of the block has been cut.
    var isEmpty: Bool { block == nil }

    /// Takes up the next block. The one before must have been cut.
    mutating func take(_ batch: ColumnBatch, frameBytes: Int) {
        precondition(block == nil)
        rows += batch.count
        guard batch.count > 0 else { return }
        block = batch
        next = 0
        let rowBytes = max(1, FrameWriter.payloadBytes(of: batch) / batch.count)
        frameRows = min(frameBytes / rowBytes, WireLimits.rows)
        if batchRows > 0 { frameRows = min(frameRows, batchRows) }
        // Frames begin at multiples of 8 rows, where bitmaps begin on a byte.
        frameRows = max(8, (frameRows + 7) & ~7)
    }

    /// Makes the next frame of the block.
    mutating func cut(into output: inout StreamOutput) throws(WhenceError) {
        guard let batch = block else { return }
        var end = min(next + frameRows, batch.count)
        // Rows differ in length: fewer where these are long ones.
        while end - next > 8, FrameWriter.payloadBytes(of: batch, next..<end) > output.maximumPayloadBytes {
            end = next + max(8, ((end - next) / 2) & ~7)
        }
        try output.send(batch, next..<end, compressor)
        next = end
        if next == batch.count { block = nil }
    }
}
