import Basics
import Metrics

/// How the values of several tables for one row become one.
public enum BlendMean: String, CaseIterable, Sendable, Codable {
    /// w₁x₁ + w₂x₂ + ...
    case arithmetic
    /// exp(w₁ log x₁ + w₂ log x₂ + ...)
    case geometric
    /// The arithmetic mean of the values' ranks within table and type, as shares: the mean of tied ranks / the number of slices.
    case rank
    /// The probability whose logit log(x / (1 - x)) is the arithmetic mean of the logits.
    case logit
}

/// The weighted mean of prediction tables, row by row, matched by ID; tables are added one by one and need not be kept.
///
/// The arithmetic value is w₁x₁ + w₂x₂ + ..., added in the order of the tables and each product rounded. Every mean is then held
/// within the range of its inputs (rounding could push the mean of ones past 1), and clipped to [clip, 1 - clip] if a clip is given.
/// For logarithms, values are held in [1e-15, 1 - 1e-15]. The weights are used as they are, whatever their sum.
public struct Blender: Sendable {
    private let mean: BlendMean
    /// The slices of the first table, whose order the result has: tables that are read in this order need no matching.
    package private(set) var order: SliceIndex?
    private var firstName = ""
    private var sums: [Double] = []
    private var lowest: [Double] = []
    private var highest: [Double] = []

    /// Starts a blend without tables.
    public init(_ mean: BlendMean = .arithmetic) { self.mean = mean }

    /// Adds a table to the blend; the first one decides the slices and their order.
    ///
    /// - Parameters:
    ///   - weight: The table's share; a table of weight 0 has to have the same slices and counts for nothing.
    ///   - name: What the table is called in messages.
    /// - Throws: ``TableError`` if the table has not the slices of the first.
    public mutating func add(_ table: PredictionTable, weight: Double, name: String) throws(TableError) {
        guard let order else {
            firstName = name
            order = SliceIndex(table.sliceIDs)
            sums = Array(repeating: 0, count: table.values.count)
            lowest = Array(repeating: .infinity, count: table.values.count)
            highest = Array(repeating: -.infinity, count: table.values.count)
            return accumulate(table.values, weight)
        }
        if table.sliceIDs == order.ids { return accumulate(table.values, weight) }
        let values = try table.values(for: order.ids, name: name)
        let extra = table.sliceIDs.filter { order[$0] == nil }
        guard extra.isEmpty else {
            throw TableError(
                name: name, .extraSlice,
                "\(extra.count) \(extra.count == 1 ? "slice is" : "slices are") not in \(firstName): \(listing(extra)). "
                    + "All tables of a blend must have the same slices.")
        }
        accumulate(values, weight)
    }

    private mutating func accumulate(_ values: [Double], _ weight: Double) {
        guard weight > 0 else { return }
        let values = mean == .rank ? rankShares(values) : values
        for row in values.indices {
            let value = values[row]
            sums[row] += weight * transformed(value)
            lowest[row] = min(lowest[row], value)
            highest[row] = max(highest[row], value)
        }
    }

    private func transformed(_ value: Double) -> Double {
        let held = min(max(value, kaggleClip), 1 - kaggleClip)
        return switch mean {
        case .arithmetic, .rank: value
        case .geometric: naturalLogarithm(held)
        case .logit: naturalLogarithm(held) - naturalLogarithm(1 - held)
        }
    }

    /// The mean of the tables that were added.
    ///
    /// - Parameter clip: From 0 to below 0.5; nil for none.
    public func result(clip: Double? = nil) -> PredictionTable {
        let values = sums.indices.map { row in
            let mean =
                switch mean {
                case .arithmetic, .rank: sums[row]
                case .geometric: exponential(sums[row])
                case .logit: 1 / (1 + exponential(-sums[row]))
                }
            let held = min(max(mean, lowest[row]), highest[row])
            return clip.map { min(max(held, $0), 1 - $0) } ?? held
        }
        return PredictionTable(sliceIDs: order?.ids ?? [], values: values)
    }
}

/// The mean of tables that are all at hand: ``Blender`` in one call.
///
/// - Parameters:
///   - tables: Tables over the same slices; the result has the order of the first.
///   - names: What the tables are called in messages; "table 1", "table 2", ... if nil.
/// - Throws: ``TableError`` that says which weight, clip or slice does not fit.
public func blend(
    _ tables: [PredictionTable], weights: [Double], mean: BlendMean = .arithmetic, clip: Double?,
    names: [String]? = nil
) throws(TableError) -> PredictionTable {
    try checkBlend(weights: weights, clip: clip, tables: tables.count)
    let names = names ?? tables.indices.map { "table \($0 + 1)" }
    var blender = Blender(mean)
    for (number, table) in tables.enumerated() {
        try blender.add(table, weight: weights[number], name: names[number])
    }
    return blender.result(clip: clip)
}

/// The weights of a plain mean of this many tables.
package func equalWeights(_ count: Int) -> [Double] { Array(repeating: 1 / Double(count), count: count) }

/// Checks the numbers of a blend before any table is read.
///
/// - Throws: ``TableError`` that says which weight or clip does not fit.
package func checkBlend(weights: [Double], clip: Double?, tables: Int) throws(TableError) {
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
            sum > 0 && sum.isFinite
            ? "; the same proportions are \(weights.map { shortest($0 / sum) }.joined(separator: ","))" : ""
        throw TableError(name: "blend", .argument, "the weights sum to \(shortest(sum)), not to 1\(advice)")
    }
}

func check(clip: Double, for name: String) throws(TableError) {
    guard clip >= 0 && clip < 0.5 else {
        throw TableError(name: name, .argument, "the clip \(clip) is out of range; it must be at least 0 and below 0.5")
    }
}

/// For each value the mean rank of the values that equal it within its type, from 1 for the lowest, divided by the number of slices.
private func rankShares(_ values: [Double]) -> [Double] {
    let slices = values.count / typeCount
    var shares = Array(repeating: 0.0, count: values.count)
    let columns = concurrentMap(typeCount) { type in
        stride(from: type, to: values.count, by: typeCount).map { (value: values[$0], row: $0) }
            .sorted { $0.value < $1.value }
    }
    for column in columns {
        var first = 0
        while first < slices {
            var end = first + 1
            while end < slices && column[end].value == column[first].value { end += 1 }
            // The ranks first + 1 ... end.
            let share = Double(first + 1 + end) / 2 / Double(slices)
            for place in first..<end { shares[column[place].row] = share }
            first = end
        }
    }
    return shares
}
