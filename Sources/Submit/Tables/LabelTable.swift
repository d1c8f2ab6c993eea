import Metrics

/// The types of each slice in the order of the rows, from a label file or from a sample submission.
///
/// The original's data set keeps them in that order, and a slice that is listed twice has its types twice (`group_id_by_label`).
public struct LabelTable: Sendable, Equatable {
    /// What the column Label may hold.
    public enum Values: Sendable {
        /// 0 or 1: the truth.
        case binary
        /// Any number: a sample submission, whose 0.5 means no label.
        case numbers
    }

    /// The slices in the order of their first rows; each occurs once.
    public let sliceIDs: [String]
    /// For each slice the types of its rows with Label 1.
    public let labels: [[HemorrhageType]]
    /// Slices whose rows are there more than once, in the order of their first row.
    public let repeatedSlices: [String]

    /// Reads a table by the rules of ``TruthTable/init(parsing:name:)``.
    ///
    /// - Throws: ``TableError`` with every problem and its line.
    public init(parsing bytes: some Collection<UInt8>, name: String, values: Values) throws(TableError) {
        var reading = TableReading(bytes, duplicatesAllowed: true)
        if values == .binary { reading.noteLabelsThatAreNotBinary() }
        guard reading.problems.isEmpty else { throw TableError(name: name, reading.problems) }
        sliceIDs = reading.sliceIDs
        repeatedSlices = reading.repeatedSlices.sorted().map { reading.sliceIDs[$0] }
        let types = HemorrhageType.allCases
        if reading.isInOrder {
            let values = reading.values
            labels = reading.sliceIDs.indices.map { slice in
                types.indices.filter { values[slice * typeCount + $0] == 1 }.map { types[$0] }
            }
        } else {
            var labels = Array(repeating: [HemorrhageType](), count: reading.sliceIDs.count)
            reading.forEachRow { place, value, _ in
                if value == 1 { labels[place / typeCount].append(types[place % typeCount]) }
            }
            self.labels = labels
        }
    }
}
