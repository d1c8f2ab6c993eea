import Metrics

/// A row of an `ID,Label` file.
struct TableRow {
    /// NaN where it is unusable.
    var value: Double
    /// From 0 at the parser's first line.
    var line: Int
    /// The slice's number in the index that the parser was given, or the complement of its place in ``RowParser/newSlices``.
    var slice: Int32
    /// The type's place in `HemorrhageType.allCases`.
    var type: Int32
}

/// A slice that is not in an index yet, and where its ID stands in the file.
struct NewSlice: Sendable {
    let key: SliceKey
    let id: Range<Int>
}

/// Walks over some lines of an `ID,Label` file, a batch of rows at a time: plain rows by their bytes, all others by way of ``CSVScanner``.
///
/// Parsers of different lines work independently of each other, at the same time; ``TableReading`` joins what they find.
struct RowParser {
    /// How many rows are read at a time: enough for looking their slices up all at once, and few enough for the processor's first cache.
    static let batchSize = 512

    /// The slices that the index has not, once for each run of their rows.
    private(set) var newSlices: [NewSlice] = []
    /// What is wrong with single lines; these count from 0 at the first.
    private(set) var problems: ProblemLog
    /// How many lines have been read.
    private(set) var line = 0

    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private var position: Int
    private var scanner: CSVScanner
    private let numbers = PlainNumberReader()
    private let known: SliceIndex
    /// Where the slice ID of the row before stands, and its slice; rows of a slice nearly always follow each other.
    private var current = 0..<0
    private var currentSlice: Int32 = 0
    /// The known slice that comes next if the file has the index's order.
    private var expected = 0
    /// The slices of this batch that are still to be looked up, with the first of their consecutive rows.
    private var unresolved: [(key: SliceKey, id: Range<Int>, row: Int)] = []
    /// What ``SliceIndex/preloaded(_:)`` gives.
    private(set) var preloaded: UInt64 = 0
    /// The rows of this batch.
    private var count = 0

    /// - Parameters:
    ///   - range: Where the lines begin; it ends at a line's end.
    ///   - known: Slices that have numbers already.
    init(linesIn range: Range<Int>, of bytes: UnsafeRawBufferPointer, known: SliceIndex, problems: ProblemLog) {
        self.bytes = bytes
        self.known = known
        self.problems = problems
        position = range.lowerBound
        end = range.upperBound
        scanner = CSVScanner(linesOf: bytes, from: position, line: 0)
        unresolved.reserveCapacity(Self.batchSize)
    }

    /// Reads the following rows, at most as many as there is room for.
    ///
    /// - Returns: How many; 0 at the end.
    mutating func next(into rows: UnsafeMutableBufferPointer<TableRow>) -> Int {
        count = 0
        while position < end && count < rows.count {
            if takePlainRow(rows) { continue }
            scanner.move(to: position, line: line)
            guard scanner.next() else {
                position = end
                break
            }
            takeRow(rows)
            position = scanner.position
            line = scanner.nextLine
        }
        resolve(rows)
        return count
    }

    // MARK: Plain rows

    /// How far ahead a plain row may reach: its ID, type, number and line end.
    private static let longestID = 64
    private static let reach = longestID + 24 + PlainNumberReader.plainReach + 2

    /// Takes a row without quotes, spaces and faults; false, with nothing taken, if it may be another.
    @inline(__always)
    private mutating func takePlainRow(_ rows: UnsafeMutableBufferPointer<TableRow>) -> Bool {
        guard position + Self.reach <= bytes.count, let base = bytes.baseAddress else { return false }
        let start = base + position
        let isCurrent = isSameID(start) && start.load(fromByteOffset: current.count, as: UInt8.self) == underscore
        var key: SliceKey?
        let idLength: Int
        if isCurrent {
            idLength = current.count
        } else if start.load(fromByteOffset: 12, as: UInt8.self) == underscore, let exact = SliceKey(exactly: start) {
            (idLength, key) = (12, exact)
        } else if let length = plainIDLength(start) {
            idLength = length
        } else {
            return false
        }
        let name = start + idLength + 1
        guard let type = plainType(name) else { return false }
        guard let (value, valueEnd) = numbers.plain(at: name + type.length + 1) else { return false }
        var next = valueEnd
        if next.load(as: UInt8.self) == Byte.return { next += 1 }
        guard next.load(as: UInt8.self) == Byte.newline else { return false }

        if !isCurrent { enter(position..<position + idLength, key) }
        append(type.number, value, to: rows)
        position = next + 1 - base
        line += 1
        return true
    }

    /// Whether a row begins with the bytes of the current ID.
    @inline(__always)
    private func isSameID(_ start: UnsafeRawPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        let known = base + current.lowerBound
        if current.count == 12 {
            return start.loadUnaligned(as: UInt64.self) == known.loadUnaligned(as: UInt64.self)
                && start.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
                    == known.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        }
        guard 1...Self.longestID ~= current.count else { return false }
        return (0..<current.count).allSatisfy {
            start.load(fromByteOffset: $0, as: UInt8.self) == known.load(fromByteOffset: $0, as: UInt8.self)
        }
    }

    /// The length of the slice's ID, which ends before the last underscore of the field.
    private func plainIDLength(_ start: UnsafeRawPointer) -> Int? {
        var length = 0
        for offset in 0...Self.longestID {
            let byte = start.load(fromByteOffset: offset, as: UInt8.self)
            if byte == Byte.comma { return length > 0 ? length : nil }
            guard isIDByte(byte) else { return nil }
            if byte == underscore { length = offset }
        }
        return nil
    }

    /// The type whose name, with a comma after it, stands here.
    @inline(__always)
    private func plainType(_ start: UnsafeRawPointer) -> (number: Int, length: Int)? {
        let first = start.loadUnaligned(as: UInt64.self)
        let second = start.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        // Without branches, since the order of types may be any.
        var number: UInt64 = 6
        number = first == word("epidural") ? 0 : number
        number = (first ^ word("intrapar")) | (second ^ word("enchymal")) == 0 ? 1 : number
        number = (first ^ word("intraven")) | (second ^ word("tricular")) == 0 ? 2 : number
        number = (first ^ word("subarach")) | ((second ^ word("noid\0\0\0\0")) & 0xFFFF_FFFF) == 0 ? 3 : number
        number = first == word("subdural") ? 4 : number
        number = (first ^ word("any\0\0\0\0\0")) & 0xFF_FFFF == 0 ? 5 : number
        // The names' lengths, a byte each, and 0 for none of them.
        let lengths: UInt64 = 0x00_03_08_0C_10_10_08
        let length = Int(lengths >> (8 * number) & 0xFF)
        guard length > 0, start.load(fromByteOffset: length, as: UInt8.self) == Byte.comma else { return nil }
        return (Int(truncatingIfNeeded: number), length)
    }

    // MARK: Slices and rows

    /// Makes the slice whose ID stands here the current one.
    @inline(__always)
    private mutating func enter(_ id: Range<Int>, _ exact: SliceKey? = nil) {
        current = id
        let key = exact ?? SliceKey(UnsafeRawBufferPointer(rebasing: bytes[id]))
        if known.isExactly(key, at: expected) && unresolved.isEmpty {
            currentSlice = Int32(expected)
            expected += 1
        } else if known.ids.isEmpty {
            currentSlice = newSlice(id, key)
        } else {
            unresolved.append((key, id, count))
        }
    }

    private mutating func newSlice(_ id: Range<Int>, _ key: SliceKey) -> Int32 {
        newSlices.append(NewSlice(key: key, id: id))
        return ~Int32(newSlices.count - 1)
    }

    /// Looks up the slices that were put off: many at once, since what takes long is waiting for memory.
    private mutating func resolve(_ rows: UnsafeMutableBufferPointer<TableRow>) {
        guard !unresolved.isEmpty else { return }
        preloaded &+= known.preloaded(unresolved.lazy.map { $0.key })
        for (place, (key, id, row)) in unresolved.enumerated() {
            if let number = known.number(of: UnsafeRawBufferPointer(rebasing: bytes[id]), key: key) {
                currentSlice = Int32(number)
                expected = number + 1
            } else {
                currentSlice = newSlice(id, key)
            }
            let end = place + 1 < unresolved.count ? unresolved[place + 1].row : count
            for row in row..<end { rows[row].slice = currentSlice }
        }
        unresolved.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private mutating func append(
        _ type: Int, _ value: Double, to rows: UnsafeMutableBufferPointer<TableRow>
    ) {
        rows[count] = TableRow(value: value, line: line, slice: currentSlice, type: Int32(truncatingIfNeeded: type))
        count += 1
    }

    // MARK: Other rows

    /// Takes the scanner's row, or notes what is wrong with it.
    private mutating func takeRow(_ rows: UnsafeMutableBufferPointer<TableRow>) {
        if let defect = scanner.quotingDefect {
            return refuse(.malformedRow, "\(defect); expected ID,Label")
        }
        guard scanner.fields.count == 2 else {
            let isBlank = scanner.fields.count == 1 && scanner.fields[0].range.isEmpty
            return refuse(
                .malformedRow,
                isBlank ? "the line is blank" : "expected two columns, ID,Label, found \(scanner.fields.count)")
        }
        guard let (id, type) = identify(scanner.fields[0]) else { return }
        let value = number(scanner.fields[1])
        if !bytes[id].elementsEqual(bytes[current]) { enter(id) }
        append(type, value ?? .nan, to: rows)
    }

    private mutating func refuse(_ kind: TableProblem.Kind, _ message: String) {
        problems.add(kind, line: line, message)
    }

    /// Where the slice's ID stands, and the type's number.
    private mutating func identify(_ field: CSVScanner.Field) -> (id: Range<Int>, type: Int)? {
        guard let underscore = bytes[field.range].lastIndex(of: underscore) else {
            problems.add(
                .malformedID, line: line,
                "'\(scanner.text(field))' is no row ID; expected the slice's ID, an underscore and a type, as in ID_0002081b6_any"
            )
            return nil
        }
        guard let type = typeNumber(bytes[underscore + 1..<field.end]) else {
            let names = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
            problems.add(
                .unknownType, line: line,
                "'\(scanner.text(field))' does not end in a known type; expected one of \(names)")
            return nil
        }
        let id = field.start..<underscore
        guard !id.isEmpty && bytes[id].allSatisfy(isIDByte) else {
            problems.add(
                .malformedID, line: line,
                "'\(scanner.text(field))' is no row ID; a slice's ID has letters, digits, '_', '-' and '.' only")
            return nil
        }
        return (id, type)
    }

    private mutating func number(_ field: CSVScanner.Field) -> Double? {
        switch DecimalNumber(bytes[field.range]) {
        case .finite(let value): return value
        case .notFinite:
            problems.add(.notFinite, line: line, "the label '\(scanner.text(field))' is not a finite number")
        case .empty:
            problems.add(.notFinite, line: line, "the label is empty; expected a number")
        case .malformed:
            problems.add(
                .malformedValue, line: line, "the label '\(scanner.text(field).prefix(40))' is not a number")
        }
        return nil
    }
}

private let underscore = UInt8(ascii: "_")

/// Eight characters as they are loaded from memory.
@inline(__always)
private func word(_ text: StaticString) -> UInt64 {
    UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt64.self)
}

/// The names of the types as bytes, in file order.
private let typeNames = HemorrhageType.allCases.map { Array($0.rawValue.utf8) }

private func typeNumber(_ name: Slice<UnsafeRawBufferPointer>) -> Int? {
    typeNames.firstIndex { $0.count == name.count && name.elementsEqual($0) }
}

/// Whether a slice's ID may hold this byte: letters, digits, `_`, `-` and `.`.
@inline(__always)
func isIDByte(_ byte: UInt8) -> Bool {
    // A bit for each byte from 0 to 63 (- . and digits) and from 64 to 127 (letters and _).
    let allowed: UInt64 = byte < 64 ? 0x03FF_6000_0000_0000 : 0x07FF_FFFE_87FF_FFFE
    return byte < 128 && allowed >> UInt64(byte & 63) & 1 == 1
}
