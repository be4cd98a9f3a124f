import WhenceCatalog
import WhenceCore
import WhenceProtocol
import WhenceTabular

/// Reads the texts of options. What does not mean anything is wrong usage, named by its option.
enum OptionText {
    /// An instant, which must name its zone.
    static func time(_ text: String, _ option: String) throws -> Timestamp {
        do throws(WhenceError) {
            return try Timestamp(parsing: text)
        } catch {
            var error = error
            if error.hint.contains("definition") || error.hint.contains("--floor-times") || error.hint.isEmpty {
                error.hint = "write a time as 2013-01-31T05:00:00Z, with Z or an offset, and six digits of fraction at most"
            }
            throw UsageError(error.at(option))
        }
    }

    static func time(_ text: String?, _ option: String) throws -> Timestamp? {
        guard let text else { return nil }
        return try time(text, option) as Timestamp
    }

    static func duration(_ text: String, _ option: String) throws -> Duration {
        do throws(WhenceError) {
            let duration = try Duration(parsing: text)
            guard duration > .zero else { throw WhenceError(.invalidTime, "the duration must be longer than 0") }
            return duration
        } catch {
            throw UsageError(error.at(option))
        }
    }

    /// `LEFT=RIGHT`, each as often as it is given and no left side twice.
    static func pairs(_ texts: [String], _ option: String) throws -> [String: String] {
        var pairs: [String: String] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw UsageError(option, "'\(text)' is not of the form LEFT=RIGHT")
            }
            guard pairs.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw UsageError(option, "'\(parts[0])' is given twice")
            }
        }
        return pairs
    }

    static func types(_ texts: [String], _ option: String) throws -> [String: FeatureType] {
        var types: [String: FeatureType] = [:]
        for (name, type) in try pairs(texts, option) {
            do {
                types[name] = try FeatureType(named: type)
            } catch {
                throw UsageError(error.at("\(option) \(name)=\(type)"))
            }
        }
        return types
    }

    /// What is to be read: a service, or a list of features separated by commas. Exactly one of them.
    static func selection(_ service: String?, features: [String]) throws -> ReadSelection {
        let list = features.flatMap { $0.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) } }.map { String($0) }
        switch (service, list.isEmpty) {
        case (let name?, true): return .service(name)
        case (nil, false): return .features(list)
        case (nil, true):
            throw UsageError(
                "arguments", "nothing says what to read", hint: "name a service, or list features with --features VIEW.FEATURE,VIEW.*")
        case (_?, false):
            throw UsageError("arguments", "both a service and features are asked for", hint: "leave one of them out")
        }
    }
}

extension Catalog {
    /// What a read of `selection` evaluates.
    func resolve(_ selection: ReadSelection) throws(WhenceError) -> ResolvedService {
        switch selection {
        case .service(let name): try resolve(service: name)
        case .features(let list): try resolve(features: list)
        }
    }
}
