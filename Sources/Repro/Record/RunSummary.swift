import Basics
import Foundation
import Nets
import Submit

/// What a run came to: its stages beside the golden hashes, and its scores. The same value makes the table, `--json` and the report.
package struct RunSummary: Sendable, Encodable {
    package struct StageLine: Sendable, Encodable {
        package let name: String
        package let hash: String
        package let golden: String?
        package let verdict: GoldenVerdict
        /// nil if the stage was skipped.
        package let seconds: Double?
    }

    package let program: String
    package let recipe: Recipe
    package let math: Arithmetic
    package let threads: Int
    package let machine: Machine
    package let work: String
    package let stages: [StageLine]
    package let scores: RunScores

    /// Golden stages that this run does not have: a golden file for another recipe, say.
    package let goldenWithoutStage: [String]

    package init(
        record: RunRecord, outcomes: [StageOutcome], golden: Golden?, arithmetic: Arithmetic, work: String,
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
    package var agreesWithGolden: Bool { goldenWithoutStage.isEmpty && stages.allSatisfy { $0.verdict != .differs } }

    package func count(_ verdict: GoldenVerdict) -> Int { stages.count { $0.verdict == verdict } }
}
