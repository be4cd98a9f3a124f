/// Room for the raw sums of some rows, for transforms that leave fewer numbers than they take.
///
/// Used by one thread at a time, which takes it from a `SparePool` and gives it back. Invariant: `memory` has room for `count` doubles,
/// all initialised.
@safe final class RawBlock: @unchecked Sendable {
    private let memory: UnsafeMutablePointer<Double>
    private let count: Int

    init(count: Int) {
        self.count = count
        unsafe memory = .allocate(capacity: count)
        unsafe memory.initialize(repeating: 0, count: count)
    }

    deinit { unsafe memory.deallocate() }

    /// The first `count` numbers; whoever has taken the block has them alone.
    @_lifetime(borrow self)
    func numbers(_ count: Int) -> MutableSpan<Double> {
        precondition(count >= 0 && count <= self.count)
        let span = unsafe MutableSpan(_unsafeStart: memory, count: count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
