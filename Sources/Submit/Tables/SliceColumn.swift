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
    /// - Parameters:
    ///   - column: The column's name beside `ID`.
    ///   - acceptsRows: Whether IDs may be those of rows (`ID_0002081b6_any`), which then have to agree for each slice.
    /// - Throws: ``TableError`` with every problem and its line: a missing column, an empty value, a slice listed twice (or, with rows,
    ///   in contradiction).
    package init(
        _ column: String, parsing bytes: some Collection<UInt8>, name: String, acceptsRows: Bool = false
    ) throws(TableError) {
        var problems = ProblemLog()
        var values: [String: String] = [:]
        var lines: [String: Int] = [:]
        readColumns(["ID", column], of: bytes, problems: &problems) { fields, scanner, problems in
            let (text, value) = (scanner.text(fields[0]), scanner.text(fields[1]))
            let row = acceptsRows ? Self.slice(ofRow: text) : nil
            let id = row ?? text
            if value.isEmpty {
                problems.add(.malformedValue, line: scanner.line, "\(text) has no \(column)")
            } else if let before = values[id], row == nil || before != value {
                problems.add(
                    .contradiction, line: scanner.line,
                    "slice \(id) appears again with \(column) \(value); line \(lines[id] ?? 0) has \(before)")
            } else {
                values[id] = value
                lines[id] = lines[id] ?? scanner.line
            }
        }
        if values.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no rows follow the header") }
        problems.sortByLine()
        guard problems.isEmpty else { throw TableError(name: name, problems) }
        self.values = values
    }

    /// The slice of a row's ID; nil if it does not end in a type.
    private static func slice(ofRow id: String) -> String? {
        guard let underscore = id.lastIndex(of: "_"),
            HemorrhageType(rawValue: String(id[id.index(after: underscore)...])) != nil
        else { return nil }
        return String(id[..<underscore])
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
