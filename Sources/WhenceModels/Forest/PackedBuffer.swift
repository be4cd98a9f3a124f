import Foundation

/// An array of a forest while it grows; `finish` makes a `PackedArray` of it without copying it.
///
/// Large blocks are grown by moving pages and not by copying bytes, and pages that were never written take no memory: while a
/// forest is read, it takes hardly more than when it is done. All elements behind `count` and within the capacity may be
/// uninitialised, those before it never are.
@safe struct PackedBuffer<Element: BitwiseCopyable>: ~Copyable {
    private static var alignment: Int { 64 }
    /// Behind the last element there are as many bytes that may be read.
    private static var slack: Int { 64 }

    private var block: UnsafeMutableRawPointer?
    private var start: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private(set) var count = 0

    init() {}

    deinit { unsafe free(block) }

    /// Makes the block large enough for `due` elements, aligned as its first element has to be.
    private mutating func resize(_ due: Int) {
        let bytes = due * MemoryLayout<Element>.stride
        let before = unsafe start.map { unsafe UnsafeMutableRawPointer($0) - (block ?? UnsafeMutableRawPointer($0)) } ?? 0
        guard let grown = unsafe realloc(block, bytes + PackedBuffer.slack + PackedBuffer.alignment) else {
            preconditionFailure("there is no memory for \(bytes) bytes")
        }
        unsafe block = grown
        let after = -Int(bitPattern: grown) & (PackedBuffer.alignment - 1)
        // The elements stand where they stood from the block's begin.
        if before != after { unsafe memmove(grown + after, grown + before, min(count, due) * MemoryLayout<Element>.stride) }
        unsafe start = (grown + after).bindMemory(to: Element.self, capacity: due)
        capacity = due
    }

    /// Makes room for `more` elements.
    mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        resize(max(count + more, capacity + capacity / 2, 64))
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { reserve(1) }
        guard let start = unsafe start else { preconditionFailure("an empty buffer has room") }
        unsafe start[count] = element
        count &+= 1
    }

    subscript(index: Int) -> Element {
        @inline(__always) get {
            guard let start = unsafe start, index >= 0, index < count else { preconditionFailure("an element that is not there") }
            return unsafe start[index]
        }
        @inline(__always) set {
            guard let start = unsafe start, index >= 0, index < count else { preconditionFailure("an element that is not there") }
            unsafe start[index] = newValue
        }
    }

    mutating func removeAll() {
        unsafe free(block)
        unsafe block = nil
        unsafe start = nil
        capacity = 0
        count = 0
    }

    /// The array; the buffer is empty then.
    mutating func finish() -> PackedArray<Element> {
        resize(count)
        guard let block = unsafe block, let start = unsafe start else { preconditionFailure("a block was just made") }
        unsafe memset(UnsafeMutableRawPointer(start + count), 0, PackedBuffer.slack)
        let array = unsafe PackedArray<Element>(block: block, start: start, count: count)
        unsafe self.block = nil
        unsafe self.start = nil
        capacity = 0
        count = 0
        return array
    }
}
