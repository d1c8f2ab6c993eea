import Metrics

/// What a run of lines of an `ID,Label` file holds, before it is known which slices other lines hold.
///
/// Chunks are parsed independently of each other, at the same time; ``TableReading`` joins them in the order of the file.
struct TableChunk: Sendable {
    /// The slice of each row: its number, if the index that was given has it, else the complement of its place in `newSlices`.
    fileprivate(set) var slices: [Int32] = []
    /// The type of each row, as its place in `HemorrhageType.allCases`.
    fileprivate(set) var types: [UInt8] = []
    /// The value of each row; NaN where it is unusable.
    fileprivate(set) var values: [Double] = []
    /// The slices that the index has not, once for each run of their rows.
    fileprivate(set) var newSlices: [(id: String, key: SliceKey)] = []
    /// The rows that do not stand on the line after the row before, with their lines, from 0 at the chunk's first.
    fileprivate var gaps: [(row: Int, line: Int)] = []
    /// What is wrong with single lines; these count from 0 at the chunk's first.
    fileprivate(set) var problems: ProblemLog
    fileprivate(set) var lineCount = 0

    /// Parses the lines that begin in a range of a file, which ends at a line's end.
    ///
    /// - Parameter known: Slices that have numbers already.
    init(linesIn range: Range<Int>, of bytes: UnsafeRawBufferPointer, known: SliceIndex, problems: ProblemLog) {
        self.problems = problems
        var parser = ChunkParser(range, of: bytes, known: known, into: self)
        parser.parse()
        self = parser.chunk
    }

    /// The line that a row stands on, from 0 at the chunk's first.
    func line(ofRow row: Int) -> Int {
        var (low, high) = (0, gaps.count)
        while low < high {
            let middle = (low + high) / 2
            if gaps[middle].row > row { high = middle } else { low = middle + 1 }
        }
        return low == 0 ? row : gaps[low - 1].line + row - gaps[low - 1].row
    }
}

/// Walks over the lines of a chunk: plain rows by their bytes, all others by way of ``CSVScanner``.
private struct ChunkParser {
    var chunk: TableChunk
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private var position: Int
    private var line = 0
    private var scanner: CSVScanner
    /// Where the slice ID of the row before stands, and its slice; rows of a slice nearly always follow each other.
    private var current = 0..<0
    private var currentSlice: Int32 = 0
    /// The line after the last row.
    private var nextRowLine = 0
    /// Slices that are still to be looked up, with the first of their consecutive rows.
    private var unresolved: [(id: Range<Int>, key: SliceKey, row: Int)] = []
    private var preloaded: UInt64 = 0
    private let numbers = PlainNumberReader()
    private let known: SliceIndex
    /// The known slice that comes next if the file has the index's order.
    private var expected = 0

    init(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer, known: SliceIndex, into chunk: TableChunk) {
        self.chunk = chunk
        self.known = known
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
        scanner = CSVScanner(linesOf: bytes, from: position, line: 0)
        // A row of Kaggle's files takes some 25 bytes or more.
        self.chunk.slices.reserveCapacity(range.count / 25)
        self.chunk.types.reserveCapacity(range.count / 25)
        self.chunk.values.reserveCapacity(range.count / 25)
    }

    mutating func parse() {
        while position < end {
            if takePlainRow() { continue }
            scanner.move(to: position, line: line)
            guard scanner.next() else { break }
            takeRow()
            position = scanner.position
            line = scanner.nextLine
        }
        resolve()
        chunk.lineCount = line
    }

    // MARK: Plain rows

    /// How far ahead a plain row may reach: its ID, type, number and line end.
    private static let longestID = 64
    private static let reach = longestID + 24 + PlainNumberReader.plainReach + 2

    /// Takes a row without quotes, spaces and faults; false, with nothing taken, if it may be another.
    private mutating func takePlainRow() -> Bool {
        guard position + Self.reach <= bytes.count, let base = bytes.baseAddress else { return false }
        let start = base + position
        let isCurrent = current.count <= Self.longestID && isSameID(start)
        var key: SliceKey?
        let idLength: Int
        if isCurrent && start.load(fromByteOffset: current.count, as: UInt8.self) == underscore {
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

        if !isCurrent || idLength != current.count { enter(position..<position + idLength, key) }
        append(type.number, value, line: line)
        position = next + 1 - base
        line += 1
        return true
    }

    /// Whether a row begins with the bytes of the current ID.
    @inline(__always)
    private func isSameID(_ start: UnsafeRawPointer) -> Bool {
        guard let base = bytes.baseAddress else { return false }
        let known = base + current.lowerBound
        var offset = 0
        while offset + 8 <= current.count {
            guard
                start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                    == known.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            else { return false }
            offset += 8
        }
        // The rest's eight bytes may reach beyond the ID; only those that belong to it are compared.
        let difference =
            start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            ^ known.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return difference << UInt64(64 - 8 * (current.count - offset)) == 0
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
    private func plainType(_ start: UnsafeRawPointer) -> (number: UInt8, length: Int)? {
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
        return (UInt8(number), length)
    }

    // MARK: Slices and rows

    /// Makes the slice whose ID stands here the current one.
    private mutating func enter(_ id: Range<Int>, _ key: SliceKey? = nil) {
        let text = UnsafeRawBufferPointer(rebasing: bytes[id])
        current = id
        if known.has(text, at: expected) && unresolved.isEmpty {
            currentSlice = Int32(expected)
            expected += 1
            return
        }
        let key = key ?? SliceKey(text)
        if known.ids.isEmpty {
            currentSlice = newSlice(text, key)
            return
        }
        unresolved.append((id, key, chunk.values.count))
        if unresolved.count == 256 { resolve() }
    }

    private mutating func newSlice(_ id: UnsafeRawBufferPointer, _ key: SliceKey) -> Int32 {
        chunk.newSlices.append((String(decoding: id, as: UTF8.self), key))
        return ~Int32(chunk.newSlices.count - 1)
    }

    /// Looks up the slices that were put off: many at once, since what takes long is waiting for memory.
    private mutating func resolve() {
        preloaded &+= known.preloaded(unresolved.lazy.map(\.key))
        for (place, (id, key, row)) in unresolved.enumerated() {
            let text = UnsafeRawBufferPointer(rebasing: bytes[id])
            if let number = known.number(of: text, key: key) {
                currentSlice = Int32(number)
                expected = number + 1
            } else {
                currentSlice = newSlice(text, key)
            }
            let end = place + 1 < unresolved.count ? unresolved[place + 1].row : chunk.values.count
            for row in row..<end { chunk.slices[row] = currentSlice }
        }
        unresolved.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private mutating func append(_ type: UInt8, _ value: Double, line: Int) {
        if line != nextRowLine { chunk.gaps.append((chunk.values.count, line)) }
        nextRowLine = line + 1
        chunk.slices.append(currentSlice)
        chunk.types.append(type)
        chunk.values.append(value)
    }

    // MARK: Other rows

    /// Takes the scanner's row, or notes what is wrong with it.
    private mutating func takeRow() {
        let rowLine = line
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
        let value = number(scanner.fields[1], line: rowLine)
        if !bytes[id].elementsEqual(bytes[current]) { enter(id) }
        append(UInt8(type), value ?? .nan, line: rowLine)
    }

    private mutating func refuse(_ kind: TableProblem.Kind, _ message: String) {
        chunk.problems.add(kind, line: line, message)
    }

    /// Where the slice's ID stands, and the type's number.
    private mutating func identify(_ field: CSVScanner.Field) -> (id: Range<Int>, type: Int)? {
        guard let underscore = bytes[field.range].lastIndex(of: underscore) else {
            chunk.problems.add(
                .malformedID, line: line,
                "'\(scanner.text(field))' is no row ID; expected the slice's ID, an underscore and a type, as in ID_0002081b6_any"
            )
            return nil
        }
        guard let type = typeNumber(bytes[underscore + 1..<field.end]) else {
            let names = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
            chunk.problems.add(
                .unknownType, line: line,
                "'\(scanner.text(field))' does not end in a known type; expected one of \(names)")
            return nil
        }
        let id = field.start..<underscore
        guard !id.isEmpty && bytes[id].allSatisfy(isIDByte) else {
            chunk.problems.add(
                .malformedID, line: line,
                "'\(scanner.text(field))' is no row ID; a slice's ID has letters, digits, '_', '-' and '.' only")
            return nil
        }
        return (id, type)
    }

    private mutating func number(_ field: CSVScanner.Field, line: Int) -> Double? {
        switch DecimalNumber(bytes[field.range]) {
        case .finite(let value): return value
        case .notFinite:
            chunk.problems.add(.notFinite, line: line, "the label '\(scanner.text(field))' is not a finite number")
        case .empty:
            chunk.problems.add(.notFinite, line: line, "the label is empty; expected a number")
        case .malformed:
            chunk.problems.add(
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
