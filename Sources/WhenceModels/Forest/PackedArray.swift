import Foundation

/// A block of memory that holds one array of a forest, aligned to a line of the cache; written once, when it is made.
///
/// Safe to share: nobody writes to it after `init`.
@safe final class PackedArray<Element: BitwiseCopyable>: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer
    let count: Int

    /// A copy of `elements`, with 64 bytes behind them that may be read.
    init(_ elements: [Element]) {
        count = elements.count
        let bytes = elements.count * MemoryLayout<Element>.stride
        unsafe memory = .allocate(byteCount: bytes + 64, alignment: 64)
        let target = unsafe memory
        unsafe memset(target, 0, bytes + 64)
        unsafe elements.withUnsafeBytes { unsafe target.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: $0.count) }
    }

    deinit { unsafe memory.deallocate() }

    /// The first element. Valid as long as this object is.
    var start: UnsafePointer<Element> { unsafe UnsafePointer(memory.assumingMemoryBound(to: Element.self)) }

    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count)
        return unsafe start[index]
    }

    var memoryBytes: Int { count * MemoryLayout<Element>.stride }
}
