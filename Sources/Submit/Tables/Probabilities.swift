import Basics
import Metrics

extension PredictionTable {
    /// How far outside 0...1 a value may be that rounding has put there.
    package static let rounding = 1e-6

    /// The table with values that are all probabilities: a metric would clip any others, and call logits a perfect score.
    ///
    /// Values that rounding has put outside 0...1 are held in it, and counted.
    ///
    /// - Parameters:
    ///   - areLogits: whether the values are logits x; their probabilities are 1 / (1 + e^-x).
    ///   - name: the file's name in messages.
    /// - Throws: ``Failure`` with status `badInput` if a value is no probability, with what the values look like.
    package func probabilities(areLogits: Bool, name: String) throws -> (table: PredictionTable, clipped: Int) {
        var (table, clipped) = (self, 0)
        if areLogits {
            table.values = concurrentBlocks(values) { 1 / (1 + exponential(-$0)) }
            return (table, 0)
        }
        let outside = values.indices.filter { !(0...1).contains(values[$0]) }
        guard let first = outside.first else { return (self, 0) }
        let allowed = -Self.rounding...1 + Self.rounding
        if let place = outside.first(where: { !allowed.contains(values[$0]) }) {
            let types = HemorrhageType.allCases
            let row = "\(sliceIDs[place / types.count])_\(types[place % types.count].rawValue)"
            throw Failure(
                .badInput,
                "\(name): \(Numbers.count(outside.count)) of \(Numbers.count(values.count)) values are no probabilities from 0 to 1, such as \(shortest(values[place])) of \(row) (\(shortest(values[first])) is the first). \(Self.scale(values))"
            )
        }
        for place in outside {
            table.values[place] = min(1, max(0, values[place]))
            clipped += 1
        }
        return (table, clipped)
    }

    /// What such values look like, and what to do.
    private static func scale(_ values: [Double]) -> String {
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        if low >= 0, high <= 100, high > 1.5 { return "They look like percent: divide them by 100." }
        return "If they are logits, give --logits: then 1 / (1 + exp(-x)) is taken of each."
    }
}

/// A function of each value, on all threads.
private func concurrentBlocks(_ values: [Double], _ function: @Sendable (Double) -> Double) -> [Double] {
    let size = 1 << 16
    return concurrentMap((values.count + size - 1) / size) { block in
        values[(block * size)..<min(values.count, (block + 1) * size)].map(function)
    }.flatMap { $0 }
}
