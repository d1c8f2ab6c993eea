import Basics
import Metrics

/// The scores of a run, as `scores.json` keeps them.
package struct RunScores: Sendable, Codable, Equatable {
    /// Predictions on one set of slices, scored beside the best that a constant can do there.
    package struct Line: Sendable, Codable, Equatable {
        package enum Set: String, Sendable, Codable {
            case outOfFold = "out-of-fold"
            case test
        }
        package var set: Set
        /// A backbone's or blend's name.
        package var predictions: String
        /// nil for all folds together.
        package var fold: Int?
        package var slices: Int
        package var overall: Double
        /// The same for predicting each type's frequency among these very slices, which no other constant beats.
        package var constantOverall: Double
        /// In the order of `types`.
        package var perType: [Double]
        package var constantPerType: [Double]
    }

    package var types = HemorrhageType.allCases.map(\.rawValue)
    package var lines: [Line] = []

    package mutating func add(
        _ set: Line.Set, _ predictions: String, fold: Int? = nil, score: Score, truth: [Bool], clip: Double
    ) throws {
        let constant = try constantFrequencyBaseline(truth: truth, clip: clip)
        lines.append(
            Line(
                set: set, predictions: predictions, fold: fold, slices: score.count, overall: score.overall,
                constantOverall: constant.overall, perType: score.perType, constantPerType: constant.perType))
    }
}

extension RunScores {
    /// Reads `scores.json`.
    package static func load(from folder: WorkFolder) throws -> RunScores {
        try JSON.decode(RunScores.self, file: folder.path(WorkFolder.scores), keys: .snakeCase)
    }

    /// The scores as their stage's hash covers them: `docs/formats.md` has the order.
    package var canonicalForm: CanonicalForm { CanonicalForm([types, lines]) }
}

extension RunScores.Line: CanonicalValue {
    package func append(to form: inout CanonicalForm) {
        form.append(list: [
            set == .test, predictions, fold, slices, overall, constantOverall, perType, constantPerType,
        ])
    }
}
