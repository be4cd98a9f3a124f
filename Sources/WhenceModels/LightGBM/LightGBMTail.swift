import WhenceCore

/// What LightGBM's text says behind the trees: importances, which are passed over, the parameters of the training, and, where Python wrote
/// the file, how pandas' categories were numbered.
struct LightGBMTail {
    private static let lineBytesMax = 64 << 20
    private static let pandasKey = "pandas_categorical:"

    private(set) var boosting = ""
    /// The features that were trained as categories, in order, where the parameters say so.
    private var listed: [Int]?
    /// Whether it was trained from a file, and so not from a table of pandas.
    private var isFromFile = false
    private var hasPandas = false
    /// A list for each column of pandas' type of categories, in order; its values by their numbers.
    private var lists: [[CategoryValue]] = []

    mutating func read(_ lines: inout LightGBMLines, featureCount: Int) throws(WhenceError) {
        var isInParameters = false
        while let bytes = try lines.nextLine(bytesMax: LightGBMTail.lineBytesMax) {
            let line = String(decoding: bytes, as: UTF8.self)
            switch line {
            case "parameters:": isInParameters = true
            case "end of parameters": isInParameters = false
            case _ where isInParameters: readParameter(line, featureCount)
            case _ where line.hasPrefix(LightGBMTail.pandasKey):
                guard !hasPandas else { throw lines.fault("there are two lines 'pandas_categorical:'") }
                hasPandas = true
                try readPandas(Array(bytes.dropFirst(LightGBMTail.pandasKey.utf8.count)), lines)
            case _ where LightGBMTail.pandasKey.hasPrefix(line): throw lines.cutShort()
            default: break
            }
        }
        if isInParameters { throw lines.cutShort() }
    }

    private mutating func readParameter(_ line: String, _ featureCount: Int) {
        guard line.hasSuffix("]"), let colon = line.firstRange(of: ": ") else { return }
        let value = line[colon.upperBound...].dropLast()
        switch line[..<colon.lowerBound] {
        case "[boosting": boosting = String(value)
        case "[data": isFromFile = !value.isEmpty
        case "[categorical_feature":
            var features: [Int] = []
            for part in value.split(separator: ",") {
                // Names, and numbers that count other columns than the features, are of files.
                guard let feature = Int(part), feature > features.last ?? -1, feature < featureCount else { return }
                features.append(feature)
            }
            listed = features
        default: break
        }
    }

    private mutating func readPandas(_ text: [UInt8], _ lines: borrowing LightGBMLines) throws(WhenceError) {
        do throws(WhenceError) {
            var reader = try JSONReader(ModelStream(.bytes(text, name: "pandas_categorical"), bytesMax: LightGBMTail.lineBytesMax))
            if try reader.kind() == .null {
                try reader.null()
            } else {
                try reader.beginArray()
                while try reader.nextElement() { lists.append(try LightGBMTail.values(&reader)) }
            }
            try reader.finish()
        } catch {
            throw lines.fault(
                "'pandas_categorical' cannot be read: \(error.message)", hint: "the file was cut short, or is damaged; export it again")
        }
    }

    private static func values(_ reader: inout JSONReader) throws(WhenceError) -> [CategoryValue] {
        var values: [CategoryValue] = []
        try reader.beginArray()
        while try reader.nextElement() {
            switch try reader.kind() {
            case .string: values.append(.text(try reader.string(bytesMax: lineBytesMax)))
            case .bool: values.append(.bool(try reader.bool()))
            case .number: values.append(try reader.category())
            default: throw reader.fault("a category is a text, a number, true or false")
            }
        }
        guard CategoryCodes(values).isUnique else { throw reader.fault("two categories of a column have the same value") }
        return values
    }

    /// The values of each feature's categories: which list belongs to which feature.
    ///
    /// - Parameters:
    ///   - infos: the words of `feature_infos`, or none: a range for numbers, a list for categories, `none` for what is always the same.
    ///   - used: the number of splits on each feature.
    func categories(
        of infos: [String], used: [Int], _ lines: borrowing LightGBMLines
    ) throws(WhenceError) -> [(isCategory: Bool, values: [CategoryValue])] {
        var answer: [(isCategory: Bool, values: [CategoryValue])] = used.indices.map {
            (!infos.isEmpty && LightGBMTail.isList(infos[$0]), [])
        }
        guard hasPandas || isFromFile || !used.indices.contains(where: { answer[$0].isCategory && used[$0] > 0 }) else {
            throw lines.fault(
                "the file ends without its line 'pandas_categorical:', which says what the numbers of categories stand for",
                hint: """
                    it was cut short; get it or export it again. If it was not written by Python, and its columns hold numbers, \
                    add the line 'pandas_categorical:null'
                    """)
        }
        guard !lists.isEmpty else { return answer }
        // Parameters of old versions do not list the features, and `feature_infos` hides those that are always the same.
        var features = listed ?? []
        if features.isEmpty, !infos.contains("none") { features = answer.indices.filter { answer[$0].isCategory } }
        guard features.count == lists.count, !answer.indices.contains(where: { answer[$0].isCategory && !features.contains($0) }) else {
            throw unclear("it has \(lists.count) lists, and \(features.count) features are categories", lines)
        }
        for (feature, values) in zip(features, lists) {
            guard infos.isEmpty || LightGBMTail.fits(infos[feature], values.count) else {
                throw unclear(
                    "a list of \(values.count) does not fit feature \(feature), of which 'feature_infos' says '\(infos[feature].prefix(80))'",
                    lines)
            }
            answer[feature] = (true, values)
        }
        return answer
    }

    /// Whether what `feature_infos` says of a feature can be said of one that has `count` categories.
    private static func fits(_ info: String, _ count: Int) -> Bool {
        // -1 stands for what was missing.
        info == "none" || isList(info) && info.split(separator: ":").allSatisfy { word in Int(word).map { -1..<count ~= $0 } ?? false }
    }

    private func unclear(_ what: String, _ lines: borrowing LightGBMLines) -> WhenceError {
        lines.fault(
            "it cannot be told which list of 'pandas_categorical' is of which feature: \(what)",
            hint: """
                train with columns of numbers (.cat.codes) in place of ordered categories, and without 'categorical_feature'; or write \
                'pandas_categorical:[]' as the last line and give the numbers of categories
                """)
    }

    private static func isList(_ info: String) -> Bool { !info.hasPrefix("[") && info != "none" }
}
