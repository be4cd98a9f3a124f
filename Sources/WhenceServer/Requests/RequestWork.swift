import NIOCore
import Synchronization
import WhenceCore
import WhenceProtocol

/// A request that is being answered on a pool's thread.
struct RequestWork: Sendable {
    let core: ServerCore
    let request: OpenRequest
    let session: Session
    /// The longest payload that the client takes.
    let maximumPayloadBytes: Int

    /// Makes the answer and hands it to the session.
    func run(
        _ frame: Frame, _ principal: Principal, _ body: (RequestWork) -> (Frame, Principal) throws(WhenceError) -> Answer
    ) {
        let began = NIODeadline.now()
        let result: Result<(frames: ByteBuffer, rows: Int), WhenceError>
        do throws(WhenceError) {
            try request.checkOpen()
            let answer = try body(self)(frame, principal)
            var writer = FrameWriter(maximumPayloadBytes: maximumPayloadBytes)
            try answer.write(&writer, request.id)
            result = .success((writer.buffer, answer.rows))
        } catch {
            result = .failure(error)
        }
        session.onLoop { [request] in $0.deliver(result, for: request, began: began) }
    }

    /// Says how far long work has come.
    func report(done: Int, total: Int, unit: String) {
        session.onLoop { [request] session in
            guard session.requests[request.id] === request else { return }
            session.send(WorkProgress(done: UInt64(clamping: done), total: UInt64(clamping: total), unit: unit), requestID: request.id)
        }
    }
}

/// The one answer of a request.
struct Answer {
    /// Rows read or written for it.
    let rows: Int
    let write: (inout FrameWriter, UInt32) throws(WhenceError) -> Void

    init(rows: Int, _ write: @escaping (inout FrameWriter, UInt32) throws(WhenceError) -> Void) {
        self.rows = rows
        self.write = write
    }

    init<M: Message>(_ message: M, rows: Int = 0) {
        self.rows = rows
        write = { writer, id throws(WhenceError) in try writer.write(message, requestID: id) }
    }

    init(_ document: JSON) { self.init(Document(json: document.text)) }
}
