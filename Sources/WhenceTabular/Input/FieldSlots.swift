import Foundation
import WhenceCore

/// Where the fields of the current record are: within the record, or, where they had to be unescaped, in memory of
/// their own. Allocates nothing once it has seen the widest and longest record.
@safe final class FieldSlots {
    /// One field; its bounds count from the record's begin, or from the start of the unescaped bytes.
    struct Slot: BitwiseCopyable {
        var start: Int32
        var end: Int32
        var state: RecordField.State
        var isUnescaped: Bool
    }

    private let slots: UnsafeMutablePointer<Slot>
    private(set) var count = 0
    private var unescaped: UnsafeMutablePointer<UInt8>
    private var unescapedCapacity = 4096
    private(set) var unescapedCount = 0

    init() {
        unsafe slots = .allocate(capacity: TabularLimits.columns)
        // All zero: empty and absent.
        unsafe memset(slots, 0, TabularLimits.columns * MemoryLayout<Slot>.stride)
        unsafe unescaped = .allocate(capacity: unescapedCapacity)
        unsafe memset(unescaped, 0, unescapedCapacity)
    }

    deinit {
        unsafe slots.deallocate()
        unsafe unescaped.deallocate()
    }

    /// Forgets the fields of the last record; `count` fields are absent until they are set.
    func reset(count: Int = 0) {
        for index in 0..<count { unsafe slots[index] = Slot(start: 0, end: 0, state: .absent, isUnescaped: false) }
        self.count = count
        unescapedCount = 0
    }

    /// Adds a field. False when the record has too many.
    @inline(__always)
    func append(_ slot: Slot) -> Bool {
        guard count < TabularLimits.columns else { return false }
        unsafe slots[count] = slot
        count &+= 1
        return true
    }

    /// The field at `index`.
    subscript(index: Int) -> Slot {
        get {
            precondition(index >= 0 && index < count)
            return unsafe slots[index]
        }
        set {
            precondition(index >= 0 && index < count)
            unsafe slots[index] = newValue
        }
    }

    /// Adds one unescaped byte.
    @inline(__always)
    func appendUnescaped(_ byte: UInt8) {
        if unescapedCount == unescapedCapacity { grow() }
        unsafe unescaped[unescapedCount] = byte
        unescapedCount &+= 1
    }

    private func grow() {
        let larger = unescapedCapacity * 2
        let block = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        unsafe block.initialize(from: unescaped, count: unescapedCount)
        unsafe memset(block + unescapedCount, 0, larger - unescapedCount)
        unsafe unescaped.deallocate()
        unsafe unescaped = block
        unescapedCapacity = larger
    }

    /// Unescaped bytes, borrowed until the next record.
    @_lifetime(borrow self)
    func unescapedSpan(_ range: Range<Int>) -> RawSpan {
        precondition(range.lowerBound >= 0 && range.upperBound <= unescapedCount)
        let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(unescaped + range.lowerBound), byteCount: range.count)
        return unsafe _overrideLifetime(span, borrowing: self)
    }
}
