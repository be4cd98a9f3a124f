import WhenceCore

/// Reads CSV (RFC 4180, as `Formats/text-input.md` narrows it) record by record.
///
/// In steady state a record costs no allocation: its fields are places in the block that was read.
public final class CSVReader: RecordReader {
    /// What a file may do differently.
    public struct Options: Sendable {
        /// What stands between cells.
        public var delimiter: UInt8
        /// Unquoted texts that mean null, besides the empty cell, such as `NA`.
        public var nullTexts: Set<String>
        /// The unquoted text that means that a row does not carry the column; none unless given.
        public var absentText: String?

        public init(delimiter: UInt8 = 0x2C, nullTexts: Set<String> = [], absentText: String? = nil) {
            self.delimiter = delimiter
            self.nullTexts = nullTexts
            self.absentText = absentText
        }
    }

    private static let quote: UInt8 = 0x22
    private static let lineFeed: UInt8 = 0x0A
    private static let carriageReturn: UInt8 = 0x0D

    public private(set) var columns: [String] = []
    public let discoversColumns = false
    public private(set) var lineNumber = 1
    public private(set) var canContinue = true

    private let window: RecordWindow
    private let slots = FieldSlots()
    private let delimiter: UInt8
    private let nullTexts: [[UInt8]]
    private let absentText: [UInt8]?
    /// The longest of the texts with a meaning, so that most cells are not compared at all.
    private let markBytesMax: Int
    private var nextLine = 1
    /// Where the record after the current one begins, and where the current one ends without its line break.
    private var cursor = 0
    private var recordEnd = 0
    /// The start of a record too long to keep.
    private var clipped: String?
    private var failure: WhenceError?

    public var name: String { window.source.name }
    public var bytesRead: Int { window.source.compressedBytesRead }
    public var totalBytes: Int? { window.source.totalBytes }
    public var fieldCount: Int { slots.count }

    /// Reads the header. Throws where there is none, or where it names a column twice.
    public init(_ source: ByteSource, options: Options = Options()) throws(WhenceError) {
        window = RecordWindow(source)
        delimiter = options.delimiter
        nullTexts = options.nullTexts.sorted().map { Array($0.utf8) }
        absentText = options.absentText.map { Array($0.utf8) }
        markBytesMax = max(nullTexts.map(\.count).max() ?? 0, absentText?.count ?? 0)
        guard delimiter != CSVReader.quote, delimiter != CSVReader.lineFeed, delimiter != CSVReader.carriageReturn, delimiter < 0x80 else {
            throw WhenceError(.invalidArgument, "a delimiter is one ASCII character, and neither a quote nor a line break")
        }
        try window.skipByteOrderMark()
        cursor = window.begin
        try readHeader()
    }

    private func readHeader() throws(WhenceError) {
        repeat {
            guard try parse() else {
                throw WhenceError(.malformedInput, "the file is empty", place: name, hint: "the first line of a CSV file names its columns")
            }
        } while isBlank
        var names: [String] = []
        var seen: Set<String> = []
        for index in 0..<slots.count {
            let bytes = bytes(slots[index])
            guard bytes.byteCount <= TabularLimits.columnNameBytes, UTF8Text.isValid(bytes) else {
                throw WhenceError(
                    .malformedInput, "the name of column \(index + 1) is no UTF-8, or longer than \(TabularLimits.columnNameBytes) bytes",
                    place: place())
            }
            let column = UTF8Text.string(bytes)
            guard seen.insert(column).inserted else {
                throw WhenceError(
                    .malformedInput, "the header names column '\(column)' twice", place: place(), hint: "give each column a name of its own"
                )
            }
            names.append(column)
        }
        columns = names
    }

    public var rawRecord: String {
        let window = window
        return clipped ?? String(clipping: window.span(window.begin..<recordEnd), limit: TabularLimits.rawRecordBytes)
    }

    @_lifetime(borrow self)
    public func field(_ index: Int) -> RecordField {
        let slot = slots[index]
        let bytes = bytes(slot)
        let shown = slot.state == .null || slot.state == .absent ? bytes.extracting(0..<0) : bytes
        return unsafe _overrideLifetime(RecordField(state: slot.state, bytes: shown), borrowing: self)
    }

    @_lifetime(borrow self)
    private func bytes(_ slot: FieldSlots.Slot) -> RawSpan {
        let range = Int(slot.start)..<Int(slot.end)
        let slots = slots
        let window = window
        if slot.isUnescaped { return unsafe _overrideLifetime(slots.unescapedSpan(range), borrowing: self) }
        let start = window.begin
        return unsafe _overrideLifetime(window.span((start + range.lowerBound)..<(start + range.upperBound)), borrowing: self)
    }

    public func next() throws(WhenceError) -> Bool {
        if let failure { throw failure }
        repeat {
            guard try parse() else { return false }
        } while isBlank && columns.count != 1
        guard slots.count == columns.count else {
            throw WhenceError(
                .malformedInput, "this row has \(slots.count) column\(slots.count == 1 ? "" : "s"), and the header has \(columns.count)",
                place: place(), hint: "a delimiter is missing, or a cell that has one inside is not in quotes")
        }
        return true
    }

    /// Whether nothing stands in the record.
    private var isBlank: Bool { slots.count == 1 && recordEnd == window.begin }

    /// Finds the fields of the next record. False at the end of the input.
    private func parse() throws(WhenceError) -> Bool {
        let window = window
        let slots = slots
        let delimiter = delimiter
        window.begin = cursor
        recordEnd = cursor
        lineNumber = nextLine
        clipped = nil
        slots.reset()
        var at = cursor
        while at == window.end {
            if window.isAtEnd { return false }
            at -= try fill()
            cursor = at
        }
        var fieldStart = at
        while true {
            if at == fieldStart, at < window.end, window.byte(at) == CSVReader.quote {
                guard try parseQuoted(&at) else { return true }
                fieldStart = at
                continue
            }
            let found = window.firstSpecial(from: at, delimiter, CSVReader.quote)
            if found == window.end, !window.isAtEnd {
                // Nothing between `at` and the end is looked at again.
                at = found
                let shift = try grow(at: at, fieldStart: fieldStart, inQuotes: false)
                at -= shift
                fieldStart -= shift
                continue
            }
            let byte = found < window.end ? window.byte(found) : CSVReader.lineFeed
            guard byte != CSVReader.quote else {
                throw try refuse(
                    "a quote stands inside a cell that does not begin with one", from: found, inQuotes: false, byLine: true,
                    hint: "put the whole cell in quotes and write a quote inside it twice")
            }
            var end = found
            if byte != delimiter, end > fieldStart, window.byte(end - 1) == CSVReader.carriageReturn { end -= 1 }
            guard end - fieldStart <= TabularLimits.fieldBytes else { throw try refuseLong(from: found, cellStart: nil, inQuotes: false) }
            let base = window.begin
            guard
                slots.append(
                    FieldSlots.Slot(
                        start: Int32(truncatingIfNeeded: fieldStart &- base), end: Int32(truncatingIfNeeded: end &- base),
                        state: state(fieldStart, end), isUnescaped: false))
            else { throw try refuseWide(from: found) }
            if byte != delimiter {
                finish(end: end, next: found)
                return true
            }
            at = found &+ 1
            fieldStart = at
        }
    }

    /// What an unquoted cell is.
    @inline(__always)
    private func state(_ start: Int, _ end: Int) -> RecordField.State {
        if start == end { return absentText?.isEmpty == true ? .absent : .null }
        return end &- start > markBytesMax ? .text : marked(start, end)
    }

    private func marked(_ start: Int, _ end: Int) -> RecordField.State {
        let window = window
        let cell = window.span(start..<end)
        if let absentText, UTF8Text.isEqual(cell, absentText) { return .absent }
        for text in nullTexts where UTF8Text.isEqual(cell, text) { return .null }
        return .text
    }

    /// Ends the record; `next` is the place of its line break, or the end of the input.
    private func finish(end: Int, next: Int) {
        recordEnd = end
        if next < window.end {
            nextLine &+= 1
            cursor = next &+ 1
        } else {
            cursor = next
        }
    }

    /// Parses a cell that begins with a quote at `position`, and moves past the delimiter behind it.
    ///
    /// - Returns: false when the record ended with this cell.
    private func parseQuoted(_ position: inout Int) throws(WhenceError) -> Bool {
        var start = position + 1
        var at = start
        var hasEscapes = false
        while true {
            let found = window.first(CSVReader.quote, from: at)
            // Two bytes behind the quote decide what it is: a quote, a delimiter, or one of the two line breaks.
            if found + 3 > window.end, !window.isAtEnd {
                let shift = try grow(at: found, fieldStart: start, inQuotes: true)
                start -= shift
                at = max(at - shift, found - shift)
                continue
            }
            guard found < window.end else {
                throw try refuse(
                    "the quote that opens this cell is never closed", from: found, cellStart: start, inQuotes: true,
                    hint: "look for a missing quote from line \(lineNumber) on")
            }
            let next = found + 1 < window.end ? window.byte(found + 1) : CSVReader.lineFeed
            if next == CSVReader.quote {
                hasEscapes = true
                at = found + 2
                continue
            }
            var lineEnd = found + 1
            if next == CSVReader.carriageReturn, found + 2 < window.end, window.byte(found + 2) == CSVReader.lineFeed { lineEnd += 1 }
            let isLast = lineEnd >= window.end || window.byte(lineEnd) == CSVReader.lineFeed
            guard isLast || next == delimiter else {
                throw try refuse(
                    "text stands between the closing quote of a cell and what should follow it", from: found + 1, cellStart: start,
                    inQuotes: false, byLine: true, hint: "write a quote inside a cell twice")
            }
            guard found - start <= TabularLimits.fieldBytes else {
                throw try refuseLong(from: found + 1, cellStart: start, inQuotes: false)
            }
            countLines(start..<found)
            guard slots.append(quotedSlot(start..<found, hasEscapes)) else { throw try refuseWide(from: found + 1) }
            position = found + 2
            if isLast {
                finish(end: min(found + 1, window.end), next: min(lineEnd, window.end))
                return false
            }
            return true
        }
    }

    private func quotedSlot(_ range: Range<Int>, _ hasEscapes: Bool) -> FieldSlots.Slot {
        let base = window.begin
        if !hasEscapes {
            return FieldSlots.Slot(
                start: Int32(range.lowerBound - base), end: Int32(range.upperBound - base), state: .quotedText, isUnescaped: false)
        }
        let first = slots.unescapedCount
        var at = range.lowerBound
        while at < range.upperBound {
            let byte = window.byte(at)
            slots.appendUnescaped(byte)
            at += byte == CSVReader.quote ? 2 : 1
        }
        return FieldSlots.Slot(start: Int32(first), end: Int32(slots.unescapedCount), state: .quotedText, isUnescaped: true)
    }

    private func countLines(_ range: Range<Int>) {
        var at = window.first(CSVReader.lineFeed, from: range.lowerBound)
        while at < range.upperBound {
            nextLine += 1
            at = window.first(CSVReader.lineFeed, from: at + 1)
        }
    }

    // MARK: More input, and none of it

    private func fill() throws(WhenceError) -> Int {
        do throws(WhenceError) {
            return try window.fill()
        } catch {
            failure = error
            canContinue = false
            slots.reset()
            recordEnd = window.begin
            throw error
        }
    }

    /// Reads more of a record that goes on; refuses it where it is too long already.
    private func grow(at position: Int, fieldStart: Int, inQuotes: Bool) throws(WhenceError) -> Int {
        if position - fieldStart > TabularLimits.fieldBytes || position - window.begin > TabularLimits.recordBytes {
            throw try refuseLong(from: position, cellStart: inQuotes ? fieldStart : nil, inQuotes: inQuotes)
        }
        return try fill()
    }

    private func refuseLong(from position: Int, cellStart: Int?, inQuotes: Bool) throws(WhenceError) -> WhenceError {
        let isRecord = position - window.begin > TabularLimits.recordBytes
        let limit = isRecord ? TabularLimits.recordBytes : TabularLimits.fieldBytes
        return try refuse(
            "this \(isRecord ? "row" : "cell") is longer than \(limit) bytes", code: .limitExceeded, from: position, cellStart: cellStart,
            inQuotes: inQuotes, hint: "look for a quote that is never closed; keep large objects elsewhere and store a reference")
    }

    private func refuseWide(from position: Int) throws(WhenceError) -> WhenceError {
        try refuse(
            "this row has more than \(TabularLimits.columns) columns", code: .limitExceeded, from: position, inQuotes: false,
            hint: "split the table")
    }

    /// Skips what is left of the current record and returns the error to throw.
    ///
    /// - Parameters:
    ///   - cellStart: where the quoted cell begins whose line breaks are not counted yet.
    ///   - byLine: quotes cannot be trusted any more: go on behind the next line break.
    private func refuse(
        _ message: String, code: WhenceError.Code = .malformedInput, from position: Int, cellStart: Int? = nil, inQuotes: Bool,
        byLine: Bool = false, hint: String
    ) throws(WhenceError) -> WhenceError {
        let error = WhenceError(code, message, place: place(column: min(slots.count, TabularLimits.columns - 1)), hint: hint)
        if let cellStart { countLines(cellStart..<position) }
        slots.reset()
        var at = position
        var isQuoted = inQuotes
        while true {
            let found =
                byLine ? window.first(CSVReader.lineFeed, from: at) : window.firstSpecial(from: at, CSVReader.quote, CSVReader.quote)
            if found < window.end {
                at = found + 1
                guard window.byte(found) == CSVReader.lineFeed else {
                    isQuoted.toggle()
                    continue
                }
                nextLine += 1
                if isQuoted { continue }
                recordEnd = found > window.begin && window.byte(found - 1) == CSVReader.carriageReturn ? found - 1 : found
                cursor = at
                return error
            }
            at = window.end
            recordEnd = at
            cursor = at
            if window.isAtEnd { return error }
            if at - window.begin > TabularLimits.rawRecordBytes {
                if clipped == nil { clipped = rawRecord }
                window.begin = at
            }
            at -= try fill()
        }
    }
}
