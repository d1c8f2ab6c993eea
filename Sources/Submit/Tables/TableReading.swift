import Basics
import Foundation
import Metrics

/// What a pass over an `ID,Label` file found: its rows by slice, where they stand, and everything that is wrong with it.
///
/// The strict readers refuse a file whose problem list is not empty; the validator reports the list.
///
/// Every row is one line, so the file is cut at line ends into chunks that are read at the same time. A row of a slice that is known
/// goes to its place at once. New slices are numbered in the order of the file, and then their rows go to their places, again at the
/// same time. Lines are not kept: the few that messages name are found by reading once more.
struct TableReading {
    /// The slices in order of first appearance; before them, those of the index that was given, whether they appear or not.
    var sliceIDs: [String] { slices.ids }
    private(set) var slices: SliceIndex
    /// Six values for each slice, in `HemorrhageType.allCases` order; NaN where the row is missing or its value unusable.
    private(set) var values: [Double] = []
    /// How many rows repeated an earlier one exactly.
    private(set) var identicalDuplicates = 0
    /// The slices whose rows they are, by number.
    private(set) var repeatedSlices: Set<Int> = []
    /// Whether all rows of all slices are there, once each and in the order of `values`.
    private(set) var isInOrder = false
    /// Whether some of the index's slices have no row.
    private(set) var lacksSlices = false
    var problems: ProblemLog

    private let bytes: any Collection<UInt8>
    private let duplicatesAllowed: Bool
    /// Where the chunks begin in the file, and on which line.
    private var chunkRanges: [Range<Int>] = []
    private var firstLines: [Int] = []

    /// - Parameters:
    ///   - duplicatesAllowed: Whether a row may be repeated with the same value, as four slices of Kaggle's label file are.
    ///   - problems: Where problems are collected.
    ///   - order: Slices that the file is expected to have; nil to number those that it has.
    ///   - chunkSize: How many bytes are parsed in one go, at least.
    init(
        _ bytes: some Collection<UInt8>, duplicatesAllowed: Bool, problems: ProblemLog = ProblemLog(),
        order: SliceIndex? = nil, chunkSize: Int = 1 << 20
    ) {
        self.duplicatesAllowed = duplicatesAllowed
        self.problems = problems
        // Six rows of a slice take some 160 bytes in a file of labels, more in one of predictions.
        slices = order ?? SliceIndex(expecting: bytes.count / 150)
        if let (text, defectiveLine) = withBytes(of: bytes, utf8(ofUTF16:)) {
            self.bytes = text
            if let defectiveLine { self.problems.addDamagedUTF16(line: defectiveLine) }
            text.withUnsafeBytes { read($0, chunkSize: chunkSize) }
        } else {
            self.bytes = bytes
            withBytes(of: bytes) { read($0, chunkSize: chunkSize) }
        }
        self.problems.sortByLine()
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, chunkSize: Int) {
        let bytes = withoutBlankEnd(bytes)
        var scanner = CSVScanner(bytes)
        guard scanner.next(), scanner.fields.map(scanner.text) == ["ID", "Label"] else {
            noteHeader(scanner)
            return
        }
        chunkRanges = Self.chunks(of: bytes, from: scanner.position, size: chunkSize)
        let known = slices
        // Rows that are there twice, at the same time, are the one thing that only reading in turn can tell apart.
        guard
            read(bytes, firstLine: scanner.nextLine, known: known, inTurn: false)
                || read(bytes, firstLine: scanner.nextLine, known: known, inTurn: true)
        else { preconditionFailure("rows that were put one after another are not in their places") }
    }

    /// Notes what is there instead of the header `ID,Label`.
    private mutating func noteHeader(_ scanner: CSVScanner) {
        guard !scanner.bytes.isEmpty else {
            return problems.add(.header, line: 1, "the file is empty; expected the header ID,Label")
        }
        if let what = NoTable.found(in: scanner.bytes) { return problems.add(.header, what) }
        let names = scanner.fields.map(scanner.text)
        let found = names.map { printable($0) }.prefix(4).joined(separator: ",")
        let advice =
            if names.count == 3 && names.dropFirst() == ["ID", "Label"] {
                "; its first column is the index of a data frame, which to_csv(index=False) leaves out"
            } else if names.count == 2 && slice(named: names[0]).isRow {
                "; it is a row: write the header above it"
            } else if names.count == 1 && !separatorAdvice(names).isEmpty {
                separatorAdvice(names)
            } else {
                "; is this a table of predictions or labels?"
            }
        problems.add(.header, line: 1, "expected the header ID,Label, found '\(found)'\(advice)")
    }

    /// The file cut at line ends into pieces of about this size.
    private static func chunks(of bytes: UnsafeRawBufferPointer, from start: Int, size: Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var position = start
        while position < bytes.count {
            let end = bytes[min(position + size, bytes.count)...].firstIndex(of: Byte.newline) ?? bytes.count - 1
            ranges.append(position..<end + 1)
            position = end + 1
        }
        return ranges
    }

    // MARK: Values

    /// Reads all rows; false, with nothing noted, if calls met at one place.
    private mutating func read(
        _ bytes: UnsafeRawBufferPointer, firstLine: Int, known: SliceIndex, inTurn: Bool
    ) -> Bool {
        // The buffer outlives the calls, which only read it.
        nonisolated(unsafe) let bytes = bytes
        let (ranges, log) = (chunkRanges, problems)
        slices = known
        values = absentValues(known.ids.count * typeCount)
        var chunks = withCells(of: &values) { cells in
            map(ranges.count, inTurn: inTurn) {
                TableChunk(linesIn: ranges[$0], of: bytes, known: known, cells: cells, problems: log)
            }
        }
        let numbers = slices.enter(chunks.map(\.newSlices), of: bytes)
        if slices.ids.count > known.ids.count {
            let more = absentValues((slices.ids.count - known.ids.count) * typeCount)
            values = known.ids.isEmpty ? more : values + more
            let read = chunks
            chunks = withCells(of: &values) { cells in
                map(read.count, inTurn: inTurn) { number in
                    var chunk = read[number]
                    chunk.place(numbers: numbers[number], in: cells)
                    return chunk
                }
            }
        }
        let census = census()
        guard census.rows == chunks.reduce(0, { $0 + $1.placed }) else { return false }

        noteLines(chunks, firstLine)
        isInOrder = covers(chunks.map(\.run), values.count)
        lacksSlices = census.lacksSlices
        note(chunks.flatMap(\.duplicateRows))
        if census.rows == 0 && chunks.allSatisfy(\.duplicateRows.isEmpty) && problems.isEmpty {
            problems.add(.malformedRow, line: 1, "no rows follow the header")
        }
        census.incomplete.forEach { noteIncomplete($0) }
        return true
    }

    /// How many rows are in their places, and which slices have some of theirs only.
    private func census() -> (rows: Int, incomplete: [Int], lacksSlices: Bool) {
        let (values, pieceSize) = (values, 1 << 13)
        let slices = values.count / typeCount
        let pieces = concurrentMap((slices + pieceSize - 1) / pieceSize) { piece in
            var (rows, incomplete, lacksSlices) = (0, [Int](), false)
            values.withUnsafeBufferPointer { values in
                for slice in piece * pieceSize..<min((piece + 1) * pieceSize, slices) {
                    var there = 0
                    for place in slice * typeCount..<(slice + 1) * typeCount {
                        there += values[place].bitPattern == ValueCells.absent ? 0 : 1
                    }
                    rows += there
                    if there == 0 { lacksSlices = true }
                    if there % typeCount != 0 { incomplete.append(slice) }
                }
            }
            return (rows, incomplete, lacksSlices)
        }
        return (pieces.reduce(0) { $0 + $1.0 }, pieces.flatMap(\.1), pieces.contains(where: \.2))
    }

    /// Whether any of a slice's rows is there.
    func isPresent(_ slice: Int) -> Bool {
        slice * typeCount < values.count
            && (slice * typeCount..<(slice + 1) * typeCount).contains { isThere($0) }
    }

    private func isThere(_ place: Int) -> Bool { values[place].bitPattern != ValueCells.absent }

    // MARK: Problems

    private mutating func noteLines(_ chunks: [TableChunk], _ firstLine: Int) {
        var nextLine = firstLine
        for chunk in chunks {
            firstLines.append(nextLine)
            problems.merge(chunk.problems, linesFrom: nextLine)
            nextLine += chunk.lineCount
        }
    }

    /// Calls `body` for every row in the order of the file.
    func forEachRow(_ body: (_ place: Int, _ value: Double, _ line: Int) -> Void) {
        withBytes(of: bytes) { bytes in
            let bytes = withoutBlankEnd(bytes)
            withUnsafeTemporaryAllocation(of: TableRow.self, capacity: RowParser.batchSize) { batch in
                for (range, firstLine) in zip(chunkRanges, firstLines) {
                    var parser = RowParser(linesIn: range, of: bytes, known: slices, problems: ProblemLog(keeping: 0))
                    while case let count = parser.next(into: batch), count > 0 {
                        for row in batch[..<count] { body(row.knownPlace, row.value, firstLine + row.line) }
                    }
                }
            }
        }
    }

    /// The line of each value's row, 0 where the row is missing.
    private(set) lazy var lines: [Int] = {
        var lines = Array(repeating: 0, count: values.count)
        forEachRow { place, _, line in
            if lines[place] == 0 { lines[place] = line }
        }
        return lines
    }()

    /// Notes the rows that were there already: which of them came first is of no matter while they are equal and may be.
    private mutating func note(_ duplicateRows: [TableChunk.DuplicateRow]) {
        guard !duplicateRows.isEmpty else { return }
        if duplicatesAllowed && duplicateRows.allSatisfy({ $0.value == values[$0.place] }) {
            identicalDuplicates = duplicateRows.count
            repeatedSlices = Set(duplicateRows.map { $0.place / typeCount })
            return
        }
        var rows = Dictionary(uniqueKeysWithValues: Set(duplicateRows.map(\.place)).map { ($0, [(Double, Int)]()) })
        forEachRow { place, value, line in rows[place]?.append((value, line)) }
        var repetitions: [(line: Int, value: Double, place: Int, firstLine: Int)] = []
        for (place, found) in rows {
            values[place] = found[0].0
            repetitions += found.dropFirst().map { ($0.1, $0.0, place, found[0].1) }
        }
        for row in repetitions.sorted(by: { $0.line < $1.line }) { noteRepetition(row) }
    }

    private mutating func noteRepetition(_ row: (line: Int, value: Double, place: Int, firstLine: Int)) {
        let before = values[row.place]
        if row.value == before {
            identicalDuplicates += 1
            repeatedSlices.insert(row.place / typeCount)
            if duplicatesAllowed { return }
        } else if row.value.isNaN {
            return
        }
        let id = rowID(row.place)
        if row.value == before {
            problems.add(
                .duplicate, line: row.line, "\(id) appears again; it is on line \(row.firstLine) with the same value")
        } else {
            problems.add(
                .contradiction, line: row.line,
                "\(id) appears again with the value \(shortest(row.value)); line \(row.firstLine) has "
                    + (before.isNaN ? "an unusable value" : shortest(before)))
        }
    }

    private mutating func noteIncomplete(_ slice: Int) {
        let range = slice * typeCount..<(slice + 1) * typeCount
        let missing = range.filter { !isThere($0) }.map { HemorrhageType.allCases[$0 % typeCount].rawValue }
        let line = lines[range].filter { $0 > 0 }.min()
        let id = sliceIDs[slice]
        problems.add(
            .incompleteSlice, line: line,
            "slice \(id) lacks the row\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))")
    }

    /// The ID of a row, as it stands in the file.
    func rowID(_ row: Int) -> String {
        "\(sliceIDs[row / typeCount])_\(HemorrhageType.allCases[row % typeCount].rawValue)"
    }
}

/// Calls `body` for 0..<count, all at once or in turn.
private func map<Result: Sendable>(_ count: Int, inTurn: Bool, _ body: @Sendable (Int) -> Result) -> [Result] {
    inTurn ? (0..<count).map(body) : concurrentMap(count, body)
}

private func withCells<Result>(of values: inout [Double], _ body: (ValueCells) -> Result) -> Result {
    values.withUnsafeMutableBufferPointer { body(ValueCells($0)) }
}

/// Whether runs of places follow each other from 0 to an end.
private func covers(_ runs: [Range<Int>?], _ end: Int) -> Bool {
    var next = 0
    for run in runs {
        guard let run, run.isEmpty || run.lowerBound == next else { return false }
        next = run.isEmpty ? next : run.upperBound
    }
    return next == end
}

/// The values of rows that have not been found yet.
private func absentValues(_ count: Int) -> [Double] {
    concurrentArray(count) { _, values in values.initialize(repeating: Double(bitPattern: ValueCells.absent)) }
}

let typeCount = HemorrhageType.allCases.count

/// A file without the blank lines and spaces at its end.
private func withoutBlankEnd(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let last = bytes.lastIndex { !Byte.isBlank($0) && $0 != Byte.newline && $0 != Byte.return }
    return UnsafeRawBufferPointer(rebasing: bytes[..<((last ?? -1) + 1)])
}

/// The value as ``PredictionTable/csv()`` writes it.
func shortest(_ value: Double) -> String {
    var text = ""
    withShortest(value) { text = String(decoding: $0, as: UTF8.self) }
    return text
}

/// Gives the bytes of any collection as one buffer, without a copy where it has one.
func withBytes<Result>(
    of bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    bytes.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
        ?? Array(bytes).withUnsafeBytes { body($0) }
}
