/// A column that is looked for in a CSV file, by its name or, failing that, by how others call it.
struct Column {
    /// Its name in the kit's own files and in messages.
    let name: String
    /// Other names in lower case, without spaces and signs, the likelier first.
    private let others: [String]

    init(_ name: String, _ others: String...) {
        self.name = name
        self.others = others
    }

    /// The slices; tables of pictures list files too.
    static let slice = Column(
        "ID", "image", "imageid", "slice", "sliceid", "sopinstanceuid", "imagename", "filename", "file", "path")
    static let fold = Column("fold", "folds", "foldid", "kfold", "foldnumber", "cvfold")

    /// Its places in a header: one, if the header is clear; none, or several that could be meant alike.
    func places(in header: [String]) -> [Int] {
        let exact = header.indices.filter { header[$0] == name }
        guard exact.isEmpty else { return exact }
        let plain = header.map(Self.plain)
        for candidate in [Self.plain(name)] + others {
            let found = plain.indices.filter { plain[$0] == candidate }
            guard found.isEmpty else { return found }
        }
        return []
    }

    private static func plain(_ name: String) -> String { name.lowercased().filter { $0.isLetter || $0.isNumber } }
}

/// A sound row of a CSV file, of which some columns were asked for.
struct ColumnRow {
    let scanner: CSVScanner
    /// Where the needed columns are, in their order.
    fileprivate let needed: [Int]
    /// Where the optional columns are, nil for one that the file has not.
    fileprivate let optional: [Int?]

    var line: Int { scanner.line }

    /// The field of a needed column.
    func text(_ column: Int) -> String { scanner.text(scanner.fields[needed[column]]) }

    func number(_ column: Int) -> DecimalNumber {
        DecimalNumber(scanner.bytes[scanner.fields[needed[column]].range])
    }

    func optionalText(_ column: Int) -> String? { optional[column].map { scanner.text(scanner.fields[$0]) } }
}

/// Reads some columns of a CSV file by name, whatever other columns there are and in whatever order.
///
/// - Parameters:
///   - needed: The columns that are needed.
///   - optional: Columns that are read where they are.
///   - linesBefore: How many rows may stand before the header, as what a program says before it prints a table.
///   - problems: Where a missing column, defective quoting and rows of another width are noted.
///   - row: Called for each sound row.
func readColumns(
    _ needed: [Column], optional: [Column] = [], linesBefore: Int = 0, of bytes: some Collection<UInt8>,
    problems: inout ProblemLog, row: (_ row: ColumnRow, _ problems: inout ProblemLog) -> Void
) {
    withBytes(of: bytes) { bytes in
        guard let (text, defectiveLine) = utf8(ofUTF16: bytes) else {
            return readColumns(needed, optional, linesBefore, of: bytes, &problems, row)
        }
        if let defectiveLine { problems.addDamagedUTF16(line: defectiveLine) }
        text.withUnsafeBytes { readColumns(needed, optional, linesBefore, of: $0, &problems, row) }
    }
}

private func readColumns(
    _ needed: [Column], _ optional: [Column], _ linesBefore: Int, of bytes: UnsafeRawBufferPointer,
    _ problems: inout ProblemLog, _ row: (_ row: ColumnRow, _ problems: inout ProblemLog) -> Void
) {
    let first = CSVScanner(bytes)
    guard var scanner = scanner(atHeader: needed, in: first, linesBefore: linesBefore) else {
        return noteMissingColumns(needed, first, &problems)
    }
    let header = scanner.fields.map(scanner.text)
    var places: [Int?] = []
    for column in needed + optional {
        let found = column.places(in: header)
        guard found.count <= 1 else {
            let names = found.map { printable(header[$0]) }.joined(separator: ", ")
            return problems.add(
                .header, line: scanner.line,
                "several columns could be \(column.name): \(names). Name one of them \(column.name).")
        }
        places.append(found.first)
    }
    let neededPlaces = places.prefix(needed.count).compactMap { $0 }
    let optionalPlaces = Array(places.dropFirst(needed.count))
    while scanner.next() {
        if let defect = scanner.quotingDefect {
            problems.add(.malformedRow, line: scanner.line, defect)
        } else if scanner.fields.count != header.count {
            problems.add(
                .malformedRow, line: scanner.line,
                "expected \(header.count) columns as in the header, found \(scanner.fields.count)")
        } else {
            let found = ColumnRow(
                scanner: scanner, needed: neededPlaces, optional: optionalPlaces)
            row(found, &problems)
        }
    }
}

/// A scanner that has just read the header: the first row that has all columns.
private func scanner(atHeader needed: [Column], in first: CSVScanner, linesBefore: Int) -> CSVScanner? {
    var scanner = first
    for _ in 0...linesBefore where scanner.next() {
        let header = scanner.fields.map(scanner.text)
        if needed.allSatisfy({ !$0.places(in: header).isEmpty }) { return scanner }
    }
    return nil
}

private func noteMissingColumns(_ needed: [Column], _ first: CSVScanner, _ problems: inout ProblemLog) {
    var scanner = first
    guard scanner.next() else {
        let names = listing(needed.map(\.name))
        return problems.add(.header, line: 1, "the file is empty; expected the columns \(names)")
    }
    if let what = NoTable.found(in: scanner.bytes) { return problems.add(.header, what) }
    let header = scanner.fields.map(scanner.text)
    let missing = needed.filter { $0.places(in: header).isEmpty }.map(\.name)
    problems.add(
        .header, line: 1,
        "the header lacks the column\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))"
            + " (it has \(listing(header.map { printable($0) }, first: 12)))\(separatorAdvice(header))")
}

/// What to do if a header is one field because its names are separated by something else than commas.
func separatorAdvice(_ header: [String]) -> String {
    guard header.count == 1, let line = header.first else { return "" }
    for (separator, name) in [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")] where line.contains(separator) {
        return "; its columns are separated by \(name): write it with commas (and points in numbers)"
    }
    return ""
}
