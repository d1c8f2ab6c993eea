/// The scores of a Kaggle leaderboard, in any layout in which they are passed around.
///
/// Kaggle's site gives `TeamId,TeamName,SubmissionDate,Score`, which lists a team once for every time it improved, or
/// `Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames`; its command-line program
/// `teamId,teamName,submissionDate,score`, after a line or two of its own; mle-bench
/// `scoreNullable,teamId,hasTeamName,submissionDate,score,hasScore`. Only the team and the score are read.
public struct Leaderboard: Sendable, Equatable {
    /// The best (lowest) score of each team, ascending.
    public let scores: [Double]
    /// How many teams have no score; they are left out.
    public let teamsWithoutScore: Int

    /// Reads the columns of any layout; others are ignored.
    ///
    /// A team is what has the same `TeamId`; where that is missing, the same `TeamName`; and where both are, each row.
    ///
    /// - Throws: ``TableError`` with every problem and its line.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        var problems = ProblemLog()
        var best: [String: Double] = [:]
        var teams: Set<String> = []
        readColumns(
            [Column("Score")], optional: [Column("TeamId"), Column("TeamName", "team"), Column("hasScore")],
            linesBefore: 4,
            of: bytes, problems: &problems
        ) { row, problems in
            let team = (0...1).lazy.compactMap { row.optionalText($0) }.first { !$0.isEmpty } ?? "line \(row.line)"
            let text = row.text(0)
            let hasNone = row.optionalText(2)?.lowercased() == "false" || Self.noScores.contains(text.lowercased())
            if hasNone {
                teams.insert(team)
            } else if case .finite(let score) = row.number(0) {
                teams.insert(team)
                best[team] = min(best[team] ?? score, score)
            } else {
                problems.add(.malformedValue, line: row.line, "the score '\(text.prefix(40))' is not a finite number")
            }
        }
        if best.isEmpty && problems.isEmpty { problems.add(.malformedRow, line: 1, "no team has a score") }
        guard problems.isEmpty else { throw TableError(name: name, problems) }
        scores = best.values.sorted()
        teamsWithoutScore = teams.count - best.count
    }

    /// How Kaggle and data frames write that there is none.
    private static let noScores: Set = ["", "nan", "none", "null", "n/a", "na", "-", "--", "<na>"]
}
