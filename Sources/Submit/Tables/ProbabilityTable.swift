import Basics
import Metrics

/// Predictions as probabilities, of a file that may hold logits, or values that rounding put beyond 0 or 1.
package struct ProbabilityTable: Sendable {
    /// The predictions, all from 0 to 1.
    package private(set) var table: PredictionTable
    /// How many values lay outside and were held in the range.
    package private(set) var clipped = 0

    /// How far outside a value may lie: some of single precision's steps at 1, which are 6e-8.
    package static let rounding = 1e-6

    /// Reads a CSV file as ``PredictionTable/init(parsing:name:order:)`` does.
    ///
    /// - Parameter areLogits: Whether each value is a logit x and stands for the probability 1 / (1 + exp(-x)).
    /// - Throws: ``TableError`` with every problem and its line: also values that are no probabilities, or, if logits are due, if all
    ///   values could be probabilities.
    package init(
        parsing bytes: some Collection<UInt8>, name: String, order: SliceIndex? = nil, areLogits: Bool = false
    ) throws(TableError) {
        var reading = TableReading(bytes, duplicatesAllowed: false, order: order)
        guard reading.problems.isEmpty else { throw TableError(name: name, reading.problems) }
        let outside = Self.places(in: reading.values) { $0 < 0 || $0 > 1 }
        if areLogits {
            guard !outside.isEmpty else {
                throw TableError(
                    name: name, .argument,
                    "all values lie from 0 to 1, so they are probabilities and no logits. Leave out --logits.")
            }
            table = PredictionTable(reading)
            table.values = concurrentArray(table.values.count) { [table] numbers, values in
                for (place, number) in numbers.enumerated() {
                    values.initializeElement(at: place, to: logistic(table.values[number]))
                }
            }
            return
        }
        let far = outside.filter {
            reading.values[$0] < -Self.rounding || reading.values[$0] > 1 + Self.rounding
        }
        guard far.isEmpty else {
            for row in far {
                let (value, line, id) = (reading.values[row], reading.lines[row], reading.rowID(row))
                reading.problems.addOutOfRange(value, line: line, id)
            }
            reading.problems.sortByLine()
            let scale = scaleNotes(reading.values).map { "\($0). " }.joined()
            throw TableError(
                name: name, reading.problems, advice: "\(scale)Logits are converted with --logits.")
        }
        table = PredictionTable(reading)
        clipped = outside.count
        guard clipped > 0 else { return }
        for place in table.values.indices { table.values[place] = min(max(table.values[place], 0), 1) }
    }

    private static func places(in values: [Double], where isWanted: @Sendable (Double) -> Bool) -> [Int] {
        let pieceSize = 1 << 15
        return concurrentMap((values.count + pieceSize - 1) / pieceSize) { piece in
            (piece * pieceSize..<min((piece + 1) * pieceSize, values.count)).filter { isWanted(values[$0]) }
        }.flatMap { $0 }
    }
}

/// What values outside [0, 1] look like, if they are many: the scale that they were probably written in.
func scaleNotes(_ values: [Double]) -> [String] {
    let values = values.filter { !$0.isNaN }
    let outside = values.count { $0 < 0 || $0 > 1 }
    guard let low = values.min(), let high = values.max(), outside * 100 > values.count else { return [] }
    let range = "the values run from \(shortest(low)) to \(shortest(high))"
    if low < 0 { return ["\(range) and look like logits; Kaggle expects probabilities, 1 / (1 + exp(-x))"] }
    if high <= 100 { return ["\(range) and look like percent; Kaggle expects probabilities, divided by 100"] }
    return []
}
