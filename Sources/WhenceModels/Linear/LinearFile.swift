/// A linear model as its JSON file says it (`Formats/linear-model.md`).
struct LinearFile {
    /// A column, and what is made of it before it is weighed.
    struct Term {
        /// The column's name.
        var name = ""
        /// The text for which the term is 1, and 0 for any other; nil for a term of numbers.
        var equals: String?
        var mean = 0.0
        var scale = 1.0
        /// What stands in for a missing number; nil: the answer is missing, too.
        var missing: Double?
    }

    struct Output {
        var name = ""
        var intercept = 0.0
        var coefficients: [Double] = []
    }

    enum Link: String, CaseIterable {
        case identity, logistic, softmax, log
    }

    var name = ""
    var link = Link.identity
    var terms: [Term] = []
    var outputs: [Output] = []
}
