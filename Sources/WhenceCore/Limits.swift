/// Limits on everything that comes from outside, decided up front and checked before anything is allocated.
public enum Limits {
    /// Encoded size of one entity key, in bytes.
    public static let entityKeyBytes = 1024
    /// Join keys in a composite entity key.
    public static let joinKeys = 8
    /// Size of one feature value, in bytes.
    public static let valueBytes = 1 << 20
    /// Encoded size of one row, in bytes.
    public static let rowBytes = 4 << 20
    /// Features in one view.
    public static let featuresPerView = 4096
    /// Elements of a fixed-size vector.
    public static let vectorDimension = 16_384
    /// Length of a name (view, feature, service, entity), in bytes.
    public static let nameBytes = 128
    /// Rows in one batch of writes.
    public static let batchRows = 1 << 20
    /// Bytes in one batch of writes, keys and rows together.
    public static let batchBytes = 256 << 20
}
