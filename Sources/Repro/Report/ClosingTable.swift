import Basics

/// What a run prints at its end: the stages with their hashes, then the scores.
package struct ClosingTable {
    package let summary: RunSummary

    package init(summary: RunSummary) {
        self.summary = summary
    }

    package var text: String { [stages, conclusion, scores].joined(separator: "\n\n") }

    /// Hashes are shown by their first 12 digits; `--json` and `run.json` have them whole.
    private var stages: String {
        var table = TextTable([
            ("stage", .left), ("hash", .left), ("golden", .left), ("same", .left), ("seconds", .right),
        ])
        for stage in summary.stages {
            let same: String =
                switch stage.verdict {
                case .same: "yes"
                case .differs: "NO"
                case .unknown: "-"
                case .notCompared: "not compared"
                }
            table.add(
                stage.name, short(stage.hash), stage.golden.map(short) ?? "-", same,
                stage.seconds.map { Numbers.fixed($0, 1) } ?? "skipped")
        }
        return table.text
    }

    private func short(_ hash: String) -> String { String(hash.prefix(12)) }

    package var conclusion: String {
        let skipped = summary.stages.count { $0.seconds == nil }
        var lines = ["\(summary.stages.count) stages: \(summary.stages.count - skipped) made, \(skipped) skipped."]
        let (same, differing) = (summary.count(.same), summary.count(.differs))
        if same + differing > 0 { lines.append("\(same) of \(same + differing) compared hashes are the golden ones.") }
        let trained = summary.count(.notCompared)
        if same + differing + trained == 0 { lines.append("No golden hash to compare with.") }
        if trained > 0 {
            lines.append(
                "\(trained) trained stages were not compared: with --math \(summary.math.rawValue) their bits depend on the library and the processor."
            )
        }
        if !summary.goldenWithoutStage.isEmpty {
            lines.append(
                "The golden file has stages that this run does not: \(summary.goldenWithoutStage.joined(separator: ", "))."
            )
        }
        return lines.joined(separator: "\n")
    }

    /// Each cell is the score, a slash, and what the best constant gets on the same slices.
    private var scores: String {
        let scores = summary.scores
        var table = TextTable(
            [("predictions", .left), ("fold", .right), ("slices", .right), ("overall", .right)]
                + scores.types.map { ($0, .right) })
        for line in scores.lines {
            let cells = zip(line.perType, line.constantPerType).map(pair)
            table.rows.append(
                [
                    line.set == .test ? "\(line.predictions), test" : line.predictions,
                    line.fold.map(String.init) ?? "all",
                    Numbers.count(line.slices), pair(line.overall, line.constantOverall),
                ] + cells)
        }
        return "Log loss, lower is better: score/that of constant frequencies on the same slices\n\(table.text)"
    }

    private func pair(_ score: Double, _ constant: Double) -> String {
        "\(Numbers.fixed(score, 4))/\(Numbers.fixed(constant, 4))"
    }
}
