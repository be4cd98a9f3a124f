/// Names of the format of linear models (`Formats/linear-model.md`).
enum LinearFormat {
    /// What the member `format` says; it tells these files from other JSON.
    static let name = "whence-linear"
    /// The newest version that can be read.
    static let version = 1
}
