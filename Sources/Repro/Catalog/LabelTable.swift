import Foundation
import Metrics

/// The rows of `stage_N_train.csv` or of a sample submission, grouped by slice.
///
/// Slices are in the order of their first row. A slice's labels are its types with Label 1, in the order of the rows; a slice that
/// is listed twice has its labels twice, as in the original's `group_id_by_label`.
struct LabelTable: Sendable, Equatable {
    /// What the column Label may hold.
    enum Values: Sendable {
        /// 0 or 1: the truth.
        case binary
        /// Any number: a sample submission, whose 0.5 means no label.
        case numbers
    }

    private(set) var sliceIDs: [String] = []
    /// One list a slice.
    private(set) var labels: [[HemorrhageType]] = []
    /// Slices whose rows are there more than once, in the order of their first row.
    private(set) var repeatedSlices: [String] = []

    /// Parses a CSV with the header `ID,Label` and rows `ID_<hex>_<type>,<value>`.
    ///
    /// - Parameter name: the file's name, for messages.
    /// - Throws: ``Failure`` with status `badInput` that names the line: a malformed row, an unknown type, a label that is not
    ///   allowed, a repeated row with another label, a slice without one of the six types.
    init(parsing bytes: [UInt8], name: String, values: Values) throws {
        var isRead = false
        try self.init(name: name, values: values) { _ in
            defer { isRead = true }
            return isRead ? [] : bytes
        }
    }

    /// - Parameter next: gives the following bytes, about as many as it is asked for; none at the end.
    private init(name: String, values: Values, next: (Int) throws -> [UInt8]) throws {
        var parser = LabelParser(name: name, values: values)
        var number = 0
        func take(_ line: ArraySlice<UInt8>) throws {
            number += 1
            let row = line.last == 13 ? line.dropLast() : line
            if !row.isEmpty { try parser.take(row, line: number) }
        }
        // The start of a line whose end is in the next piece.
        var start: [UInt8] = []
        while case let piece = try next(1 << 20), !piece.isEmpty {
            let bytes = start.isEmpty ? piece : start + piece
            var rest = bytes[...]
            while let end = rest.firstIndex(of: 10) {
                try take(rest[..<end])
                rest = rest[(end + 1)...]
            }
            start = Array(rest)
        }
        if !start.isEmpty { try take(start[...]) }
        try parser.finish()
        sliceIDs = parser.sliceIDs
        labels = parser.labels
        repeatedSlices = parser.repeatedSlices
    }

    static func read(_ path: String, values: Values) throws -> LabelTable {
        guard let file = try? FileRegion(path: path) else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that the label file is there and readable.")
        }
        var place = 0
        return try LabelTable(name: path, values: values) { count in
            let bytes = try file.bytes(at: place, count: count)
            place += bytes.count
            return bytes
        }
    }
}

/// Reads one label row after the other; keeps what it needs to notice contradictions.
private struct LabelParser {
    let name: String
    let values: LabelTable.Values

    private(set) var sliceIDs: [String] = []
    private(set) var labels: [[HemorrhageType]] = []
    private(set) var repeatedSlices: [String] = []

    private static let typeCount = HemorrhageType.allCases.count
    private static let types = HemorrhageType.allCases.map { Array($0.rawValue.utf8) }

    /// The value of a row and the line where it was first given; line 0 if it has not been.
    private struct Seen {
        var value: Float = 0
        var line: UInt32 = 0
    }

    private var indices: [String: Int] = [:]
    /// Six a slice.
    private var seen: [Seen] = []
    private var isRepeated: [Bool] = []
    private var hasHeader = false

    init(name: String, values: LabelTable.Values) {
        self.name = name
        self.values = values
    }

    mutating func take(_ row: ArraySlice<UInt8>, line: Int) throws {
        guard hasHeader else {
            hasHeader = true
            if row.elementsEqual("ID,Label".utf8) { return }
            throw problem(line, row, "expected the header ID,Label. Give the competition's label file.")
        }
        let fields = row.split(separator: 44, omittingEmptySubsequences: false)
        let parts = fields[0].split(separator: 95, omittingEmptySubsequences: false)
        // An ID becomes a file name: letters and digits only.
        guard fields.count == 2, parts.count == 3,
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isLetterOrDigit) })
        else {
            throw problem(line, row, "expected ID_<9 hexadecimal digits>_<type>,<label>.")
        }
        guard let type = Self.types.firstIndex(where: { $0.elementsEqual(parts[2]) }) else {
            let known = HemorrhageType.allCases.map(\.rawValue).joined(separator: ", ")
            throw problem(line, row, "unknown type '\(text(parts[2]))'; expected one of \(known).")
        }
        let value = try label(fields[1], line: line, row: row)
        let slice = index(of: text(fields[0].dropLast(parts[2].count + 1)))
        try note(value, slice: slice, type: type, line: line, row: row)
        if value == 1 { labels[slice].append(HemorrhageType.allCases[type]) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }

    private func label(_ field: ArraySlice<UInt8>, line: Int, row: ArraySlice<UInt8>) throws -> Double {
        switch values {
        case .binary:
            if field.count == 1, let digit = field.first, digit == 48 || digit == 49 { return Double(digit - 48) }
            throw problem(line, row, "the label '\(text(field))' is neither 0 nor 1.")
        case .numbers:
            if let value = Double(text(field)), value.isFinite { return value }
            throw problem(line, row, "the label '\(text(field))' is no number.")
        }
    }

    private mutating func index(of sliceID: String) -> Int {
        if let index = indices[sliceID] { return index }
        let index = sliceIDs.count
        indices[sliceID] = index
        sliceIDs.append(sliceID)
        labels.append([])
        isRepeated.append(false)
        seen.append(contentsOf: repeatElement(Seen(), count: Self.typeCount))
        return index
    }

    private mutating func note(_ value: Double, slice: Int, type: Int, line: Int, row: ArraySlice<UInt8>) throws {
        let value = Float(value)
        let place = slice * Self.typeCount + type
        let before = seen[place]
        guard before.line > 0 else {
            seen[place] = Seen(value: value, line: UInt32(clamping: line))
            return
        }
        guard before.value == value else {
            throw problem(
                line, row,
                "contradicts line \(before.line), which gives this ID another label. Remove the wrong one of the two.")
        }
        isRepeated[slice] = true
    }

    mutating func finish() throws {
        guard hasHeader else {
            throw Failure(.badInput, "\(name): empty; expected the header ID,Label and one row per slice and type.")
        }
        if let place = seen.firstIndex(where: { $0.line == 0 }) {
            let type = HemorrhageType.allCases[place % Self.typeCount].rawValue
            let slice = place / Self.typeCount
            let line = seen[(slice * Self.typeCount)..<((slice + 1) * Self.typeCount)].map(\.line).max() ?? 0
            throw Failure(
                .badInput,
                "\(name), line \(line): \(sliceIDs[slice]) has no row for \(type); every slice needs all six types. Is the file cut off?"
            )
        }
        repeatedSlices = zip(sliceIDs, isRepeated).filter(\.1).map(\.0)
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private func problem(_ line: Int, _ row: ArraySlice<UInt8>, _ what: String) -> Failure {
        Failure(.badInput, "\(name), line \(line), '\(text(row.prefix(80)))': \(what)")
    }
}
