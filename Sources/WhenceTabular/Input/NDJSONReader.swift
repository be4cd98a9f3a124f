import WhenceCore

/// Reads newline-delimited JSON: one object a line (`Formats/text-input.md`).
///
/// A key that was not met before is a new column behind the others. In steady state a record costs no allocation.
public final class NDJSONReader: RecordReader {
    private static let lineFeed: UInt8 = 0x0A

    public let discoversColumns = true
    public private(set) var lineNumber = 1
    public private(set) var canContinue = true

    private let window: RecordWindow
    private let slots = FieldSlots()
    private var names = ColumnNames()
    private var nextLine = 1
    /// Where the next line begins, and where the current one ends without its line break.
    private var cursor = 0
    private var recordEnd = 0
    private var clipped: String?
    private var failure: WhenceError?
    private var isStarted = false

    public var name: String { window.source.name }
    public var columns: [String] { names.names }
    public var bytesRead: Int { window.source.compressedBytesRead }
    public var totalBytes: Int? { window.source.totalBytes }
    public var fieldCount: Int { slots.count }
    public var rawRecord: String {
        let window = window
        return clipped ?? String(clipping: window.span(window.begin..<recordEnd), limit: TabularLimits.rawRecordBytes)
    }

    /// Reads nothing yet.
    public init(_ source: ByteSource) { window = RecordWindow(source) }

    @_lifetime(borrow self)
    public func field(_ index: Int) -> RecordField {
        let slot = slots[index]
        let range = Int(slot.start)..<Int(slot.end)
        let slots = slots
        let window = window
        if slot.isUnescaped {
            return unsafe _overrideLifetime(RecordField(state: slot.state, bytes: slots.unescapedSpan(range)), borrowing: self)
        }
        let start = window.begin
        let bytes = window.span((start + range.lowerBound)..<(start + range.upperBound))
        return unsafe _overrideLifetime(RecordField(state: slot.state, bytes: bytes), borrowing: self)
    }

    public func next() throws(WhenceError) -> Bool {
        if let failure { throw failure }
        do throws(WhenceError) {
            if !isStarted {
                isStarted = true
                try window.skipByteOrderMark()
                cursor = window.begin
            }
            repeat {
                guard try findLine() else { return false }
            } while isBlank
        } catch {
            failure = error
            canContinue = false
            recordEnd = window.begin
            throw error
        }
        if clipped != nil || recordEnd - window.begin > TabularLimits.recordBytes {
            throw WhenceError(
                .limitExceeded, "this line is longer than \(TabularLimits.recordBytes) bytes", place: place(),
                hint: "write one object a line; keep large objects elsewhere and store a reference")
        }
        let window = window
        let line = window.span(window.begin..<recordEnd)
        slots.reset(count: names.names.count)
        guard UTF8Text.isValid(line) else {
            throw WhenceError(.malformedInput, "this line is not valid UTF-8", place: place(), hint: "convert the file to UTF-8")
        }
        try parse(line)
        return true
    }

    /// Moves to the next line. False at the end of the input.
    private func findLine() throws(WhenceError) -> Bool {
        window.begin = cursor
        lineNumber = nextLine
        clipped = nil
        slots.reset()
        var at = cursor
        while true {
            let found = window.first(NDJSONReader.lineFeed, from: at)
            if found < window.end {
                recordEnd = found
                cursor = found + 1
                nextLine += 1
                return true
            }
            recordEnd = found
            cursor = found
            if window.isAtEnd { return found > window.begin || clipped != nil }
            if found - window.begin > TabularLimits.recordBytes || (clipped != nil && found > window.begin) {
                // Too long: keep its start for the rejects, and let the rest pass.
                if clipped == nil { clipped = rawRecord }
                window.begin = found
            }
            at = found - (try window.fill())
        }
    }

    private var isBlank: Bool {
        guard clipped == nil else { return false }
        let window = window
        let line = window.span(window.begin..<recordEnd)
        for index in 0..<line.byteCount where line[index] != 0x20 && line[index] != 0x09 && line[index] != 0x0D { return false }
        return true
    }

    private func parse(_ line: RawSpan) throws(WhenceError) {
        var scanner = JSONScanner(line)
        var column: Int?
        do throws(JSONFault) {
            guard scanner.take(0x7B) else { throw scanner.fault("a line holds one JSON object") }
            var guess = 0
            if !scanner.take(0x7D) {
                repeat {
                    column = nil
                    scanner.skipSpace()
                    let key = try scanner.string()
                    let index = try find(key, line, guess, at: scanner.position)
                    column = index
                    guess = index + 1
                    guard scanner.take(0x3A) else { throw scanner.fault("expected ':' after a key") }
                    try set(index, scanner.value(depth: TabularLimits.nesting), line)
                } while scanner.take(0x2C)
                column = nil
                guard scanner.take(0x7D) else { throw scanner.fault("expected ',' or '}'") }
            }
            scanner.skipSpace()
            guard scanner.isAtEnd else { throw scanner.fault("text follows the object") }
        } catch {
            throw WhenceError(
                .malformedInput, "\(error.message) (byte \(error.offset + 1) of the line)", place: place(column: column),
                hint: "each line is one object of numbers, strings, true, false, null and arrays of them")
        }
    }

    private func set(_ index: Int, _ item: JSONScanner.Item, _ line: RawSpan) {
        let state: RecordField.State =
            switch item.kind {
            case .string: .string
            case .number: .number
            case .bool: .bool
            case .null: .null
            case .array, .object: .structure
            }
        var range = state == .null ? 0..<0 : item.range
        if item.hasEscapes {
            let start = slots.unescapedCount
            JSONScanner.unescape(line.extracting(range)) { slots.appendUnescaped($0) }
            range = start..<slots.unescapedCount
        }
        slots[index] = FieldSlots.Slot(
            start: Int32(range.lowerBound), end: Int32(range.upperBound), state: state, isUnescaped: item.hasEscapes)
    }

    /// The column of a key, which may be a new one.
    private func find(_ key: JSONScanner.Item, _ line: RawSpan, _ guess: Int, at position: Int) throws(JSONFault) -> Int {
        guard key.hasEscapes else { return try find(line.extracting(key.range), guess, at: position) }
        var plain: [UInt8] = []
        JSONScanner.unescape(line.extracting(key.range)) { plain.append($0) }
        return unsafe try find(plain.span.bytes, guess, at: position)
    }

    private func find(_ key: RawSpan, _ guess: Int, at position: Int) throws(JSONFault) -> Int {
        if let index = names.index(of: key, guess: guess) {
            guard slots[index].state == .absent else {
                throw JSONFault(message: "the key '\(String(clipping: key))' stands twice in one object", offset: position)
            }
            return index
        }
        guard key.byteCount <= TabularLimits.columnNameBytes else {
            throw JSONFault(message: "a key is longer than \(TabularLimits.columnNameBytes) bytes", offset: position)
        }
        guard names.names.count < TabularLimits.columns else {
            throw JSONFault(message: "the table has more than \(TabularLimits.columns) columns", offset: position)
        }
        let index = names.append(key)
        _ = slots.append(FieldSlots.Slot(start: 0, end: 0, state: .absent, isUnescaped: false))
        return index
    }
}
