import CForest

/// Memory that one prediction works in.
///
/// Used by one thread at a time, which takes it from a `SparePool` and gives it back.
@safe final class ForestScratch: @unchecked Sendable {
    let codes: UnsafeMutablePointer<UInt8>
    let sums: UnsafeMutablePointer<Double>
    let leaves: UnsafeMutablePointer<UInt32>

    init(_ forest: Forest) {
        unsafe codes = ForestScratch.memory(forest.columnCount * Int(CF_BLOCK))
        unsafe sums = ForestScratch.memory(forest.settings.outputs * Int(CF_BLOCK))
        unsafe leaves = ForestScratch.memory(max(Int(CF_BLOCK), forest.treeCount))
    }

    private static func memory<Element: BinaryInteger>(_ count: Int) -> UnsafeMutablePointer<Element> {
        let start = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Element>.stride + 64, alignment: 64)
        let typed = unsafe start.bindMemory(to: Element.self, capacity: count)
        unsafe typed.initialize(repeating: 0, count: count)
        return unsafe typed
    }

    private static func memory(_ count: Int) -> UnsafeMutablePointer<Double> {
        let start = UnsafeMutableRawPointer.allocate(byteCount: count * 8 + 64, alignment: 64)
        let typed = unsafe start.bindMemory(to: Double.self, capacity: count)
        unsafe typed.initialize(repeating: 0, count: count)
        return unsafe typed
    }

    deinit {
        unsafe codes.deallocate()
        unsafe sums.deallocate()
        unsafe leaves.deallocate()
    }
}
