import ArgumentParser
import Foundation
import Submit

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Check a submission against the sample, and its hash against a golden one; exit code 1 if a check fails.",
        discussion: """
            Every problem is found in one pass and reported with its line. The hash is that of the table's content: it depends
            neither on the order of the rows nor on how numbers are spelled.

            repro verify submission.csv --sample stage_2_sample_submission.csv --golden golden/demo.json
            """)

    @Argument(help: "The submission: a CSV file ID,Label, or - for standard input.")
    var submission: String

    @Option(help: ArgumentHelp("The sample submission, whose slices have to be there.", valueName: "csv"))
    var sample: String

    @Option(
        help: ArgumentHelp(
            "The SHA-256 that the content must have, or a golden file with the hash of the stage 'submission'.",
            valueName: "file or hash"))
    var golden: String?

    @Flag(help: "List every problem; without it, the first 20 of each kind.")
    var all = false

    @Flag(help: "Print JSON for machines, with every problem.")
    var json = false

    func run() throws {
        let report = try makeReport()
        Console.result(json ? try JSON.encode(report) : report.text)
        let failed = report.checks.filter { !$0.isPassed }.count
        guard failed == 0 else {
            throw Failure(.checkFailed, "\(report.submission): \(failed) of \(report.checks.count) checks failed.")
        }
    }

    func makeReport() throws -> VerifyReport {
        try InputBytes.checkAtMostOneStandardInput([submission, sample])
        let expected = try golden.map(goldenHash)
        let sample = try PredictionTable(parsing: InputBytes.read(sample), name: InputBytes.name(sample))
        let kept = all || json ? Int.max : TableError.shownProblems
        return VerifyReport(
            submission: InputBytes.name(submission),
            verify(try InputBytes.read(submission), sample: sample, keeping: kept),
            golden: expected)
    }

    /// The hash that `--golden` asks for: given itself, or as a golden file's stage "submission".
    private func goldenHash(_ argument: String) throws -> String {
        if isSHA256(argument.lowercased()) { return argument.lowercased() }
        let golden: Golden
        do {
            golden = try Golden(parsing: InputBytes.read(argument), name: argument)
        } catch let failure as Failure where failure.status == .inputMissing {
            throw Failure(
                .inputMissing, "--golden: '\(argument)' is neither a SHA-256 of 64 hexadecimal digits nor a file.")
        }
        guard let hash = golden.stages["submission"] else {
            let stages = golden.stages.keys.sorted().joined(separator: ", ")
            throw Failure(.badInput, "\(argument): has no hash for the stage 'submission', only for: \(stages).")
        }
        return hash
    }
}

/// What `repro verify` found, as its JSON has it.
struct VerifyReport: Encodable {
    struct Check: Encodable {
        let name: String
        let problems: Int
        var isPassed: Bool { problems == 0 }
    }

    let submission: String
    let slices: Int
    let checks: [Check]
    let problems: [TableProblem]
    let notes: [String]
    let contentHash: String?
    let golden: String?

    enum CodingKeys: String, CodingKey {
        case submission, slices, checks, problems, notes, golden
        case contentHash = "content_sha256"
    }

    /// What is checked, in the order of the table, with the kinds of problems that each check finds.
    private static let checks: [(name: String, kinds: [TableProblem.Kind])] = [
        ("header and rows well-formed", [.header, .malformedRow, .malformedID]),
        ("known types", [.unknownType]),
        ("finite numbers", [.malformedValue, .notFinite]),
        ("no row twice", [.duplicate, .contradiction]),
        ("six rows for each slice", [.incompleteSlice]),
        ("no slice missing", [.missingSlice]),
        ("no slice extra", [.extraSlice]),
        ("values from 0 to 1", [.outOfRange]),
        ("no constant column", [.constantColumn]),
        ("not the sample itself", [.equalsSample]),
    ]

    init(submission: String, _ found: Verification, golden: String?) {
        self.submission = submission
        self.golden = golden
        slices = found.slices
        problems = found.problems
        notes = found.notes
        contentHash = found.contentHash
        var checks = Self.checks.map { check in
            Check(name: check.name, problems: check.kinds.map { found.counts[$0] ?? 0 }.reduce(0, +))
        }
        if let golden { checks.append(Check(name: "golden hash", problems: golden == found.contentHash ? 0 : 1)) }
        self.checks = checks
    }

    var text: String {
        var table = TextTable([("check", .left), ("result", .left), ("problems", .right)])
        for check in checks {
            table.add(check.name, check.isPassed ? "ok" : "FAILED", check.isPassed ? "" : "\(check.problems)")
        }
        var lines = [table.text]
        lines += problems.map { problem in
            "\(submission): " + (problem.line.map { "line \($0): " } ?? "") + problem.message
        }
        let total = checks.filter { $0.name != "golden hash" }.map(\.problems).reduce(0, +)
        if total > problems.count { lines.append("... and \(total - problems.count) more; --all lists them") }
        lines += notes.map { "note: \($0)" }
        lines.append("content SHA-256 \(contentHash ?? "none: the file is not a well-formed table")")
        if let golden, golden != contentHash { lines.append("golden  SHA-256 \(golden)") }
        return lines.joined(separator: "\n")
    }
}
