import Basics

/// The run as one self-contained HTML file, without scripts or anything loaded from elsewhere.
package struct HTMLReport {
    package let summary: RunSummary

    package var html: String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <title>\(escape(summary.recipe.name))</title>
        <style>
        body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }
        table { border-collapse: collapse; margin: 1rem 0; }
        th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
        th:first-child, td:first-child { text-align: left; }
        code { font: 13px ui-monospace, monospace; }
        .differs { background: #fdd; }
        .constant { color: #777; }
        </style>
        <h1>\(escape(summary.recipe.name))</h1>
        <p>\(escape(summary.recipe.summary)).</p>
        <h2>Scores</h2>
        <p>Log loss, lower is better; in grey, what predicting each type's frequency gets on the same slices.</p>
        \(scores)
        <h2>Stages</h2>
        \(stages)
        <h2>Made with</h2>
        \(provenance)
        <h2>Recipe</h2>
        <pre><code>\(escape((try? JSON.encode(summary.recipe)) ?? ""))</code></pre>
        </html>

        """
    }

    private var scores: String {
        let header = ["predictions", "fold", "slices", "overall"] + summary.scores.types
        let rows = summary.scores.lines.map { line in
            let cells = zip([line.overall] + line.perType, [line.constantOverall] + line.constantPerType).map {
                score, constant in
                "\(Numbers.fixed(score, 4)) <span class=\"constant\">\(Numbers.fixed(constant, 4))</span>"
            }
            let name = escape(line.set == .test ? "\(line.predictions), test" : line.predictions)
            return row([name, line.fold.map(String.init) ?? "all", "\(line.slices)"] + cells)
        }
        return table(header, rows)
    }

    private var stages: String {
        let rows = summary.stages.map { stage in
            row(
                [
                    escape(stage.name), "<code>\(stage.hash)</code>", stage.verdict.rawValue,
                    stage.seconds.map { Numbers.fixed($0, 1) } ?? "skipped",
                ], class: stage.verdict == .differs ? "differs" : nil)
        }
        return table(["stage", "SHA-256", "golden", "seconds"], rows)
    }

    private var provenance: String {
        let machine = summary.machine
        return table(
            ["what", ""],
            [
                row(["program", "repro \(escape(summary.program))"]),
                row(["arithmetic", escape(summary.math.rawValue)]),
                row(["threads", "\(summary.threads)"]),
                row(["processor", escape("\(machine.processor), \(machine.processors)")]),
                row(["memory", Numbers.bytes(machine.memoryBytes)]),
                row(["system", escape("\(machine.system), \(machine.kernel)")]),
            ])
    }

    private func table(_ header: [String], _ rows: [String]) -> String {
        let head = header.map { "<th>\(escape($0))</th>" }.joined()
        return "<table>\n<tr>\(head)</tr>\n\(rows.joined(separator: "\n"))\n</table>"
    }

    /// Cells are HTML already.
    private func row(_ cells: [String], class name: String? = nil) -> String {
        let open = name.map { "<tr class=\"\($0)\">" } ?? "<tr>"
        return open + cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }

    private func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
