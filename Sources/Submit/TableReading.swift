import Metrics

/// What a pass over an `ID,Label` file found: its rows by slice, where they stand, and everything that is wrong with it.
///
/// The strict readers refuse a file whose problem list is not empty; the validator reports the list.
struct TableReading {
    /// The slices in order of first appearance.
    private(set) var sliceIDs: [String] = []
    /// Six values for each slice, in `HemorrhageType.allCases` order; NaN where the row is missing or its value unusable.
    private(set) var values: [Double] = []
    /// The line of each value's row, 0 where the row is missing.
    private(set) var lines: [Int] = []
    /// How many rows repeated an earlier one exactly.
    private(set) var identicalDuplicates = 0
    var problems: ProblemLog

    private let duplicatesAllowed: Bool
    private var sliceNumbers: [String: Int] = [:]
    /// The slice and the ID bytes of the row before, since the rows of a slice nearly always follow each other.
    private var current = (slice: -1, id: 0..<0)

    /// - Parameters:
    ///   - duplicatesAllowed: Whether a row may be repeated with the same value, as four slices of Kaggle's label file are.
    ///   - problems: Where problems are collected.
    init(_ bytes: some Collection<UInt8>, duplicatesAllowed: Bool, problems: ProblemLog = ProblemLog()) {
        self.duplicatesAllowed = duplicatesAllowed
        self.problems = problems
        withBytes(of: bytes) { read($0) }
        self.problems.sortByLine()
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) {
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
        // A row of Kaggle's files takes some 25 bytes, six rows make a slice.
        let expectedSlices = bytes.count / 150
        sliceNumbers.reserveCapacity(expectedSlices)
        values.reserveCapacity(expectedSlices * typeCount)
        lines.reserveCapacity(expectedSlices * typeCount)
        while scanner.next() { readRow(scanner) }
        if sliceIDs.isEmpty && problems.isEmpty {
            problems.add(.malformedRow, line: 1, "no rows follow the header")
        }
        checkCompleteness()
    }

    private mutating func readRow(_ scanner: CSVScanner) {
        let line = scanner.line
        if let defect = scanner.quotingDefect {
            problems.add(.malformedRow, line: line, "\(defect); expected ID,Label")
            return
        }
        guard scanner.fields.count == 2 else {
            let isBlank = scanner.fields.count == 1 && scanner.fields[0].range.isEmpty
            problems.add(
                .malformedRow, line: line,
                isBlank ? "the line is blank" : "expected two columns, ID,Label, found \(scanner.fields.count)")
            return
        }
        guard let (slice, type) = identify(scanner.fields[0], scanner) else { return }
        let row = slice * typeCount + type
        let value = number(scanner.fields[1], scanner)
        guard lines[row] == 0 else {
            noteRepetition(of: row, value: value, line: line)
            return
        }
        lines[row] = line
        if let value { values[row] = value }
    }

    /// The slice number and the type number of a row's ID, the slice being entered if it is new.
    private mutating func identify(_ field: CSVScanner.Field, _ scanner: CSVScanner) -> (slice: Int, type: Int)? {
        let bytes = scanner.bytes
        guard let underscore = bytes[field.range].lastIndex(of: UInt8(ascii: "_")) else {
            problems.add(
                .malformedID, line: scanner.line,
                "'\(scanner.text(field))' is no row ID; expected the slice's ID, an underscore and a type, as in ID_0002081b6_any"
            )
            return nil
        }
        guard let type = typeNumber(bytes[underscore + 1..<field.end]) else {
            let names = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
            problems.add(
                .unknownType, line: scanner.line,
                "'\(scanner.text(field))' does not end in a known type; expected one of \(names)")
            return nil
        }
        let id = field.start..<underscore
        if current.slice >= 0 && id.count == current.id.count && bytes[id].elementsEqual(bytes[current.id]) {
            return (current.slice, type)
        }
        let name = String(decoding: bytes[id], as: UTF8.self)
        if let known = sliceNumbers[name] {
            current = (known, id)
            return (known, type)
        }
        guard !id.isEmpty && bytes[id].allSatisfy(isIDByte) else {
            problems.add(
                .malformedID, line: scanner.line,
                "'\(scanner.text(field))' is no row ID; a slice's ID has letters, digits, '_', '-' and '.' only")
            return nil
        }
        current = (sliceIDs.count, id)
        sliceNumbers[name] = current.slice
        sliceIDs.append(name)
        for _ in 0..<typeCount {
            values.append(.nan)
            lines.append(0)
        }
        return (current.slice, type)
    }

    private mutating func number(_ field: CSVScanner.Field, _ scanner: CSVScanner) -> Double? {
        switch DecimalNumber(scanner.bytes[field.range]) {
        case .finite(let value): return value
        case .notFinite:
            problems.add(.notFinite, line: scanner.line, "the label '\(scanner.text(field))' is not a finite number")
        case .empty:
            problems.add(.notFinite, line: scanner.line, "the label is empty; expected a number")
        case .malformed:
            problems.add(
                .malformedValue, line: scanner.line, "the label '\(scanner.text(field).prefix(40))' is not a number")
        }
        return nil
    }

    private mutating func noteRepetition(of row: Int, value: Double?, line: Int) {
        let (id, first) = (rowID(row), lines[row])
        if value == values[row] {
            identicalDuplicates += 1
            guard !duplicatesAllowed else { return }
            problems.add(.duplicate, line: line, "\(id) appears again; it is on line \(first) with the same value")
        } else if let value {
            let before = values[row].isNaN ? "an unusable value" : shortest(values[row])
            problems.add(
                .contradiction, line: line,
                "\(id) appears again with the value \(shortest(value)); line \(first) has \(before)")
        }
    }

    private mutating func checkCompleteness() {
        for slice in sliceIDs.indices {
            let range = slice * typeCount..<(slice + 1) * typeCount
            guard lines[range].contains(0) else { continue }
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

/// The names of the types as bytes, in file order.
private let typeNames = HemorrhageType.allCases.map { Array($0.rawValue.utf8) }

private func typeNumber(_ name: Slice<UnsafeRawBufferPointer>) -> Int? {
    typeNames.firstIndex { $0.count == name.count && name.elementsEqual($0) }
}

func isIDByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
    default: false
    }
}
