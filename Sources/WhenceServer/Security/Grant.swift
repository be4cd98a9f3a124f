/// One role on the views that a pattern names.
public struct Grant: Sendable, Equatable {
    public var role: Role
    public var views: ViewPattern

    public init(_ role: Role, on views: ViewPattern) {
        self.role = role
        self.views = views
    }
}

/// The name of a view, or a pattern of names: `*` stands for any characters, also none, and `?` for one.
public struct ViewPattern: Sendable, Equatable, CustomStringConvertible {
    public let text: String
    private let bytes: [UInt8]
    private let isExact: Bool

    public init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
        isExact = !bytes.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// Every view there is or will be.
    public static var all: ViewPattern { ViewPattern("*") }

    public var description: String { text }

    /// Whether this is every view there is or will be.
    public var isAll: Bool { !bytes.isEmpty && bytes.allSatisfy { $0 == UInt8(ascii: "*") } }

    /// Whether `view` is meant. Takes time in proportion to the product of both lengths at worst; names are ASCII.
    public func matches(_ view: String) -> Bool {
        if isExact { return view == text }
        let name = Array(view.utf8)
        var at = 0
        var pattern = 0
        // Where the last star is, and what of the name it stands for so far: the only place to come back to.
        var star: (pattern: Int, name: Int)?
        while at < name.count {
            if pattern < bytes.count, bytes[pattern] == UInt8(ascii: "*") {
                star = (pattern, at)
                pattern += 1
            } else if pattern < bytes.count, bytes[pattern] == UInt8(ascii: "?") || bytes[pattern] == name[at] {
                pattern += 1
                at += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                pattern = last.pattern + 1
                at = last.name + 1
            } else {
                return false
            }
        }
        return bytes[pattern...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
