/// The scores of a Kaggle leaderboard, as its CSV download gives them.
///
/// Two layouts are in use: `TeamId,TeamName,SubmissionDate,Score`, which lists a team once for every time it improved, and
/// `Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames`. Only `TeamId` and `Score` are read.
public struct Leaderboard: Sendable, Equatable {
    /// The best (lowest) score of each team, ascending.
    public let scores: [Double]

    /// Reads the two columns of either layout; others are ignored.
    ///
    /// - Throws: ``TableError`` with every problem and its line.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        var problems = ProblemLog()
        var best: [String: Double] = [:]
        readColumns(["TeamId", "Score"], of: bytes, problems: &problems) { fields, scanner, problems in
            guard case .finite(let score) = DecimalNumber(scanner.bytes[fields[1].range]) else {
                problems.add(
                    .malformedValue, line: scanner.line,
                    "the score '\(scanner.text(fields[1]).prefix(40))' is not a finite number")
                return
            }
            best[scanner.text(fields[0]), default: score] = min(best[scanner.text(fields[0])] ?? score, score)
        }
        if best.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no rows follow the header") }
        guard problems.isEmpty else { throw TableError(name: name, problems) }
        scores = best.values.sorted()
    }
}
