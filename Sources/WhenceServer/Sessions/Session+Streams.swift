import NIOCore
import WhenceCore
import WhenceProtocol

/// How streams are driven: steps on the pool, frames out as far as credit and the socket allow.
extension Session {
    /// Begins a request that a stream answers. `make` reads the frame.
    func stream(
        _ frame: Frame, _ operation: Operation, _ principal: Principal,
        _ make: (Frame, Principal, ServerCore) throws(WhenceError) -> any StreamJob
    ) throws(WhenceError) {
        guard let request = try admit(frame, operation) else { return }
        do throws(WhenceError) {
            let job = try make(frame, principal, core)
            let stream = Stream(request, job, uploadCredit: UInt32(clamping: core.limits.uploadCreditBytes))
            request.stream = stream
            try step(stream, isFirst: true)
        } catch {
            guard error.code != .protocolViolation else { throw error }
            if error.code == .overloaded { core.metrics.shed(.queue) }
            end(request, with: error)
        }
    }

    /// Sends what may be sent, and has the job go on.
    func pump(_ stream: Stream) {
        let request = stream.request
        guard requests[request.id] === request else { return }
        while !isCongested, let frame = stream.nextFrame() {
            request.rows += frame.rows
            request.bytes += frame.bytes.readableBytes
            send(frames: frame.bytes)
            if frame.isLast { return finish(request) }
        }
        guard stream.wantsStep else { return }
        do throws(WhenceError) {
            try step(stream, isFirst: false)
        } catch {
            end(request, with: error)
        }
    }

    private func step(_ stream: Stream, isFirst: Bool) throws(WhenceError) {
        guard let job = stream.job else { return }
        let upload = stream.takeUploads()
        let empty = StreamOutput(
            requestID: stream.request.id, maximumPayloadBytes: writer.maximumPayloadBytes,
            frameBytes: min(core.limits.streamFrameBytes, writer.maximumPayloadBytes))
        stream.isStepping = true
        try core.streams.submit(for: id, isAdmitted: !isFirst) { [self] in
            var output = empty
            let began = NIODeadline.now()
            let result: Result<StreamStep, WhenceError>
            do throws(WhenceError) {
                try stream.request.checkOpen()
                let state = try job.step(upload, &output)
                result = .success(StreamStep(frames: output.frames, uploadBytes: output.uploadBytes, state: state))
            } catch {
                result = .failure(error)
            }
            onLoop { $0.stepped(stream, result, began: began) }
        }
    }

    private func stepped(_ stream: Stream, _ result: Result<StreamStep, WhenceError>, began: NIODeadline) {
        let request = stream.request
        guard requests[request.id] === request else { return }
        if request.workBegan == nil { request.workBegan = began }
        switch result {
        case .success(let step):
            if let credit = stream.take(step) { send(UploadCreditGrant(bytes: credit), requestID: request.id) }
            pump(stream)
        case .failure(let error) where error.code == .protocolViolation: fail(error)
        case .failure(let error): end(request, with: error)
        }
    }

    /// Lets a stream's job go, on the pool: that may remove files.
    func abandon(_ stream: Stream) {
        guard let job = stream.job else { return }
        stream.job = nil
        // A step that runs holds the job itself, and lets it go where it ends.
        guard !stream.isStepping else { return }
        try? core.streams.submit(for: id, isAdmitted: true) { withExtendedLifetime(job) {} }
    }
}
