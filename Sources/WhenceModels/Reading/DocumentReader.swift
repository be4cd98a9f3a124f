import WhenceCore

/// What stands next in a document.
enum DocumentKind: Sendable {
    case object, array, string, number, bool, null

    var name: String {
        switch self {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .bool: "true or false"
        case .null: "null"
        }
    }
}

/// Reads a document of objects, arrays, strings and numbers forward, value by value, without building a tree of it and
/// without recursion: `JSONReader` and `UBJSONReader`.
///
/// A value is taken by the call that says what it should be; anything else there is an error with its place. An object is
/// read as
///
///     try reader.beginObject()
///     while let key = try reader.nextKey() {
///         switch key {
///         case "trees": …                 // exactly one value is taken for each key
///         default: try reader.skip()
///         }
///     }
///
/// and an array as `try reader.beginArray(); while try reader.nextElement() { … }`. A key that is met twice in one object
/// is refused: of two values one would be read wrongly.
protocol DocumentReader: ~Copyable {
    /// What the next value is; takes nothing.
    mutating func kind() throws(WhenceError) -> DocumentKind
    mutating func beginObject() throws(WhenceError)
    /// Takes the key of the next member, or nil, and the end of the object with it.
    mutating func nextKey() throws(WhenceError) -> String?
    mutating func beginArray() throws(WhenceError)
    /// Whether there is another element; takes the end of the array where there is none.
    mutating func nextElement() throws(WhenceError) -> Bool

    /// Takes a string of at most `bytesMax` bytes.
    mutating func string(bytesMax: Int) throws(WhenceError) -> String
    /// Takes a number as the nearest double.
    mutating func double() throws(WhenceError) -> Double
    /// Takes a number as the nearest float, rounded once.
    mutating func float() throws(WhenceError) -> Float
    /// Takes a whole number; `true` is 1 and `false` is 0.
    mutating func int() throws(WhenceError) -> Int
    mutating func bool() throws(WhenceError) -> Bool
    mutating func null() throws(WhenceError)

    /// Takes an array of at most `max` numbers and appends them. Memory is taken as the numbers come, or after their count
    /// was checked against `max` and the length of the file.
    mutating func floats(into array: inout [Float], max: Int) throws(WhenceError)
    mutating func doubles(into array: inout [Double], max: Int) throws(WhenceError)
    mutating func ints(into array: inout [Int32], max: Int) throws(WhenceError)

    /// Takes the next value, whatever it is.
    mutating func skip() throws(WhenceError)
    /// Checks that nothing follows the document.
    mutating func finish() throws(WhenceError)

    /// Objects and arrays that are open.
    var depth: Int { get }
    /// Whether the innermost of them is an array.
    var isInArray: Bool { get }
    /// Takes a value that is neither object nor array.
    mutating func skipScalar() throws(WhenceError)

    /// Where the reader is, as `learner.gradient_booster.model.trees[3]`.
    var path: String { get }
    /// The same with file, line and byte, for errors.
    var place: String { get }
    /// An error at this place.
    func fault(_ code: WhenceError.Code, _ message: String, hint: String) -> WhenceError
}

extension DocumentReader where Self: ~Copyable {
    mutating func skip() throws(WhenceError) {
        let outside = depth
        repeat {
            switch try kind() {
            case .object: try beginObject()
            case .array: try beginArray()
            default: try skipScalar()
            }
            while depth > outside {
                if isInArray ? try nextElement() : try nextKey() != nil { break }
            }
        } while depth > outside
    }

    /// An error in what the document says, for readers of models.
    func fault(_ message: String, hint: String = "") -> WhenceError { fault(.malformedInput, message, hint: hint) }

    mutating func string() throws(WhenceError) -> String { try string(bytesMax: 1 << 20) }

    /// Takes a whole number that must lie in `range`.
    mutating func int(in range: ClosedRange<Int>) throws(WhenceError) -> Int {
        let value = try int()
        guard range.contains(value) else {
            throw fault("\(value) is out of range: \(range.lowerBound) to \(range.upperBound) can stand here")
        }
        return value
    }

    func tooMany(_ max: Int) -> WhenceError {
        fault(
            .limitExceeded, "this array has more than \(max) elements", hint: "the file is damaged, or the model is larger than the limits")
    }

    func notOf(_ expected: String, _ found: DocumentKind) -> WhenceError {
        fault("\(found.name) stands where \(expected) should")
    }
}
