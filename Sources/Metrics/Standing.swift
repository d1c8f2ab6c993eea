/// A medal of a Kaggle competition.
public enum Medal: String, CaseIterable, Sendable, Codable {
    case gold, silver, bronze

    /// The last rank that gets this medal.
    ///
    /// Kaggle's rule (kaggle.com/progression): up to 99 teams the best 10, 20 and 40 %; up to 249 the best 10 teams, 20 and 40 %;
    /// up to 999 the best 10 + 0.2 %, 50 and 100 teams; above, the best 10 + 0.2 %, 5 % and 10 %. Fractions of a team are
    /// dropped: with this competition's 1,345 teams the limits are 12, 67 and 134.
    func lastRank(teams: Int) -> Int {
        switch (self, teams) {
        case (.gold, ..<100): teams / 10
        case (.gold, ..<250): 10
        case (.gold, _): 10 + teams / 500
        case (.silver, ..<250): teams / 5
        case (.silver, ..<1000): 50
        case (.silver, _): teams / 20
        case (.bronze, ..<250): teams * 2 / 5
        case (.bronze, ..<1000): 100
        case (.bronze, _): teams / 10
        }
    }
}

/// Where a score would have stood on a leaderboard on which lower is better.
public struct Standing: Sendable, Equatable, Codable {
    /// 1 for the best: one more than the number of teams that are strictly better.
    ///
    /// Kaggle breaks ties by the date of the submission; an equal score gets the best of the tied ranks here.
    public let rank: Int
    /// How many teams the leaderboard has.
    public let teams: Int
    /// The rank as a share of the teams, in percent, at most 100: "top 4.3 %".
    public let topPercent: Double
    /// The medal that the rank is worth; nil without one.
    public let medal: Medal?

    /// Ranks a score.
    ///
    /// - Parameter leaderboard: One score for each team, in any order; an empty one makes every score the first of 0 teams.
    public init(of score: Double, among leaderboard: [Double]) {
        rank = leaderboard.count { $0 < score } + 1
        teams = leaderboard.count
        topPercent = teams == 0 ? 100 : min(100, 100 * Double(rank) / Double(teams))
        let (rank, teams) = (rank, teams)
        medal = Medal.allCases.first { rank <= $0.lastRank(teams: teams) }
    }
}
