/// Reads some columns of a CSV file by name, whatever other columns there are and in whatever order.
///
/// - Parameters:
///   - names: The columns that are needed.
///   - problems: Where a missing column, defective quoting and rows of another width are noted.
///   - row: Called for each sound row with the needed fields, in the order of `names`.
func readColumns(
    _ names: [String], of bytes: some Collection<UInt8>, problems: inout ProblemLog,
    row: (_ fields: [CSVScanner.Field], _ scanner: CSVScanner, _ problems: inout ProblemLog) -> Void
) {
    withBytes(of: bytes) { bytes in
        var scanner = CSVScanner(bytes)
        _ = scanner.next()
        let header = scanner.fields.map(scanner.text)
        let missing = names.filter { !header.contains($0) }
        guard missing.isEmpty else {
            guard !bytes.isEmpty else {
                return problems.add(.header, line: 1, "the file is empty; expected the columns \(listing(names))")
            }
            problems.add(
                .header, line: 1,
                "the header lacks the column\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))"
                    + " (it has \(listing(header.map { printable($0) }, first: 12)))")
            return
        }
        let columns = names.compactMap(header.firstIndex)
        while scanner.next() {
            if let defect = scanner.quotingDefect {
                problems.add(.malformedRow, line: scanner.line, defect)
            } else if scanner.fields.count != header.count {
                problems.add(
                    .malformedRow, line: scanner.line,
                    "expected \(header.count) columns as in the header, found \(scanner.fields.count)")
            } else {
                row(columns.map { scanner.fields[$0] }, scanner, &problems)
            }
        }
    }
}
