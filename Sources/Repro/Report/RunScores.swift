import Metrics

/// The scores of a run, as `scores.json` keeps them.
struct RunScores: Sendable, Codable, Equatable {
    /// Predictions on one set of slices, scored beside the best that a constant can do there.
    struct Line: Sendable, Codable, Equatable {
        enum Set: String, Sendable, Codable {
            case outOfFold = "out-of-fold"
            case test
        }
        var set: Set
        /// A backbone's or blend's name.
        var predictions: String
        /// nil for all folds together.
        var fold: Int?
        var slices: Int
        var overall: Double
        /// The same for predicting each type's frequency among these very slices, which no other constant beats.
        var constantOverall: Double
        /// In the order of `types`.
        var perType: [Double]
        var constantPerType: [Double]
    }

    var types = HemorrhageType.allCases.map(\.rawValue)
    var lines: [Line] = []

    mutating func add(
        _ set: Line.Set, _ predictions: String, fold: Int? = nil, score: Score, truth: [Bool], clip: Double
    ) throws {
        let constant = try constantFrequencyBaseline(truth: truth, clip: clip)
        lines.append(
            Line(
                set: set, predictions: predictions, fold: fold, slices: score.count, overall: score.overall,
                constantOverall: constant.overall, perType: score.perType, constantPerType: constant.perType))
    }
}
