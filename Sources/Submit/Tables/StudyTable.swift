import Basics

/// The slices of each study in order, from any CSV file with the columns `ID`, `StudyInstanceUID` and `PositionOrd` (or another
/// number that grows along the study).
public struct StudyTable: Sendable {
    /// Studies in ascending order of UID; slices by position, those of one position by ID.
    public let studies: [[String]]

    /// Reads the three columns of a CSV file; others are ignored.
    ///
    /// - Throws: ``TableError`` with every problem and its line.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        var problems = ProblemLog()
        var slices: [(id: String, study: String, position: Double)] = []
        let columns: [Column] = [
            .slice, Column("StudyInstanceUID", "studyuid", "studyid", "study"), Column("PositionOrd"),
        ]
        readColumns(columns, of: bytes, problems: &problems) { row, problems in
            guard case .finite(let position) = row.number(2) else {
                return problems.add(
                    .malformedValue, line: row.line, "the position '\(row.text(2).prefix(40))' is not a finite number")
            }
            slices.append((slice(named: row.text(0)).id, row.text(1), position))
        }
        if slices.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no rows follow the header") }
        guard problems.isEmpty else { throw TableError(name: name, problems) }
        self.init(slices)
    }

    /// Groups slices by study and sorts them by position.
    public init(_ slices: [(id: String, study: String, position: Double)]) {
        studies = Dictionary(grouping: slices, by: \.study).sorted { $0.key < $1.key }.map { _, members in
            members.sorted { ($0.position, $0.id) < ($1.position, $1.id) }.map(\.id)
        }
    }
}
