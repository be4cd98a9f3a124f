import NIOCore
import WhenceCore
import WhenceProtocol

/// A request that is answered by a stream, or that uploads one, as its session sees it: credit, what waits to be sent, what has been
/// uploaded. Touched on the session's event loop only; the work itself is the job's, which runs on a pool one step at a time, and never
/// holds a thread while it waits for the client.
final class Stream: @unchecked Sendable {
    let request: OpenRequest
    /// Nil when the stream has ended.
    var job: (any StreamJob)?
    /// What the client takes of `rows`.
    private var credit: Credit
    /// Frames that have been made and not sent.
    private var outgoing: [StreamFrame] = []
    private var ledger: CreditLedger
    private let takesUploads: Bool
    /// Frames of rows that no step has taken up.
    private(set) var uploads: [Frame] = []
    /// How many rows the client says that it has uploaded, once it has said so.
    private(set) var uploadedRows: UInt64?
    /// Whether a step is on the pool.
    var isStepping = false
    var state = StepState.more
    /// When the client last gave credit or rows, or took what it had credit for.
    private(set) var heardAt = NIODeadline.now()

    init(_ request: OpenRequest, _ job: any StreamJob, uploadCredit: UInt32) {
        self.request = request
        self.job = job
        credit = Credit(job.options.credit)
        takesUploads = job.takesUploads
        ledger = CreditLedger(window: uploadCredit)
    }

    /// Whether nothing goes on until the client does something.
    func isWaitingForClient(isCongested: Bool) -> Bool {
        guard !isStepping, !isCongested else { return false }
        if let next = outgoing.first { return next.takesCredit && !credit.isOpen }
        return state == .needsUpload && uploads.isEmpty && uploadedRows == nil
    }

    /// Whether the client takes more rows.
    var hasCredit: Bool { credit.isOpen }

    /// Bytes of frames that have been made and not sent.
    var pendingBytes: Int { outgoing.reduce(0) { $0 + $1.bytes.readableBytes } }

    // MARK: From the client

    func take(credit more: UInt32) throws(WhenceError) {
        heardAt = .now()
        try credit.add(more)
    }

    /// Takes rows, or their end.
    func take(upload frame: Frame) throws(WhenceError) {
        guard takesUploads, uploadedRows == nil else { throw .violation("request \(request.id) takes no more rows") }
        heardAt = .now()
        if frame.kind == .uploadEnd {
            uploadedRows = try UploadEnd(decoding: frame).rows
        } else {
            try ledger.receive(frame.byteCount)
            request.bytes += frame.byteCount
            uploads.append(frame)
        }
    }

    // MARK: From and to the job

    /// Whether the job is to do a step: it has something to do, and what it has made before is nearly sent.
    var wantsStep: Bool {
        guard job != nil, !isStepping, outgoing.count < (credit.isOpen ? 2 : 1) else { return false }
        switch state {
        case .more, .moreAtLength: return true
        case .needsUpload: return !uploads.isEmpty || uploadedRows != nil
        case .done: return false
        }
    }

    /// Hands what has been uploaded to a step.
    func takeUploads() -> StreamUpload {
        defer { uploads = [] }
        return StreamUpload(frames: uploads, rows: uploadedRows, request: request)
    }

    /// Takes what a step has made. Returns the credit to give to the client for what the step has used up.
    func take(_ step: StreamStep) -> UInt32? {
        isStepping = false
        // The client's time begins when ours ends.
        heardAt = .now()
        state = step.state
        outgoing += step.frames
        return step.uploadBytes > 0 ? ledger.consume(step.uploadBytes) : nil
    }

    /// The next frame that may be sent.
    func nextFrame() -> StreamFrame? {
        guard let next = outgoing.first, !next.takesCredit || credit.isOpen else { return nil }
        outgoing.removeFirst()
        if next.takesCredit { credit.spend(next.bytes.readableBytes) }
        heardAt = .now()
        return next
    }
}

/// A frame on its way out.
struct StreamFrame: Sendable {
    let bytes: ByteBuffer
    /// Whether it is one of `rows`.
    let takesCredit: Bool
    let rows: Int
    /// Whether the request ends with it.
    let isLast: Bool
}

/// What has been uploaded since the last step.
struct StreamUpload: Sendable {
    let frames: [Frame]
    /// How many rows there were in all; nil while more may come.
    let rows: UInt64?
    /// The request that they are for.
    let request: OpenRequest
}

/// How a job stands after a step.
enum StepState: Sendable {
    case more
    /// The next step takes as long as the whole job may: it is done where it keeps no other stream waiting.
    case moreAtLength
    /// There is nothing to do until more has been uploaded.
    case needsUpload
    case done
}

/// What a step has made and used up.
struct StreamStep: Sendable {
    var frames: [StreamFrame] = []
    var uploadBytes = 0
    var state = StepState.more
}
