/// The fold of each slice, from any CSV file with the columns `ID` and `fold`, such as the catalog's export.
public struct FoldTable: Sendable, Equatable {
    /// The slices in the order of the file; each occurs once.
    public let sliceIDs: [String]
    /// The fold of each slice, from 0.
    public let folds: [Int]

    /// Reads the two columns of a CSV file; others are ignored.
    ///
    /// - Throws: ``TableError`` with every problem and its line: a missing column, a fold that is no number, a slice listed twice.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        var problems = ProblemLog()
        var sliceIDs: [String] = []
        var folds: [Int] = []
        var linesByID: [String: Int] = [:]
        readColumns(["ID", "fold"], of: bytes, problems: &problems) { fields, scanner, problems in
            let id = scanner.text(fields[0])
            let text = scanner.text(fields[1])
            guard let fold = Int(text), fold >= 0 else {
                problems.add(
                    .malformedValue, line: scanner.line,
                    "the fold '\(text.prefix(40))' of \(id) is not a whole number from 0")
                return
            }
            if let first = linesByID.updateValue(scanner.line, forKey: id) {
                problems.add(.duplicate, line: scanner.line, "slice \(id) appears again; it is on line \(first)")
                return
            }
            sliceIDs.append(id)
            folds.append(fold)
        }
        if sliceIDs.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no rows follow the header") }
        problems.sortByLine()
        guard problems.isEmpty else { throw TableError(name: name, problems) }
        self.sliceIDs = sliceIDs
        self.folds = folds
    }
}
