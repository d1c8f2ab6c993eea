import Metrics

/// What a pass over an `ID,Label` file found: its rows by slice, where they stand, and everything that is wrong with it.
///
/// The strict readers refuse a file whose problem list is not empty; the validator reports the list.
///
/// Every row is one line, so the file is cut at line ends into chunks that are parsed at the same time. Then the slices are
/// numbered in the order of the file, and the values are put in their places, again at the same time: the runs that
/// are the first of their slice touch no place of another run. What is left, rows of slices that were there before, is taken in the
/// order of the file.
struct TableReading {
    /// The slices in order of first appearance; before them, those of the index that was given, whether they appear or not.
    var sliceIDs: [String] { slices.ids }
    private(set) var slices: SliceIndex
    /// Six values for each slice, in `HemorrhageType.allCases` order; NaN where the row is missing or its value unusable.
    private(set) var values: [Double] = []
    /// How many rows repeated an earlier one exactly.
    private(set) var identicalDuplicates = 0
    var problems: ProblemLog

    private let duplicatesAllowed: Bool
    private var chunks: [TableChunk] = []
    /// The line of each chunk's first row.
    private var firstLines: [Int] = []
    /// The slice's number of each run, chunk by chunk.
    private var runSlices: [[RunSlice]] = []
    /// Which of a slice's rows are there, a bit for each type.
    private var present: [UInt8] = []

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
        // Six rows of a slice take some 200 bytes in a file of labels, more in one of predictions.
        slices = order ?? SliceIndex(expecting: bytes.count / 200)
        withBytes(of: bytes) { read($0, chunkSize: chunkSize) }
        self.problems.sortByLine()
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, chunkSize: Int) {
        let bytes = withoutBlankEnd(bytes)
        var scanner = CSVScanner(bytes)
        guard scanner.next(), scanner.fields.map(scanner.text) == ["ID", "Label"] else {
            let found = scanner.fields.map { String(scanner.text($0).prefix(40)) }.prefix(4).joined(separator: ",")
            problems.add(
                .header, line: 1,
                bytes.isEmpty
                    ? "the file is empty; expected the header ID,Label"
                    : "expected the header ID,Label, found '\(found)'; is this a table of predictions or labels?")
            return
        }
        parse(bytes, from: scanner.position, line: scanner.nextLine, chunkSize: chunkSize)
        numberSlices()
        for row in placeValues() { noteRepetition(row) }
        if chunks.allSatisfy(\.values.isEmpty) && problems.isEmpty {
            problems.add(.malformedRow, line: 1, "no rows follow the header")
        }
        checkCompleteness()
    }

    // MARK: Parsing

    private mutating func parse(_ bytes: UnsafeRawBufferPointer, from start: Int, line: Int, chunkSize: Int) {
        var ranges: [Range<Int>] = []
        var position = start
        while position < bytes.count {
            let end = bytes[min(position + chunkSize, bytes.count)...].firstIndex(of: Byte.newline) ?? bytes.count - 1
            ranges.append(position..<end + 1)
            position = end + 1
        }
        // The buffer outlives the calls, which only read it.
        nonisolated(unsafe) let bytes = bytes
        let (all, log, known) = (ranges, problems, slices)
        chunks = concurrentMap(all.count) { TableChunk(linesIn: all[$0], of: bytes, known: known, problems: log) }
        var nextLine = line
        for chunk in chunks {
            firstLines.append(nextLine)
            problems.merge(chunk.problems, linesFrom: nextLine)
            nextLine += chunk.lineCount
        }
    }

    // MARK: Joining

    /// The slice that a run's rows belong to, and whether the run is the first of that slice.
    private struct RunSlice: Sendable {
        let number: UInt32
        let isFirst: Bool
    }

    private struct RowPlace: Sendable {
        let chunk: Int
        /// The row's number within the chunk.
        let row: Int
        /// Where its value belongs.
        let place: Int
    }

    private mutating func numberSlices() {
        var isOpened = Array(repeating: false, count: slices.ids.count)
        for chunk in chunks {
            var numbers: [RunSlice] = []
            numbers.reserveCapacity(chunk.runs.count)
            for run in chunk.runs {
                switch run.slice {
                case .known(let slice):
                    numbers.append(RunSlice(number: UInt32(slice), isFirst: !isOpened[slice]))
                    isOpened[slice] = true
                case .new(let id, let key):
                    let (slice, isNew) = slices.enter(id, key: key)
                    numbers.append(RunSlice(number: UInt32(slice), isFirst: isNew))
                }
            }
            runSlices.append(numbers)
        }
        values = Array(repeating: .nan, count: slices.ids.count * typeCount)
        present = Array(repeating: 0, count: slices.ids.count)
    }

    /// Puts all values in their places; returns the rows that repeat an earlier one, in the order of the file.
    private mutating func placeValues() -> [RowPlace] {
        let (chunks, runSlices) = (chunks, runSlices)
        return values.withUnsafeMutableBufferPointer { values in
            present.withUnsafeMutableBufferPointer { present in
                // A slice has one first run, so no two of the concurrent calls touch the same place.
                nonisolated(unsafe) let (values, present) = (values, present)
                @Sendable func place(runs areFirst: Bool, of number: Int) -> [RowPlace] {
                    var repeated: [RowPlace] = []
                    let chunk = chunks[number]
                    for (run, slice) in runSlices[number].enumerated() where slice.isFirst == areFirst {
                        for row in chunk.rows(ofRun: run) {
                            let place = Int(slice.number) * typeCount + Int(chunk.types[row])
                            let bit: UInt8 = 1 << chunk.types[row]
                            if present[Int(slice.number)] & bit != 0 {
                                repeated.append(RowPlace(chunk: number, row: row, place: place))
                            } else {
                                present[Int(slice.number)] |= bit
                                values[place] = chunk.values[row]
                            }
                        }
                    }
                    return repeated
                }
                let repeated =
                    concurrentMap(chunks.count) { place(runs: true, of: $0) }
                    + chunks.indices.map { place(runs: false, of: $0) }
                return repeated.flatMap { $0 }.sorted { ($0.chunk, $0.row) < ($1.chunk, $1.row) }
            }
        }
    }

    // MARK: Problems

    /// The line of each value's row, 0 where the row is missing.
    private(set) lazy var lines: [Int] = {
        var lines = Array(repeating: 0, count: values.count)
        for (number, chunk) in chunks.enumerated() {
            for run in chunk.runs.indices {
                let slice = Int(runSlices[number][run].number)
                for row in chunk.rows(ofRun: run) {
                    let place = slice * typeCount + Int(chunk.types[row])
                    if lines[place] == 0 { lines[place] = line(ofRow: row, run: run, chunk: number) }
                }
            }
        }
        return lines
    }()

    private func line(ofRow row: Int, run: Int, chunk: Int) -> Int {
        let run = chunks[chunk].runs[run]
        return firstLines[chunk] + run.firstLine + row - run.firstRow
    }

    private mutating func noteRepetition(_ duplicate: RowPlace) {
        let value = chunks[duplicate.chunk].values[duplicate.row]
        let before = values[duplicate.place]
        if value == before {
            identicalDuplicates += 1
            if duplicatesAllowed { return }
        } else if value.isNaN {
            return
        }
        let runs = chunks[duplicate.chunk].runs
        let run = runs.partitioningIndex { $0.firstRow > duplicate.row } - 1
        let line = line(ofRow: duplicate.row, run: run, chunk: duplicate.chunk)
        let (id, first) = (rowID(duplicate.place), lines[duplicate.place])
        if value == before {
            problems.add(.duplicate, line: line, "\(id) appears again; it is on line \(first) with the same value")
        } else {
            problems.add(
                .contradiction, line: line,
                "\(id) appears again with the value \(shortest(value)); line \(first) has "
                    + (before.isNaN ? "an unusable value" : shortest(before)))
        }
    }

    /// Whether any of a slice's rows is there.
    func isPresent(_ slice: Int) -> Bool { slice < present.count && present[slice] != 0 }

    private mutating func checkCompleteness() {
        for slice in present.indices where isPresent(slice) && present[slice] != 1 << UInt8(typeCount) - 1 {
            let range = slice * typeCount..<(slice + 1) * typeCount
            let missing = range.filter { lines[$0] == 0 }.map { HemorrhageType.allCases[$0 % typeCount].rawValue }
            let id = sliceIDs[slice]
            problems.add(
                .incompleteSlice, line: lines[range].filter { $0 > 0 }.min(),
                "slice \(id) lacks the row\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))")
        }
    }

    /// The ID of a row, as it stands in the file.
    func rowID(_ row: Int) -> String {
        "\(sliceIDs[row / typeCount])_\(HemorrhageType.allCases[row % typeCount].rawValue)"
    }
}

let typeCount = HemorrhageType.allCases.count

/// A file without the blank lines and spaces at its end.
private func withoutBlankEnd(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let last = bytes.lastIndex { !Byte.isBlank($0) && $0 != Byte.newline && $0 != Byte.return }
    return UnsafeRawBufferPointer(rebasing: bytes[..<((last ?? -1) + 1)])
}

/// The value as ``PredictionTable/csv()`` writes it.
func shortest(_ value: Double) -> String {
    var bytes: [UInt8] = []
    appendShortest(value, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

/// Gives the bytes of any collection as one buffer, without a copy where it has one.
func withBytes<Result>(
    of bytes: some Collection<UInt8>, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    bytes.withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) }
        ?? Array(bytes).withUnsafeBytes { body($0) }
}

extension Array {
    /// The first index at which a condition holds that no element before and every element after fulfils.
    fileprivate func partitioningIndex(_ condition: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
