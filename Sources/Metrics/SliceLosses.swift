/// The loss of each prediction by itself: -log p where the label is 1, -log(1 - p) where it is 0, p clipped to [clip, 1 - clip].
///
/// What ``weightedLogLoss(predictions:truth:clip:)`` takes the means of; six for each slice, in the layout of the predictions.
public func sliceLosses(
    predictions: [Double], truth: [Bool], clip: Double = kaggleClip
) throws(ScoringError) -> [Double] {
    guard predictions.count == truth.count else {
        throw .sizesDiffer(predictions: predictions.count, truth: truth.count)
    }
    return predictions.indices.map { row in
        let probability = min(max(predictions[row], clip), 1 - clip)
        return -naturalLogarithm(truth[row] ? probability : 1 - probability)
    }
}
