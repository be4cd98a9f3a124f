import WhenceCore

/// Limits on what a model file may ask for, checked while it is read.
public struct ModelLimits: Sendable, Equatable {
    /// Size of the file.
    public var fileBytes = 4 << 30
    /// Splits and leaves of all trees together.
    public var nodes = 64 << 20
    /// Splits and leaves of one tree.
    public var nodesPerTree = 4 << 20
    /// Trees.
    public var trees = 1 << 20
    /// Steps from the root of a tree to a leaf.
    public var depth = 4096
    public var features = 1 << 20
    /// Numbers that one row's prediction has.
    public var outputs = 100_000
    /// The greatest category that a rule may name, so that a set of categories has at most this many bits.
    public var category = 16 << 20
    /// Memory of the sets of categories of all rules together.
    public var categoryBytes = 256 << 20
    /// Memory that the model takes once it is packed. What the file says is counted as it is read, so that a reader that has to hold
    /// a part of it (a tree of LightGBM or XGBoost, the numbers of an ONNX file) takes no more, either.
    public var memoryBytes = 8 << 30

    public init() {}

    /// What is said of a model that takes more memory than it may.
    func memoryFault(_ place: String) -> WhenceError {
        WhenceError(
            .limitExceeded, "the model takes more than \(memoryBytes) bytes of memory", place: place,
            hint: "raise the limit on the memory of models if the file is really a model")
    }

    /// Numbers of `bytes` bytes each of which one array of a file may have, when there may be `count` of them.
    func elements(_ count: Int, of bytes: Int) -> Int { min(count, memoryBytes / bytes) }
}
