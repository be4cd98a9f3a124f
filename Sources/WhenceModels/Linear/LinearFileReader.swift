import WhenceCore

/// Reads a linear model in JSON (`Formats/linear-model.md`). Keys that the format does not have are refused: a misspelt
/// `missing` would otherwise change predictions without a word.
struct LinearFileReader: ~Copyable {
    private var reader: JSONReader
    private var file = LinearFile()
    private let limits: ModelLimits
    private var coefficientCount = 0

    static func read(_ stream: consuming ModelStream, limits: ModelLimits) throws(WhenceError) -> LinearFile {
        var reading = LinearFileReader(reader: try JSONReader(stream), limits: limits)
        try reading.readModel()
        return reading.file
    }

    private init(reader: consuming JSONReader, limits: ModelLimits) {
        self.reader = reader
        self.limits = limits
    }

    private func unknown(_ key: String, _ known: String) -> WhenceError {
        reader.fault("'\(key.prefix(80))' is no key of the format here", hint: "the keys are \(known); see Formats/linear-model.md")
    }

    private mutating func readModel() throws(WhenceError) {
        var seen: Set<String> = []
        try reader.beginObject()
        while let key = try reader.nextKey() {
            seen.insert(key)
            switch key {
            case "format":
                guard try reader.string() == LinearFormat.name else { throw reader.fault("the format is not \"\(LinearFormat.name)\"") }
            case "version":
                let version = try reader.int()
                guard version == LinearFormat.version else {
                    throw reader.fault(
                        .unknownFormat, "version \(version) of the format is not known",
                        hint: "this Whence reads version \(LinearFormat.version)")
                }
            case "name": file.name = try reader.string()
            case "link":
                let name = try reader.string()
                guard let link = LinearFile.Link(rawValue: name) else {
                    throw reader.fault(
                        "the link '\(name.prefix(80))' is not known",
                        hint: "the links are \(LinearFile.Link.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                file.link = link
            case "features":
                try reader.beginArray()
                while try reader.nextElement() {
                    guard file.terms.count < limits.features else { throw reader.tooMany(limits.features) }
                    try readTerm()
                }
            case "outputs":
                try reader.beginArray()
                while try reader.nextElement() {
                    guard file.outputs.count < limits.outputs else { throw reader.tooMany(limits.outputs) }
                    try readOutput()
                }
            default: throw unknown(key, "format, version, name, link, features and outputs")
            }
        }
        try reader.finish()
        for key in ["format", "version", "features", "outputs"] where !seen.contains(key) {
            throw reader.fault("the model has no '\(key)'", hint: "see Formats/linear-model.md")
        }
        try check()
    }

    private mutating func finite() throws(WhenceError) -> Double {
        let number = try reader.double()
        guard number.isFinite else { throw reader.fault("a number that is not finite stands here") }
        return number
    }

    private mutating func readTerm() throws(WhenceError) {
        var term = LinearFile.Term()
        if try reader.kind() == .string {
            term.name = try reader.string()
        } else {
            var isNumeric = false
            try reader.beginObject()
            while let key = try reader.nextKey() {
                switch key {
                case "name": term.name = try reader.string()
                case "equals": term.equals = try reader.string()
                case "mean": term.mean = try finite()
                case "scale":
                    term.scale = try finite()
                    guard term.scale != 0 else { throw reader.fault("the scale is 0; a number cannot be divided by it") }
                case "missing": term.missing = try finite()
                default: throw unknown(key, "name, equals, mean, scale and missing")
                }
                if ["mean", "scale", "missing"].contains(key) { isNumeric = true }
            }
            guard term.equals == nil || !isNumeric else {
                throw reader.fault("a feature with 'equals' is a text and has no mean, scale or missing")
            }
        }
        guard !term.name.isEmpty else { throw reader.fault("a feature has no name") }
        file.terms.append(term)
    }

    private mutating func readOutput() throws(WhenceError) {
        var output = LinearFile.Output()
        try reader.beginObject()
        while let key = try reader.nextKey() {
            switch key {
            case "name": output.name = try reader.string()
            case "intercept": output.intercept = try finite()
            case "coefficients": try reader.doubles(into: &output.coefficients, max: limits.features)
            default: throw unknown(key, "name, intercept and coefficients")
            }
        }
        guard output.coefficients.allSatisfy({ $0.isFinite }) else { throw reader.fault("a coefficient is not finite") }
        coefficientCount += output.coefficients.count
        guard coefficientCount <= limits.memoryBytes / 8 else { throw limits.memoryFault(reader.place) }
        file.outputs.append(output)
    }

    private func check() throws(WhenceError) {
        guard !file.outputs.isEmpty else { throw reader.fault("the model has no outputs") }
        for (index, output) in file.outputs.enumerated() where output.coefficients.count != file.terms.count {
            throw reader.fault("output \(index) has \(output.coefficients.count) coefficients for \(file.terms.count) features")
        }
        guard file.link != .softmax || file.outputs.count > 1 else { throw reader.fault("softmax needs more than one output") }
        let names = file.outputs.map(\.name).filter { !$0.isEmpty }
        guard Set(names).count == names.count else { throw reader.fault("two outputs have the same name") }
        // A column may be compared with several texts, but be one number only.
        var isText: [String: Bool] = [:]
        var texts: Set<[String]> = []
        for term in file.terms {
            let isNew = isText.updateValue(term.equals != nil, forKey: term.name) == nil
            guard isNew || (term.equals != nil && texts.contains([term.name])), texts.insert([term.name, term.equals ?? ""]).inserted else {
                throw reader.fault(
                    "the feature '\(term.name.prefix(80))' stands twice", hint: "only features with different 'equals' may share a name")
            }
            if term.equals != nil { texts.insert([term.name]) }
        }
    }
}
