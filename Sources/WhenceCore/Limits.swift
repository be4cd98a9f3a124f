/// Limits on everything that comes from outside, decided up front and checked before anything is allocated.
///
/// Computed, so that other rooms see numbers and not variables of this one.
public enum Limits {
    /// Encoded size of one entity key, in bytes.
    @inlinable public static var entityKeyBytes: Int { 1024 }
    /// Join keys in a composite entity key.
    @inlinable public static var joinKeys: Int { 8 }
    /// Size of one feature value, in bytes.
    @inlinable public static var valueBytes: Int { 1 << 20 }
    /// Encoded size of one row, in bytes.
    @inlinable public static var rowBytes: Int { 4 << 20 }
    /// Features in one view.
    @inlinable public static var featuresPerView: Int { 4096 }
    /// Elements of a fixed-size vector.
    @inlinable public static var vectorDimension: Int { 16_384 }
    /// Length of a name (view, feature, service, entity), in bytes.
    @inlinable public static var nameBytes: Int { 128 }
    /// Rows in one batch of writes.
    @inlinable public static var batchRows: Int { 1 << 20 }
    /// Bytes in one batch of writes, keys and rows together.
    @inlinable public static var batchBytes: Int { 256 << 20 }
}
