/// One batch of the workload: the run of the writer, its thread, and a number from 0 on.
public struct BatchID: Hashable, Sendable, CustomStringConvertible {
    public let round: Int
    public let thread: Int
    public let number: Int

    public init(round: Int, thread: Int, number: Int) {
        self.round = round
        self.thread = thread
        self.number = number
    }

    /// As the rows carry it.
    public var code: Int64 { Int64(round) << 40 | Int64(thread) << 32 | Int64(number) }

    public init(code: Int64) {
        self.init(round: Int(code >> 40), thread: Int(code >> 32 & 0xFF), number: Int(code & 0xFFFF_FFFF))
    }

    public var description: String { "\(round).\(thread).\(number)" }
}
