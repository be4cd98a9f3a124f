/// What a category was trained from, as the library's file has it.
public enum CategoryValue: Sendable, Hashable {
    case text(String)
    case whole(Int64)
    case real(Double)
    case bool(Bool)

    /// As Python writes it.
    public var text: String {
        switch self {
        case .text(let text): text
        case .whole(let number): "\(number)"
        case .real(let number): "\(number)"
        case .bool(let value): value ? "True" : "False"
        }
    }

    var isNaN: Bool { if case .real(let number) = self { number.isNaN } else { false } }
}
