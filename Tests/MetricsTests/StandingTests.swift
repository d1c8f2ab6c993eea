import Testing

@testable import Metrics

@Suite("leaderboard standing")
struct StandingTests {
    /// The thresholds of kaggle.com/progression, percentages rounded down.
    @Test(
        "the last rank of each medal follows Kaggle's table",
        arguments: [
            (1345, [12, 67, 134]), (1000, [12, 50, 100]), (999, [11, 50, 100]), (250, [10, 50, 100]),
            (249, [10, 49, 99]),
            (100, [10, 20, 40]), (99, [9, 19, 39]), (5, [0, 1, 2]), (0, [0, 0, 0]),
        ])
    func medalLimits(teams: Int, limits: [Int]) {
        #expect(Medal.allCases.map { $0.lastRank(teams: teams) } == limits)
    }

    @Test("a score of this competition's size gets the rank, share and medal of its place")
    func standings() {
        let leaderboard = (1...1345).map { 0.04 + Double($0) * 0.0001 }
        let solution = Standing(of: leaderboard[57], among: leaderboard.reversed())
        #expect(solution.rank == 58)
        #expect(solution.teams == 1345)
        #expect(solution.topPercent == 100 * 58.0 / 1345)
        #expect(solution.medal == .silver)
        #expect(Standing(of: 0, among: leaderboard).medal == .gold)
        #expect(Standing(of: leaderboard[11], among: leaderboard).medal == .gold)
        #expect(Standing(of: leaderboard[12], among: leaderboard).medal == .silver)
        #expect(Standing(of: leaderboard[133], among: leaderboard).medal == .bronze)
        #expect(Standing(of: leaderboard[134], among: leaderboard).medal == nil)
    }

    @Test("an equal score gets the best of the tied ranks, the worst one more than there are teams")
    func tiesAndWorst() {
        #expect(Standing(of: 0.2, among: [0.1, 0.2, 0.2, 0.3]).rank == 2)
        let worst = Standing(of: 9, among: [0.1, 0.2, 0.2, 0.3])
        #expect(worst.rank == 5)
        #expect(worst.topPercent == 100)
        #expect(worst.medal == nil)
        #expect(Standing(of: 0.1, among: []).medal == nil)
    }
}
