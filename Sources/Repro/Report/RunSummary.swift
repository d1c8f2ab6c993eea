import Foundation
import Nets
import Submit

/// What a run came to: its stages beside the golden hashes, and its scores. The same value makes the table, `--json` and the report.
struct RunSummary: Sendable, Encodable {
    struct StageLine: Sendable, Encodable {
        let name: String
        let hash: String
        let golden: String?
        let verdict: GoldenVerdict
        /// nil if the stage was skipped.
        let seconds: Double?
    }

    let program: String
    let recipe: Recipe
    let math: Arithmetic
    let threads: Int
    let machine: Machine
    let work: String
    let stages: [StageLine]
    let scores: RunScores

    /// Golden stages that this run does not have: a golden file for another recipe, say.
    let goldenWithoutStage: [String]

    init(
        record: RunRecord, outcomes: [StageRunner.Outcome], golden: Golden?, arithmetic: Arithmetic, work: String,
        scores: RunScores
    ) {
        program = record.program
        recipe = record.recipe
        math = arithmetic
        threads = record.threads
        machine = record.machine
        self.work = work
        self.scores = scores
        stages = outcomes.map { outcome in
            StageLine(
                name: outcome.name, hash: outcome.hash, golden: golden?.stages[outcome.name],
                verdict: golden?.verdict(on: outcome, exactMath: arithmetic == .exact) ?? .unknown,
                seconds: outcome.seconds)
        }
        let known = Set(outcomes.map(\.name))
        goldenWithoutStage = (golden?.stages.keys.filter { !known.contains($0) } ?? []).sorted()
    }

    /// Whether no stage differs from what it must be.
    var agreesWithGolden: Bool { goldenWithoutStage.isEmpty && stages.allSatisfy { $0.verdict != .differs } }

    func count(_ verdict: GoldenVerdict) -> Int { stages.count { $0.verdict == verdict } }
}
