import Foundation
import Metrics

/// What a pass over an `ID,Label` file found: its rows by slice, where they stand, and everything that is wrong with it.
///
/// The strict readers refuse a file whose problem list is not empty; the validator reports the list.
///
/// Every row is one line, so the file is cut at line ends into chunks that are parsed at the same time. Then new slices are
/// numbered in the order of the file. Last, the values are put in their places, again at the same time: each call has a range of slices
/// for itself and takes their rows in the order of the file.
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
    var problems: ProblemLog

    private let duplicatesAllowed: Bool
    private var chunks: [TableChunk] = []
    /// The line of each chunk's first row.
    private var firstLines: [Int] = []
    /// The numbers of each chunk's new slices.
    private var newNumbers: [[Int32]] = []
    private var preloaded: UInt64 = 0
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

    private mutating func numberSlices() {
        for chunk in chunks {
            var numbers: [Int32] = []
            numbers.reserveCapacity(chunk.newSlices.count)
            for start in stride(from: 0, to: chunk.newSlices.count, by: 256) {
                let some = chunk.newSlices[start..<min(start + 256, chunk.newSlices.count)]
                preloaded &+= slices.preloaded(some.lazy.map(\.key))
                for slice in some { numbers.append(Int32(slices.enter(slice.id, key: slice.key).number)) }
            }
            newNumbers.append(numbers)
        }
        values = Array(repeating: .nan, count: slices.ids.count * typeCount)
        present = Array(repeating: 0, count: slices.ids.count)
    }

    /// The place of a row's value.
    @inline(__always)
    private static func place(_ row: Int, _ chunk: TableChunk, _ newNumbers: [Int32]) -> Int {
        let slice = chunk.slices[row]
        return Int(slice >= 0 ? slice : newNumbers[Int(~slice)]) * typeCount + Int(chunk.types[row])
    }

    private struct RowPlace: Sendable {
        let chunk: Int
        /// The row's number within the chunk.
        let row: Int
        /// Where its value belongs.
        let place: Int
    }

    /// Puts all values in their places; returns the rows that repeat an earlier one, in the order of the file.
    private mutating func placeValues() -> [RowPlace] {
        let (chunks, newNumbers) = (chunks, newNumbers)
        let extents = concurrentMap(chunks.count) { number -> ClosedRange<Int> in
            let known = chunks[number].slices.lazy.filter { $0 >= 0 }
            let all = [known.min(), known.max(), newNumbers[number].min(), newNumbers[number].max()].compactMap { $0 }
            return Int(all.min() ?? 0)...Int(all.max() ?? 0)
        }
        let count = slices.ids.count
        // However many parts there are, the same values come out.
        let parts = min(8, ProcessInfo.processInfo.activeProcessorCount)
        return values.withUnsafeMutableBufferPointer { values in
            present.withUnsafeMutableBufferPointer { present in
                // No two calls touch the same slice.
                nonisolated(unsafe) let (values, present) = (values, present)
                let repeated = concurrentMap(parts) { part in
                    let range = count * part / parts..<count * (part + 1) / parts
                    var repeated: [RowPlace] = []
                    for (number, chunk) in chunks.enumerated() where range.overlaps(extents[number]) {
                        for row in chunk.values.indices {
                            let place = Self.place(row, chunk, newNumbers[number])
                            let slice = place / typeCount
                            guard range.contains(slice) else { continue }
                            let bit: UInt8 = 1 << chunk.types[row]
                            if present[slice] & bit != 0 {
                                repeated.append(RowPlace(chunk: number, row: row, place: place))
                            } else {
                                present[slice] |= bit
                                values[place] = chunk.values[row]
                            }
                        }
                    }
                    return repeated
                }
                return repeated.flatMap { $0 }.sorted { ($0.chunk, $0.row) < ($1.chunk, $1.row) }
            }
        }
    }

    // MARK: Problems

    /// The line of each value's row, 0 where the row is missing.
    private(set) lazy var lines: [Int] = {
        var lines = Array(repeating: 0, count: values.count)
        for (number, chunk) in chunks.enumerated() {
            for row in chunk.values.indices {
                let place = Self.place(row, chunk, newNumbers[number])
                if lines[place] == 0 { lines[place] = line(ofRow: row, chunk: number) }
            }
        }
        return lines
    }()

    private func line(ofRow row: Int, chunk: Int) -> Int { firstLines[chunk] + chunks[chunk].line(ofRow: row) }

    private mutating func noteRepetition(_ duplicate: RowPlace) {
        let value = chunks[duplicate.chunk].values[duplicate.row]
        let before = values[duplicate.place]
        if value == before {
            identicalDuplicates += 1
            repeatedSlices.insert(duplicate.place / typeCount)
            if duplicatesAllowed { return }
        } else if value.isNaN {
            return
        }
        let line = line(ofRow: duplicate.row, chunk: duplicate.chunk)
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
