import Metrics

/// What checking a submission against the sample found.
public struct Verification: Sendable, Equatable {
    /// How many slices the submission has.
    public let slices: Int
    /// The problems, in order of lines, those without a line last.
    public let problems: [TableProblem]
    /// How many problems of each kind there are, which may be more than were kept.
    public let counts: [TableProblem.Kind: Int]
    /// What is worth knowing and no fault, such as another order of rows.
    public let notes: [String]
    /// ``PredictionTable/contentHash()``, nil if the file is not a well-formed table.
    public let contentHash: String?

    public var isValid: Bool { counts.isEmpty }
}

/// Checks a submission: form, IDs against the sample's, values, and whether anything was predicted at all.
///
/// Nothing stops at the first fault: every problem that can be named is, with its line. Well-formedness is what
/// ``PredictionTable/init(parsing:name:)`` asks for; beyond it, the slices must be those of the sample, values lie in [0, 1],
/// no column has the same value everywhere, and the table is not the sample itself.
///
/// - Parameters:
///   - bytes: The submission's file.
///   - kept: How many problems of each kind are kept; all are counted.
public func verify(_ bytes: some Collection<UInt8>, sample: PredictionTable, keeping kept: Int = .max) -> Verification {
    let reading = TableReading(bytes, duplicatesAllowed: false, problems: ProblemLog(keeping: kept))
    var problems = reading.problems
    let isTable = problems.isEmpty
    let isReadable = problems.counts[.header] == nil
    var notes: [String] = []
    if isReadable {
        checkSlices(of: reading, against: sample, &problems)
        checkValues(of: reading, &problems)
        notes = orderNotes(on: reading, sample)
    }
    if isTable {
        let table = PredictionTable(sliceIDs: reading.sliceIDs, values: reading.values)
        if Set(table.sliceIDs) == Set(sample.sliceIDs), let values = try? table.values(for: sample.sliceIDs, name: ""),
            values == sample.values
        {
            problems.add(.equalsSample, "every value equals the sample's: this is the sample submission itself")
        }
    }
    problems.sortByLine()
    return Verification(
        slices: reading.sliceIDs.count, problems: problems.problems, counts: problems.counts, notes: notes,
        contentHash: isTable
            ? PredictionTable(sliceIDs: reading.sliceIDs, values: reading.values).contentHash() : nil)
}

private func checkSlices(of reading: TableReading, against sample: PredictionTable, _ problems: inout ProblemLog) {
    let expected = Set(sample.sliceIDs)
    for (slice, id) in reading.sliceIDs.enumerated() where !expected.contains(id) {
        let lines = reading.lines[slice * typeCount..<(slice + 1) * typeCount].filter { $0 > 0 }
        problems.add(.extraSlice, line: lines.min(), "slice \(id) is not in the sample")
    }
    let present = Set(reading.sliceIDs)
    for id in sample.sliceIDs where !present.contains(id) {
        problems.add(.missingSlice, "slice \(id) of the sample is missing")
    }
}

private func checkValues(of reading: TableReading, _ problems: inout ProblemLog) {
    for (row, value) in reading.values.enumerated() where value < 0 || value > 1 {
        problems.add(
            .outOfRange, line: reading.lines[row],
            "the value \(shortest(value)) of \(reading.rowID(row)) is not a probability from 0 to 1")
    }
    guard reading.sliceIDs.count > 1 else { return }
    for (type, name) in HemorrhageType.allCases.enumerated() {
        let first = reading.values[type]
        let isConstant = stride(from: type, to: reading.values.count, by: typeCount)
            .allSatisfy { reading.values[$0] == first }
        if isConstant {
            problems.add(.constantColumn, "every slice has the same value, \(shortest(first)), for \(name.rawValue)")
        }
    }
}

private func orderNotes(on reading: TableReading, _ sample: PredictionTable) -> [String] {
    var notes: [String] = []
    let different = zip(reading.sliceIDs, sample.sliceIDs).enumerated().first { $1.0 != $1.1 }
    if let (slice, ids) = different, Set(sample.sliceIDs).contains(ids.0) {
        let line = reading.lines[slice * typeCount..<(slice + 1) * typeCount].filter { $0 > 0 }.min() ?? 0
        notes.append(
            "from line \(line) on, the slices are in another order than in the sample; Kaggle matches rows by ID")
    }
    let written = reading.lines.filter { $0 > 0 }
    if zip(written, written.dropFirst()).contains(where: { $0 > $1 }) {
        let order = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
        notes.append(
            "the rows of a slice do not all follow each other in the order \(order); Kaggle matches rows by ID")
    }
    return notes
}
