import Foundation
import WhenceCore

/// What XGBoost's objectives make of sums, and of the base score (`src/objective/`).
enum XGBoostObjective {
    enum Link { case identity, logit, log }

    /// Nil for an objective that is not known.
    static func of(_ name: String) -> (transform: OutputTransform, link: Link)? {
        switch name {
        case "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:absoluteerror", "reg:quantileerror", "reg:pseudohubererror",
            "reg:expectileerror", "rank:pairwise", "rank:ndcg", "rank:map":
            (.identity, .identity)
        case "reg:logistic", "binary:logistic": (.sigmoid(scale: 1), .logit)
        case "binary:logitraw": (.identity, .identity)
        case "binary:hinge": (.step, .identity)
        case "multi:softprob": (.softmax, .identity)
        case "multi:softmax": (.argmax, .identity)
        case "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft": (.exponential, .log)
        default: nil
        }
    }

    /// The base score as a sum begins with it, in float as XGBoost computes it. Nil where it is out of range.
    static func margin(_ score: Float, _ link: Link) -> Float? {
        switch link {
        case .identity: score
        case .logit: score > 0 && score < 1 ? -logf(1 / score - 1) : nil
        case .log: score > 0 ? logf(score) : nil
        }
    }
}
