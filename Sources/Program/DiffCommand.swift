import ArgumentParser
import Basics
import Inputs
import Metrics
import Repro
import Submit

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Tell how far and where two prediction files differ; exit code 1 if further than --tolerance.",
        discussion: """
            Rows are matched by ID, whatever their order and however numbers are spelled. Slices that only one file has are listed, and
            are beyond any tolerance.

            repro diff submission.csv golden.csv --tolerance 1e-6
            """)

    @Argument(help: "The first file: a CSV file ID,Label, or - for standard input.", completion: .file())
    var first: String

    @Argument(help: "The second file.", completion: .file())
    var second: String

    @Option(help: "The largest difference of a value that is allowed; without it, nothing fails.")
    var tolerance: Double?

    @Option(help: ArgumentHelp("How many of the rows that differ most to show.", valueName: "rows"))
    var worst = 10

    @Flag(help: "Print JSON for machines.")
    var json = false

    func validate() throws {
        if let tolerance, !(tolerance >= 0 && tolerance.isFinite) {
            throw ValidationError("--tolerance: a finite number from 0.")
        }
        guard worst >= 0 else { throw ValidationError("--worst: a number from 0.") }
    }

    func run() throws {
        try InputBytes.checkAtMostOneStandardInput([first, second])
        let a = try PredictionTable(parsing: InputBytes.read(first), name: InputBytes.name(first))
        let b = try PredictionTable(
            parsing: InputBytes.read(second), name: InputBytes.name(second), order: SliceIndex(a.sliceIDs))
        let found = TableDifference(a, b, worst: worst)
        Console.result(json ? try JSON.encode(found) : text(found))
        guard let tolerance else { return }
        let lonely = found.onlyInFirst.count + found.onlyInSecond.count
        guard lonely == 0 else {
            throw Failure(.checkFailed, "\(lonely) slices are in one of the files only.")
        }
        guard found.largest <= tolerance else {
            throw Failure(.checkFailed, "the files differ by up to \(found.largest), more than \(tolerance).")
        }
    }

    private func text(_ found: TableDifference) -> String {
        var table = TextTable([
            ("", .left), ("differing", .right), ("largest", .right), ("mean", .right), ("correlation", .right),
        ])
        for column in found.columns {
            table.add(
                column.type?.rawValue ?? "all", "\(column.differing)", "\(column.largest)", "\(column.mean)",
                column.correlation.map { Numbers.fixed($0, 9) } ?? "-")
        }
        var lines = ["\(found.commonSlices) slices in both files", table.text]
        for (name, slices) in [(first, found.onlyInFirst), (second, found.onlyInSecond)] where !slices.isEmpty {
            let more = slices.count > 5 ? ", ..." : ""
            lines.append(
                "only in \(InputBytes.name(name)): \(slices.count) slices: \(slices.prefix(5).joined(separator: ", "))\(more)"
            )
        }
        if !found.worst.isEmpty {
            var rows = TextTable([("worst rows", .left), ("first", .right), ("second", .right), ("difference", .right)])
            for row in found.worst { rows.add(row.id, "\(row.first)", "\(row.second)", "\(row.difference)") }
            lines.append(rows.text)
        }
        return lines.joined(separator: "\n")
    }
}
