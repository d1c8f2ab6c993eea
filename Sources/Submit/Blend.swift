/// The weighted mean of prediction tables, row by row, matched by ID.
///
/// A value is w₁x₁ + w₂x₂ + ..., added in the order of the tables and each product rounded, then held within the range of its
/// inputs (rounding could push the mean of ones past 1), then clipped to [clip, 1 - clip] if a clip is given. The weights are
/// used as they are, so they have to sum to 1 (within 1e-9), as the original's 0.15, 0.5, 0.35 do.
///
/// - Parameters:
///   - tables: Tables over the same slices; the result has the order of the first.
///   - clip: From 0 to below 0.5; nil for none.
///   - names: What the tables are called in messages; "table 1", "table 2", ... if nil.
/// - Throws: ``TableError`` that says which weight, clip or slice does not fit.
public func blend(
    _ tables: [PredictionTable], weights: [Double], clip: Double?, names: [String]? = nil
) throws(TableError) -> PredictionTable {
    try checkBlend(weights: weights, clip: clip, tables: tables.count)
    guard let first = tables.first else { throw TableError(name: "blend", .argument, "there is no table to blend") }
    let names = names ?? tables.indices.map { "table \($0 + 1)" }
    var columns: [[Double]] = []
    for (table, name) in zip(tables, names) {
        columns.append(try table.values(for: first.sliceIDs, name: name))
        guard table.sliceIDs.count > first.sliceIDs.count else { continue }
        let known = Set(first.sliceIDs)
        let extra = table.sliceIDs.filter { !known.contains($0) }
        throw TableError(
            name: name, .extraSlice,
            "\(extra.count) \(extra.count == 1 ? "slice is" : "slices are") not in \(names[0]): \(listing(extra)). "
                + "All tables of a blend must have the same slices.")
    }
    let values = first.values.indices.map { row in
        var sum = 0.0
        var (lowest, highest) = (Double.infinity, -Double.infinity)
        for (column, weight) in zip(columns, weights) where weight > 0 {
            sum += weight * column[row]
            lowest = min(lowest, column[row])
            highest = max(highest, column[row])
        }
        let mean = min(max(sum, lowest), highest)
        return clip.map { min(max(mean, $0), 1 - $0) } ?? mean
    }
    return PredictionTable(sliceIDs: first.sliceIDs, values: values)
}

/// The weights of a plain mean of this many tables.
public func equalWeights(_ count: Int) -> [Double] { Array(repeating: 1 / Double(count), count: count) }

/// Checks the numbers of a blend before any table is read.
///
/// - Throws: ``TableError`` that says which weight or clip does not fit.
public func checkBlend(weights: [Double], clip: Double?, tables: Int) throws(TableError) {
    if let clip { try check(clip: clip, for: "blend") }
    guard weights.count == tables else {
        throw TableError(
            name: "blend", .argument, "\(weights.count) weights for \(tables) tables; each table needs exactly one")
    }
    guard weights.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
        throw TableError(name: "blend", .argument, "a weight is negative or not finite; weights are shares from 0 to 1")
    }
    let sum = weights.reduce(0, +)
    guard abs(sum - 1) <= 1e-9 else {
        let advice =
            sum > 0 ? "; the same proportions are \(weights.map { shortest($0 / sum) }.joined(separator: ","))" : ""
        throw TableError(name: "blend", .argument, "the weights sum to \(shortest(sum)), not to 1\(advice)")
    }
}

func check(clip: Double, for name: String) throws(TableError) {
    guard clip >= 0 && clip < 0.5 else {
        throw TableError(name: name, .argument, "the clip \(clip) is out of range; it must be at least 0 and below 0.5")
    }
}
