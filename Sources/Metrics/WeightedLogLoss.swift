/// A score by the competition's metric, lower is better: the log loss of each type and their weighted mean.
public struct Score: Sendable, Equatable, Codable {
    /// The mean binary log loss of each type, in the order of `HemorrhageType.allCases`.
    public let perType: [Double]
    /// The mean of `perType` with the weights `HemorrhageType.lossWeight`: what the leaderboard shows.
    public let overall: Double
    /// How many slices were scored; a slice is six rows of the file.
    public let count: Int

    init(perType: [Double], count: Int) {
        self.perType = perType
        self.count = count
        var weighted = ExactSum()
        var weights = 0.0
        for (loss, type) in zip(perType, HemorrhageType.allCases) {
            weighted.add(loss * type.lossWeight)
            weights += type.lossWeight
        }
        overall = weighted.value / weights
    }
}

/// The score over all slices and over those of each fold.
public struct FoldedScore: Sendable, Equatable {
    /// Over all slices together, which is not the mean of the folds' scores where folds differ in size.
    public let overall: Score
    /// The folds that occur, ascending, each with its own score.
    public let perFold: [(fold: Int, score: Score)]

    public static func == (a: FoldedScore, b: FoldedScore) -> Bool {
        a.overall == b.overall && a.perFold.elementsEqual(b.perFold, by: ==)
    }
}

/// Why predictions could not be scored.
public enum ScoringError: Error, Equatable, Sendable, CustomStringConvertible {
    case noSlices
    case sizesDiffer(predictions: Int, truth: Int)
    case foldsDiffer(folds: Int, slices: Int)
    case notANumber(slice: Int, type: HemorrhageType)
    case clipOutOfRange(Double)

    public var description: String {
        switch self {
        case .noSlices: "there is no slice to score"
        case .sizesDiffer(let predictions, let truth):
            "\(predictions) predictions for \(truth) labels; both must be six for each slice"
        case .foldsDiffer(let folds, let slices):
            "\(folds) fold numbers for \(slices) slices; each slice has to have one"
        case .notANumber(let slice, let type):
            "the prediction for slice number \(slice), \(type.rawValue), is not a number"
        case .clipOutOfRange(let clip):
            "the clip \(clip) is out of range: it must be below 0.5, and 1 - clip must be below 1 in double precision"
        }
    }
}

/// Kaggle's clip: a probability counts as at least this, and at most 1 minus this.
public let kaggleClip = 1e-15

/// Scores predictions by the competition's metric, with the same bits on every machine and for every order of the slices.
///
/// For each type, the mean over slices of -log p where the label is 1, of -log(1 - p) where it is 0, p first clipped to
/// [clip, 1 - clip]; then the mean of the six with weights `any` 2, others 1. The losses of a type are summed exactly
/// (``ExactSum``) and rounded once; the logarithm is ``naturalLogarithm(_:)``.
/// Source: the competition's evaluation page; with Kaggle's clip this is scikit-learn's `log_loss` per type.
///
/// - Parameters:
///   - predictions: Probabilities, slice after slice, each with six values in `HemorrhageType.allCases` order.
///   - truth: Labels in the same layout.
/// - Throws: ``ScoringError``; infinite predictions are clipped, NaN is refused.
public func weightedLogLoss(
    predictions: [Double], truth: [Bool], clip: Double = kaggleClip
) throws(ScoringError) -> Score {
    try check(predictions: predictions, truth: truth, clip: clip)
    return score(of: 0..<truth.count / typeCount, predictions, truth, clip)
}

/// Scores out-of-fold predictions: over all slices, and over those of each fold.
///
/// - Parameter folds: The fold of each slice.
public func weightedLogLoss(
    predictions: [Double], truth: [Bool], folds: [Int], clip: Double = kaggleClip
) throws(ScoringError) -> FoldedScore {
    try check(predictions: predictions, truth: truth, clip: clip)
    let slices = truth.count / typeCount
    guard folds.count == slices else { throw .foldsDiffer(folds: folds.count, slices: slices) }
    let members = Dictionary(grouping: 0..<slices) { folds[$0] }
    return FoldedScore(
        overall: score(of: 0..<slices, predictions, truth, clip),
        perFold: members.sorted { $0.key < $1.key }.map { ($0.key, score(of: $0.value, predictions, truth, clip)) })
}

/// The score of knowing nothing but how frequent each type is: every slice gets each type's frequency in `truth`.
///
/// No constant prediction scores lower, so a model has learned something only if it is clearly below this.
public func constantFrequencyBaseline(truth: [Bool], clip: Double = kaggleClip) throws(ScoringError) -> Score {
    let slices = truth.count / typeCount
    let frequencies = HemorrhageType.allCases.indices.map { type in
        Double((0..<slices).count { truth[$0 * typeCount + type] }) / Double(slices)
    }
    let predictions = [[Double]](repeating: frequencies, count: slices).flatMap { $0 }
    return try weightedLogLoss(predictions: predictions, truth: truth, clip: clip)
}

private let typeCount = HemorrhageType.allCases.count

private func check(predictions: [Double], truth: [Bool], clip: Double) throws(ScoringError) {
    guard clip < 0.5 && 1 - clip < 1 else { throw .clipOutOfRange(clip) }
    guard predictions.count == truth.count && truth.count % typeCount == 0 else {
        throw .sizesDiffer(predictions: predictions.count, truth: truth.count)
    }
    guard !truth.isEmpty else { throw .noSlices }
    if let row = predictions.firstIndex(where: \.isNaN) {
        throw .notANumber(slice: row / typeCount + 1, type: HemorrhageType.allCases[row % typeCount])
    }
}

/// The score of the slices with these numbers; there is at least one.
private func score(of slices: some Collection<Int>, _ predictions: [Double], _ truth: [Bool], _ clip: Double) -> Score {
    let perType = HemorrhageType.allCases.indices.map { type in
        var losses = ExactSum()
        for slice in slices {
            let row = slice * typeCount + type
            let probability = min(max(predictions[row], clip), 1 - clip)
            losses.add(-naturalLogarithm(truth[row] ? probability : 1 - probability))
        }
        return losses.value / Double(slices.count)
    }
    return Score(perType: perType, count: slices.count)
}
