import WhenceCore

/// The error that `body` throws, where it is one of Whence's; nil where it throws none.
func refusal(_ body: () throws -> Void) -> WhenceError? {
    do {
        try body()
        return nil
    } catch {
        return error as? WhenceError
    }
}
