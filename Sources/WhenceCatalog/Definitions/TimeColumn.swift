/// The input column that states a time.
public struct TimeColumn: Sendable, Hashable {
    public var column: String
    /// The IANA name of the zone that wall-clock times of this column are in, such as `America/New_York`. Without one,
    /// every time has to name its zone itself.
    public var zone: String?

    public init(column: String, zone: String? = nil) {
        self.column = column
        self.zone = zone
    }
}
