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
        guard streams < core.limits.streamsPerConnection else {
            core.metrics.shed(.requestsPerConnection)
            return end(request, with: .overloaded("the connection has as many streams as it may have", retryAfter: .milliseconds(100)))
        }
        do throws(WhenceError) {
            let job = try make(frame, principal, core)
            let stream = Stream(request, job, uploadCredit: UInt32(clamping: core.limits.uploadCreditBytes))
            request.stream = stream
            streams += 1
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
        if stream.wantsStep {
            if !stream.hasCredit || hasStreamRoom {
                do throws(WhenceError) {
                    try step(stream, isFirst: false)
                } catch {
                    end(request, with: error)
                }
            } else {
                isStreamHeldBack = true
            }
        }
        releaseStreams()
    }

    /// Whether the streams that have credit have made so little that is not sent that there is room for another frame.
    private var hasStreamRoom: Bool {
        let frameBytes = core.limits.streamFrameBytes
        var ahead = frameBytes
        for request in requests.values {
            guard let stream = request.stream, stream.hasCredit else { continue }
            ahead += stream.pendingBytes + (stream.isStepping ? frameBytes : 0)
        }
        return ahead <= core.limits.streamAheadBytes
    }

    /// Lets streams that were held back go on when there is room for what they make.
    private func releaseStreams() {
        guard isStreamHeldBack, hasStreamRoom else { return }
        isStreamHeldBack = false
        // In the order of their ids, and not as part of what is under way.
        loop.eventLoop.execute { [self] in
            for id in requests.keys.sorted() { if let stream = requests[id]?.stream { pump(stream) } }
        }
    }

    private func step(_ stream: Stream, isFirst: Bool) throws(WhenceError) {
        guard let job = stream.job else { return }
        let upload = stream.takeUploads()
        let empty = StreamOutput(
            requestID: stream.request.id, maximumPayloadBytes: writer.maximumPayloadBytes,
            frameBytes: min(core.limits.streamFrameBytes, writer.maximumPayloadBytes))
        let pool = stream.state == .moreAtLength ? core.longSteps : core.streams
        try pool.submit(for: id, isAdmitted: !isFirst) { [self] in
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
        // What the step has made comes back through this event loop, and so after this.
        stream.isStepping = true
    }

    private func stepped(_ stream: Stream, _ result: Result<StreamStep, WhenceError>, began: NIODeadline) {
        let request = stream.request
        guard requests[request.id] === request else { return releaseStreams() }
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
        streams -= 1
        releaseStreams()
        // A step that runs holds the job itself, and lets it go where it ends.
        guard !stream.isStepping else { return }
        try? core.streams.submit(for: id, isAdmitted: true) { withExtendedLifetime(job) {} }
    }
}
