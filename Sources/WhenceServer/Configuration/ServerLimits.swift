import NIOCore

/// How much of everything a server takes on. Every limit has a default and a reason; nothing is without one.
public struct ServerLimits: Sendable, Equatable {
    /// Threads that serve the network. Each reads and answers small requests itself: one for each processor but one, which is left to all that
    /// is no such read. A loop that has to share its processor is slower than one loop less.
    public var eventLoops = max(1, System.coreCount - 1)
    /// Connections that may be open at once; one more is closed at once. About 20 KiB of memory each when idle.
    public var connections = 20_000
    /// Requests that one connection may have open. Told to clients in `welcome`; deep enough for any pipeline that helps.
    public var requestsPerConnection = 1_024
    /// Requests that are open in all. Past it requests are refused with `overloaded` before any work is done for them.
    public var requests = 16_384
    /// Requests that wait for a thread of the pool, of each priority. What waits longer than its deadline is lost work, so the queue is short.
    public var queueLength = 1_024
    /// Threads for what may take long: joins, scans, backfills. Few, as each job uses `threads` of the store by itself.
    public var poolThreads = 2
    /// Threads for writes. They wait for the disk and share its syncs, so there are more of them than processors.
    public var writeThreads = 16
    /// The longest payload of a frame that is taken, in bytes; 65,536 to 67,108,864. Told to clients in `welcome`.
    public var frameBytes = 16 << 20
    /// Bytes of rows that a client may upload for a request before it hears from the server.
    public var uploadCreditBytes = 8 << 20
    /// Answers that a connection may have waiting for its client to read them. Above it nothing more is read from that connection.
    public var outboxBytes = 4 << 20
    /// Entities of an online read that an event loop answers itself; a larger read goes to the pool. With rows in the cache this many take
    /// about 0.2 ms, which is as long as others on that loop may be made to wait.
    public var inlineEntities = 512
    /// How long an event loop may take to serve all its sockets once. Where that has been longer for a while the loop is overloaded
    /// (`LoadGauge`): a pipeline that is deep on purpose stays below, a flood does not.
    public var turnTime = Duration.milliseconds(10)
    /// What an overloaded event loop spends on answers before it looks at its sockets again, and what it refuses meanwhile with `overloaded`. As
    /// long, about, is what reads wait that are answered then: shorter makes them faster and fewer, as looking has its cost.
    public var overloadedTurnTime = Duration.milliseconds(1)
    /// Streams, joins, scans and backfills together, that one connection may have open: each holds some memory while its client is slow.
    public var streamsPerConnection = 32
    /// Rows of a stream go out in frames of about this many bytes: large enough to cost nothing each, small enough to share a connection.
    public var streamFrameBytes = 2 << 20
    /// Frames that the streams of one connection may have made and not sent, in bytes: four of them keep a connection busy. A stream whose
    /// client has given no credit has one frame at most, which does not count, so that it stops no other.
    public var streamAheadBytes = 8 << 20
    /// Requests that wait for a thread or are worked on, in bytes of their frames, all connections together.
    public var requestBytes = 512 << 20
    /// Memory of one block of a join whose request does not say; also the most that a request may ask for is `streamMemoryBytes`.
    public var joinMemoryBytes = 256 << 20
    /// Memory that all open joins and backfills together are promised; past it another is refused with `overloaded`.
    public var streamMemoryBytes = 1 << 30
    /// Temporary files that all open joins together may have; 0: none are made. A spine that does not fit into a join's memory goes through
    /// them, so that the store is walked once for it; without them it is joined block by block.
    public var spillBytes = 16 << 30
    /// A connection without requests that says nothing for so long is closed. Half-open ones are found by TCP's keepalive long before.
    public var idleConnectionTime = Duration.seconds(3600)
    /// A stream whose client gives neither credit nor rows for so long is ended; a connection that stands still within a frame, or does not
    /// read what waits for it, is closed.
    public var idleTime = Duration.seconds(60)
    /// Connection, TLS and authentication together take at most so long, so that half-open connections do not pile up.
    public var openingTime = Duration.seconds(10)
    /// Wrong passwords of one user from one address that are taken within `loginWindow`; past it logins are refused untried (`LoginThrottle`).
    /// Enough for a person who mistypes, and too few to guess with.
    public var loginFailures = 5
    public var loginWindow = Duration.seconds(60)
    /// How long a request may take that does not say.
    public var defaultTimeout = Duration.seconds(60)
    /// The same for what uploads or is answered by a stream, and for compaction and retention: a training set may take its time.
    public var defaultLongTimeout = Duration.seconds(3600)
    /// How long open requests may go on after the server was told to end.
    public var drainTime = Duration.seconds(30)

    public init() {}
}
