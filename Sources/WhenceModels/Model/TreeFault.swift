/// What is wrong with the structure of one tree.
struct TreeFault: Error {
    let message: String
    /// Whether the tree may be sound, but is larger than the limits.
    var isLimit = false
}
