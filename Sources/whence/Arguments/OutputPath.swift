import WhenceCore
import WhenceTabular

/// A file that is to be written, before anything is opened for it.
enum OutputPath {
    /// Refuses a file that is one of those that are read, by whatever name: it would be replaced by the answer. Something else than a file,
    /// such as a pipe or a terminal, may be read and written.
    static func check(_ path: String, _ option: String, isNot inputs: [(path: String, option: String)]) throws {
        guard path != "-", let file = FileIdentity(path) else { return }
        for input in inputs where FileIdentity(input.path) == file {
            throw UsageError(
                "\(option) \(path)", "this is the same file as \(input.option), which would be lost", hint: "name another file for it")
        }
    }
}
