/// The loss of each prediction by itself: -log p where the label is 1, -log(1 - p) where it is 0, p clipped to [clip, 1 - clip].
///
/// What ``weightedLogLoss(predictions:truth:clip:)`` takes the means of; six for each slice, in the layout of the predictions.
public func sliceLosses(
    predictions: [Double], truth: [Bool], clip: Double = kaggleClip
) throws(ScoringError) -> [Double] {
    guard predictions.count == truth.count else {
        throw .sizesDiffer(predictions: predictions.count, truth: truth.count)
    }
    return predictions.withUnsafeBufferPointer { predictions in
        truth.withUnsafeBufferPointer { truth in
            predictions.indices.map { loss(predictions[$0], truth[$0], clip) }
        }
    }
}

/// The losses of the slices with these numbers, six for each.
func sliceLosses(
    _ slices: some Collection<Int>, _ predictions: [Double], _ truth: [Bool], _ clip: Double
) -> [Double] {
    let types = HemorrhageType.allCases.count
    return Array(unsafeUninitializedCapacity: slices.count * types) { losses, count in
        predictions.withUnsafeBufferPointer { predictions in
            truth.withUnsafeBufferPointer { truth in
                for slice in slices {
                    for row in slice * types..<(slice + 1) * types {
                        losses.initializeElement(at: count, to: loss(predictions[row], truth[row], clip))
                        count += 1
                    }
                }
            }
        }
    }
}

@inline(__always)
private func loss(_ prediction: Double, _ truth: Bool, _ clip: Double) -> Double {
    let probability = min(max(prediction, clip), 1 - clip)
    return -naturalLogarithm(truth ? probability : 1 - probability)
}
