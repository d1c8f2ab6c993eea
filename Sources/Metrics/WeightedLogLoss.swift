import Basics

/// A score by the competition's metric, lower is better: the log loss of each type and their weighted mean.
public struct Score: Sendable, Equatable, Codable {
    /// The mean binary log loss of each type, in the order of `HemorrhageType.allCases`.
    public let perType: [Double]
    /// The mean of `perType` with the weights `HemorrhageType.lossWeight`: what the leaderboard shows.
    public let overall: Double
    /// How many slices were scored; a slice is six rows of the file.
    public let count: Int

    /// - Parameter losses: For each type, the sum of the losses of so many slices.
    init(losses: [ExactSum], count: Int) {
        self.count = count
        perType = losses.map { $0.value / Double(count) }
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
    /// The folds that occur, ascending, each with its own score; none where there are no folds.
    public let perFold: [(fold: Int, score: Score)]

    package init(overall: Score, perFold: [(fold: Int, score: Score)]) {
        self.overall = overall
        self.perFold = perFold
    }

    /// Whether two scores are equal overall and fold by fold.
    public static func == (a: FoldedScore, b: FoldedScore) -> Bool {
        a.overall == b.overall && a.perFold.elementsEqual(b.perFold, by: ==)
    }
}

/// Why predictions could not be scored.
public enum ScoringError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is nothing to score.
    case noSlices
    /// Predictions and labels are not equally many, or not six for each slice.
    case sizesDiffer(predictions: Int, truth: Int)
    /// There is not exactly one fold number for each slice.
    case foldsDiffer(folds: Int, slices: Int)
    /// A prediction is NaN; slices are counted from 1.
    case notANumber(slice: Int, type: HemorrhageType)
    /// The clip is not below 0.5, or so small that 1 - clip is 1.
    case clipOutOfRange(Double)

    /// What is wrong and what was expected, in one sentence.
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
///   - clip: A probability counts as at least this, and at most 1 minus this.
/// - Throws: ``ScoringError``; infinite predictions are clipped, NaN is refused.
public func weightedLogLoss(
    predictions: [Double], truth: [Bool], clip: Double = kaggleClip
) throws(ScoringError) -> Score {
    try check(predictions: predictions, truth: truth, clip: clip)
    let slices = 0..<truth.count / typeCount
    return Score(losses: losses(of: slices, predictions, truth, clip), count: slices.count)
}

/// Scores out-of-fold predictions: over all slices, and over those of each fold.
///
/// - Parameters:
///   - predictions: Probabilities, slice after slice, each with six values in `HemorrhageType.allCases` order.
///   - truth: Labels in the same layout.
///   - folds: The fold of each slice.
///   - clip: A probability counts as at least this, and at most 1 minus this.
/// - Throws: ``ScoringError``, as without folds.
public func weightedLogLoss(
    predictions: [Double], truth: [Bool], folds: [Int], clip: Double = kaggleClip
) throws(ScoringError) -> FoldedScore {
    try check(predictions: predictions, truth: truth, clip: clip)
    let slices = truth.count / typeCount
    guard folds.count == slices else { throw .foldsDiffer(folds: folds.count, slices: slices) }
    var overall = noLosses
    let members = Dictionary(grouping: 0..<slices) { folds[$0] }.sorted { $0.key < $1.key }
    let perFold = members.map { fold, slices in
        let losses = losses(of: slices, predictions, truth, clip)
        for type in overall.indices { overall[type].add(losses[type]) }
        return (fold: fold, score: Score(losses: losses, count: slices.count))
    }
    return FoldedScore(overall: Score(losses: overall, count: slices), perFold: perFold)
}

/// The score of knowing nothing but how frequent each type is: every slice gets each type's frequency in `truth`.
///
/// No constant prediction scores lower, so a model has learned something only if it is clearly below this.
public func constantFrequencyBaseline(truth: [Bool], clip: Double = kaggleClip) throws(ScoringError) -> Score {
    guard !truth.isEmpty else { throw .noSlices }
    try check(clip: clip)
    let slices = truth.count / typeCount
    let losses = HemorrhageType.allCases.indices.map { type in
        let positive = stride(from: type, to: truth.count, by: typeCount).count { truth[$0] }
        let frequency = min(max(Double(positive) / Double(slices), clip), 1 - clip)
        var losses = ExactSum()
        losses.add(-naturalLogarithm(frequency), times: positive)
        losses.add(-naturalLogarithm(1 - frequency), times: slices - positive)
        return losses
    }
    return Score(losses: losses, count: slices)
}

private let typeCount = HemorrhageType.allCases.count

private func check(predictions: [Double], truth: [Bool], clip: Double) throws(ScoringError) {
    try check(clip: clip)
    guard predictions.count == truth.count && truth.count % typeCount == 0 else {
        throw .sizesDiffer(predictions: predictions.count, truth: truth.count)
    }
    guard !truth.isEmpty else { throw .noSlices }
    if let row = firstNaN(predictions) {
        throw .notANumber(slice: row / typeCount + 1, type: HemorrhageType.allCases[row % typeCount])
    }
}

private func firstNaN(_ predictions: [Double]) -> Int? {
    let pieceSize = 1 << 15
    return concurrentMap((predictions.count + pieceSize - 1) / pieceSize) { piece in
        predictions[(piece * pieceSize)...].prefix(pieceSize).firstIndex(where: \.isNaN)
    }.lazy.compactMap { $0 }.first
}

private func check(clip: Double) throws(ScoringError) {
    guard clip < 0.5 && 1 - clip < 1 else { throw .clipOutOfRange(clip) }
}

private let noLosses = HemorrhageType.allCases.map { _ in ExactSum() }

/// For each type, the sum of the losses of the slices with these numbers; pieces of them are summed at the same time.
private func losses(
    of slices: some RandomAccessCollection<Int> & Sendable, _ predictions: [Double], _ truth: [Bool], _ clip: Double
) -> [ExactSum] {
    let pieceSize = 1 << 15
    let pieces = concurrentMap((slices.count + pieceSize - 1) / pieceSize) { piece in
        var sums = noLosses
        var rest = slices.dropFirst(piece * pieceSize).prefix(pieceSize)
        while !rest.isEmpty {
            // So few that they are still in the first cache when they are summed.
            let terms = sliceLosses(rest.prefix(512), predictions, truth, clip)
            for type in sums.indices { sums[type].add(terms, from: type, by: typeCount) }
            rest = rest.dropFirst(512)
        }
        return sums
    }
    return pieces.reduce(into: noLosses) { all, piece in
        for type in all.indices { all[type].add(piece[type]) }
    }
}

extension ScoringError: DescribedError {
    package var status: ExitStatus { .badInput }
}
