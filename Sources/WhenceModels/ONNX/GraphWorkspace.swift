import WhenceCore

/// The memory in which one caller runs a graph: a region of `rowsMax` times its width for each value, row after row.
///
/// Invariant: `base` has room for `numbers` doubles, all initialised; a region at place p of width w takes the doubles
/// `p * rowsMax ..< (p + w) * rowsMax`, and the planner hands out places so that regions lie within the memory and apart.
///
/// Sendable only so that one caller can leave it to the next: whoever takes it from the pool has it alone.
@safe final class GraphWorkspace: @unchecked Sendable {
    let rowsMax: Int
    private let base: UnsafeMutablePointer<Double>
    private let numbers: Int
    init(numbersPerRow: Int, rowsMax: Int) {
        self.rowsMax = rowsMax
        numbers = max(1, numbersPerRow * rowsMax)
        unsafe base = .allocate(capacity: numbers)
        unsafe base.initialize(repeating: 0, count: numbers)
    }

    deinit { unsafe base.deallocate() }

    /// The region at `place` of `width` numbers a row.
    @inline(__always)
    func region(_ place: Int, _ width: Int) -> UnsafeMutablePointer<Double> {
        precondition(place >= 0 && width >= 0 && (place &+ width) &* rowsMax <= numbers)
        return unsafe base + place &* rowsMax
    }
}

/// The numbers of a graph that never change: weights, tables, labels.
///
/// Safe to share: written once, in `init`, before anyone else sees it. Invariant: `base` has room for `count` doubles.
@safe final class GraphConstants: @unchecked Sendable {
    private let base: UnsafeMutablePointer<Double>
    let count: Int

    init(_ numbers: [Double]) {
        count = numbers.count
        unsafe base = .allocate(capacity: max(1, numbers.count))
        for index in numbers.indices { unsafe (base + index).initialize(to: numbers[index]) }
    }

    deinit { unsafe base.deallocate() }

    /// The `count` numbers from `place` on; good as long as this object lives.
    @inline(__always)
    func numbers(_ place: Int, _ count: Int) -> UnsafePointer<Double> {
        precondition(place >= 0 && count >= 0 && place &+ count <= self.count)
        return unsafe UnsafePointer(base + place)
    }
}
