import Basics
import Metrics

/// The labels of a set of slices: for each, which of the six types it shows.
public struct TruthTable: Sendable {
    /// The slices in order of first appearance in the file; each occurs once.
    public var sliceIDs: [String] { slices.ids }
    package let slices: SliceIndex
    /// Six labels for each slice, in `HemorrhageType.allCases` order, slice after slice.
    public let labels: [Bool]
    /// How many rows repeated an earlier one: 24 in Kaggle's training labels, which list four slices twice.
    public let duplicateRows: Int
    /// The slices whose rows these are, in the order of the table.
    public let repeatedSlices: [String]

    /// Reads a label file (`ID,Label` with labels 0 and 1), strictly but for rows that repeat an earlier one exactly.
    ///
    /// - Throws: ``TableError`` with every problem and its line; contradicting duplicates and labels but 0 and 1 are refused.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        var reading = TableReading(bytes, duplicatesAllowed: true)
        reading.noteLabelsThatAreNotBinary()
        guard reading.problems.isEmpty else { throw TableError(name: name, reading.problems) }
        slices = reading.slices
        let values = reading.values
        labels = concurrentArray(values.count) { rows, labels in
            for (place, row) in rows.enumerated() { labels.initializeElement(at: place, to: values[row] == 1) }
        }
        duplicateRows = reading.identicalDuplicates
        repeatedSlices = reading.repeatedSlices.sorted().map { reading.sliceIDs[$0] }
    }

    /// The labels of these slices, in their order, six for each.
    ///
    /// - Throws: ``TableError`` that names slices without labels.
    public func labels(for wanted: [String], name: String) throws(TableError) -> [Bool] {
        if wanted == sliceIDs { return labels }
        let rows = slices
        guard let found = rows.numbers(of: wanted) else {
            let missing = wanted.filter { rows[$0] == nil }
            let slices = missing.count == 1 ? "slice has" : "slices have"
            throw TableError(name: name, .missingSlice, "\(missing.count) \(slices) no labels: \(listing(missing))")
        }
        return gather(found, from: labels)
    }
}

extension TableReading {
    /// Notes the values that are numbers, but neither 0 nor 1.
    mutating func noteLabelsThatAreNotBinary() {
        let (values, pieceSize) = (values, 1 << 15)
        let pieces = concurrentMap((values.count + pieceSize - 1) / pieceSize) { piece in
            (piece * pieceSize..<min((piece + 1) * pieceSize, values.count)).filter { place in
                !(values[place] == 0 || values[place] == 1 || values[place].isNaN)
            }
        }
        for place in pieces.joined() {
            let (line, id) = (lines[place], rowID(place))
            problems.add(
                .malformedValue, line: line, "the label of \(id) is \(shortest(values[place])); a true label is 0 or 1")
        }
        problems.sortByLine()
    }
}
