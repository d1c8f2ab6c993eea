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

    /// Whether no problem was found.
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
    var reading = TableReading(
        bytes, duplicatesAllowed: false, problems: ProblemLog(keeping: kept), order: SliceIndex(sample.sliceIDs))
    var problems = reading.problems
    let isTable = problems.isEmpty
    let isReadable = problems.counts[.header] == nil
    var notes: [String] = []
    if isReadable {
        checkSlices(of: &reading, expected: sample.sliceIDs.count, &problems)
        checkValues(of: &reading, &problems)
        notes = reading.isInOrder ? [] : orderNotes(on: &reading, expected: sample.sliceIDs.count)
        notes += scaleNotes(reading.values)
    }
    let present = reading.sliceIDs.indices.filter(reading.isPresent)
    if isTable && problems.counts[.extraSlice] == nil && problems.counts[.missingSlice] == nil
        && reading.values == sample.values
    {
        problems.add(.equalsSample, "every value equals the sample's: this is the sample submission itself")
    }
    problems.sortByLine()
    return Verification(
        slices: present.count, problems: problems.problems, counts: problems.counts, notes: notes,
        contentHash: isTable
            ? PredictionTable(reading).contentHash() : nil)
}

/// - Parameter expected: How many slices the sample has; they are the reading's first.
private func checkSlices(of reading: inout TableReading, expected: Int, _ problems: inout ProblemLog) {
    for slice in expected..<reading.sliceIDs.count {
        let lines = reading.lines[slice * typeCount..<(slice + 1) * typeCount].filter { $0 > 0 }
        problems.add(.extraSlice, line: lines.min(), "slice \(reading.sliceIDs[slice]) is not in the sample")
    }
    for slice in 0..<expected where !reading.isPresent(slice) {
        problems.add(.missingSlice, "slice \(reading.sliceIDs[slice]) of the sample is missing")
    }
}

private func checkValues(of reading: inout TableReading, _ problems: inout ProblemLog) {
    for row in reading.values.indices {
        let value = reading.values[row]
        guard value < 0 || value > 1 else { continue }
        problems.addOutOfRange(value, line: reading.lines[row], reading.rowID(row))
    }
    let (values, present) = (reading.values, reading.sliceIDs.indices.filter(reading.isPresent))
    guard let first = present.first, present.count > 1 else { return }
    for (type, name) in HemorrhageType.allCases.enumerated() {
        let value = values[first * typeCount + type]
        guard present.allSatisfy({ values[$0 * typeCount + type] == value }) else { continue }
        problems.add(.constantColumn, "every slice has the same value, \(shortest(value)), for \(name.rawValue)")
    }
}

private func orderNotes(on reading: inout TableReading, expected: Int) -> [String] {
    var notes: [String] = []
    let lines = reading.lines
    let firstLines = (0..<expected).compactMap { slice in
        lines[slice * typeCount..<(slice + 1) * typeCount].filter { $0 > 0 }.min()
    }
    if let line = zip(firstLines, firstLines.sorted()).first(where: { $0 != $1 })?.1 {
        notes.append(
            "from line \(line) on, the slices are in another order than in the sample; Kaggle matches rows by ID")
    }
    let isInterleaved = stride(from: 0, to: lines.count, by: typeCount).contains { first in
        let written = lines[first..<first + typeCount].filter { $0 > 0 }
        return zip(written, written.dropFirst()).contains { $0 + 1 != $1 }
    }
    if isInterleaved {
        let order = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
        notes.append(
            "the rows of a slice do not all follow each other in the order \(order); Kaggle matches rows by ID")
    }
    return notes
}
