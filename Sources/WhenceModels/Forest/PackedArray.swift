import Foundation

/// A block of memory that holds one array of a forest, aligned to a line of the cache; written once, when it is made.
///
/// Safe to share: nobody writes to it after `init`.
@safe final class PackedArray<Element: BitwiseCopyable>: @unchecked Sendable {
    private let block: UnsafeMutableRawPointer
    /// The first element. Valid as long as this object is. Behind the last there are 64 bytes that may be read.
    let start: UnsafePointer<Element>
    let count: Int

    /// Takes over a block of `malloc`, in which `count` elements begin at `start`, with 64 bytes behind them.
    init(block: UnsafeMutableRawPointer, start: UnsafeMutablePointer<Element>, count: Int) {
        unsafe self.block = block
        unsafe self.start = UnsafePointer(start)
        self.count = count
    }

    /// A copy of `elements`.
    static func copy(of elements: [Element]) -> PackedArray {
        var buffer = PackedBuffer<Element>()
        buffer.reserve(elements.count)
        for element in elements { buffer.append(element) }
        return buffer.finish()
    }

    deinit { unsafe free(block) }

    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count)
        return unsafe start[index]
    }

    var memoryBytes: Int { count * MemoryLayout<Element>.stride }
}
