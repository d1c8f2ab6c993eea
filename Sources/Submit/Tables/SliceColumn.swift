import Metrics

/// A text for each slice, from two columns of any CSV file: the patients of the catalog's export (`ID`, `PatientID`), or which part of
/// the test set a slice belongs to.
package struct SliceColumn: Sendable {
    /// The value of each slice.
    package let values: [String: String]

    /// Makes a column of values in memory.
    package init(_ values: [String: String]) { self.values = values }

    /// Reads the two columns of a CSV file; others are ignored.
    ///
    /// - Parameter column: The column's name beside `ID`.
    /// - Throws: ``TableError`` with every problem and its line, as of ``readSlices(_:of:name:value:refusal:)``; an empty value too.
    package init(_ column: String, parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        let found = try readSlices(Column(column), of: bytes, name: name) {
            $0.isEmpty ? nil : $0
        } refusal: { id, _ in
            "\(id) has no \(column)"
        }
        values = Dictionary(uniqueKeysWithValues: zip(found.ids, found.values))
    }

    /// Reads the two columns as ``init(_:parsing:name:)`` does; nil if the file has not both.
    package static func ifPresent(
        _ column: String, parsing bytes: some Collection<UInt8>, name: String
    ) throws(TableError) -> SliceColumn? {
        do throws(TableError) {
            return try SliceColumn(column, parsing: bytes, name: name)
        } catch  where error.problems.first?.kind == .header {
            return nil
        }
    }

    /// The values of these slices, in their order.
    ///
    /// - Throws: ``TableError`` that names slices without a value.
    package func values(for slices: [String], name: String) throws(TableError) -> [String] {
        let missing = slices.filter { values[$0] == nil }
        guard missing.isEmpty else {
            throw TableError(
                name: name, .missingSlice,
                "\(missing.count) \(missing.count == 1 ? "slice is" : "slices are") not listed: \(listing(missing))")
        }
        return slices.compactMap { values[$0] }
    }
}

/// Reads a value for each slice from two columns of any CSV file.
///
/// Slices are named by their IDs, by those of their rows (`ID_0002081b6_any`), which then have to agree for each slice, or by the
/// names of their files (`ID_0002081b6.dcm`).
///
/// - Parameters:
///   - value: The value of a field; nil if it is none.
///   - refusal: What is wrong with a field that is none.
/// - Returns: The slices in the order of their first rows, and their values.
/// - Throws: ``TableError`` with every problem and its line: a missing column, a field that is no value, a slice listed twice (or, by
///   rows, in contradiction).
func readSlices<Value: Equatable>(
    _ column: Column, of bytes: some Collection<UInt8>, name: String, value: (_ text: String) -> Value?,
    refusal: (_ id: String, _ text: String) -> String
) throws(TableError) -> (ids: [String], values: [Value]) {
    var problems = ProblemLog()
    var (ids, values, lines): ([String], [Value], [Int]) = ([], [], [])
    var numbers: [String: Int] = [:]
    readColumns([.slice, column], of: bytes, problems: &problems) { row, problems in
        let (name, text) = (row.text(0), row.text(1))
        guard let value = value(text) else {
            return problems.add(.malformedValue, line: row.line, refusal(name, text))
        }
        let (id, isRow) = slice(named: name)
        guard let number = numbers[id] else {
            numbers[id] = ids.count
            ids.append(id)
            values.append(value)
            lines.append(row.line)
            return
        }
        if values[number] != value {
            problems.add(
                .contradiction, line: row.line,
                "slice \(id) appears again with \(column.name) \(value); line \(lines[number]) has \(values[number])")
        } else if !isRow {
            problems.add(.duplicate, line: row.line, "slice \(id) appears again; it is on line \(lines[number])")
        }
    }
    if ids.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no rows follow the header") }
    problems.sortByLine()
    guard problems.isEmpty else { throw TableError(name: name, problems) }
    return (ids, values)
}

/// The slice that a field names, and whether it does so by one of its rows.
func slice(named name: String) -> (id: String, isRow: Bool) {
    // Most fields are IDs of slices as they are; the check by bytes is quick.
    let bytes = name.utf8
    if bytes.contains(UInt8(ascii: ".")) || bytes.contains(UInt8(ascii: "/")) || bytes.contains(UInt8(ascii: "\\")) {
        let file = name.split { $0 == "/" || $0 == "\\" }.last.map(String.init) ?? name
        let suffix = [".dcm", ".dicom", ".png", ".jpg", ".jpeg"].first { file.lowercased().hasSuffix($0) }
        if let suffix { return (String(file.dropLast(suffix.count)), false) }
    }
    guard let underscore = bytes.lastIndex(of: UInt8(ascii: "_")),
        HemorrhageType(rawValue: String(name[name.index(after: underscore)...])) != nil
    else { return (name, false) }
    return (String(name[..<underscore]), true)
}
