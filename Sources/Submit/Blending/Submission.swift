/// Maps predictions onto the rows of a sample submission by the original's rule.
///
/// Every slice of the sample gets its predictions; slices without any (the catalog leaves out slices without brain tissue) get
/// the smallest value predicted for any slice of the sample and any type; then all values are clipped to [clip, 1 - clip].
/// Predictions for slices that the sample does not list are left out, as the original's left join does.
///
/// - Parameters:
///   - sample: The sample submission; only its slices and their order matter.
///   - clip: From 0 to below 0.5; the original's is 1e-6.
/// - Returns: The submission, and how many slices were filled with the minimum.
/// - Throws: ``TableError`` if no slice of the sample has a prediction, since then there is no minimum.
public func submission(
    filling sample: PredictionTable, with predictions: PredictionTable, clip: Double
) throws(TableError) -> (table: PredictionTable, filledSlices: Int) {
    try check(clip: clip, for: "submission")
    let rows = SliceIndex(predictions.sliceIDs)
    let found = sample.sliceIDs.map { rows[$0] }
    let predicted = found.compactMap { $0 }.flatMap { predictions.values[$0 * typeCount..<($0 + 1) * typeCount] }
    guard let smallest = predicted.min() else {
        throw TableError(
            name: "submission", .missingSlice,
            "no slice of the sample has a prediction (the sample begins with \(listing(sample.sliceIDs, first: 2)), "
                + "the predictions with \(listing(predictions.sliceIDs, first: 2))); are they of the same stage?")
    }
    var values: [Double] = []
    values.reserveCapacity(found.count * typeCount)
    for row in found {
        for type in 0..<typeCount {
            let value = row.map { predictions.values[$0 * typeCount + type] } ?? smallest
            values.append(min(max(value, clip), 1 - clip))
        }
    }
    return (PredictionTable(sliceIDs: sample.sliceIDs, values: values), found.count { $0 == nil })
}
