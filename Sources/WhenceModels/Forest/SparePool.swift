import Synchronization

/// Objects that threads take, use and give back, so that none is made once as many threads have worked before as do now.
final class SparePool<Element: AnyObject & Sendable>: Sendable {
    private let spare: Mutex<[Element]>
    private let max: Int

    init(max: Int) {
        var empty: [Element] = []
        empty.reserveCapacity(max)
        spare = Mutex(empty)
        self.max = max
    }

    /// One that was given back, or nil.
    func take() -> Element? { spare.withLock { $0.popLast() } }

    func giveBack(_ element: Element) {
        spare.withLock { if $0.count < max { $0.append(element) } }
    }
}
