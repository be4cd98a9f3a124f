import CForest

/// Memory that the contributions of one row are computed in.
///
/// Used by one thread at a time, which takes it from a `SparePool` and gives it back. Invariant: there is room for two groups of lanes
/// and a number for each step, as `cf_contributions` asks for.
@safe final class ContributionScratch: @unchecked Sendable {
    let start: UnsafeMutablePointer<Double>

    init(steps: Int) {
        let numbers = steps * (2 * Int(CF_LANES) + 1)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: numbers * 8 + 64, alignment: 64)
        unsafe start = memory.bindMemory(to: Double.self, capacity: numbers)
    }

    deinit { unsafe start.deallocate() }
}
