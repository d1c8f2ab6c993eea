import ArgumentParser
import Basics
import Foundation
import Inputs
import Metrics
import Repro
import Submit

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract:
            "Check a submission against the sample, and its hash against a golden one; exit code 1 if a check fails.",
        discussion: """
            Every problem is found in one pass and reported with its line. Two hashes are printed: that of the content, which depends
            neither on the order of the rows nor on how numbers are spelled, and that of the file's bytes. --golden takes either, or a
            table, which with --tolerance may differ by so much (repro diff shows where).

            repro verify submission.csv --sample stage_2_sample_submission.csv --golden golden/demo.json
            repro verify submission.csv --sample stage_2_sample_submission.csv --golden theirs.csv --tolerance 1e-6
            """)

    @Argument(help: "The submission: a CSV file ID,Label, or - for standard input.", completion: .file())
    var submission: String

    @Option(
        help: ArgumentHelp("The sample submission, whose slices have to be there.", valueName: "csv"),
        completion: .file())
    var sample: String

    @Option(
        help: ArgumentHelp(
            "The SHA-256 of the content or the file, a golden file with the hash of the stage 'submission', or a table.",
            valueName: "hash or file"), completion: .file())
    var golden: String?

    @Option(help: "How far a value may be from that of the table given with --golden.")
    var tolerance: Double?

    @Flag(help: "List every problem; without it, the first 20 of each kind.")
    var all = false

    @Flag(help: "Print JSON for machines, with every problem.")
    var json = false

    func validate() throws {
        guard tolerance == nil || golden != nil else { throw ValidationError("--tolerance needs --golden, a table.") }
        // Probabilities are never 1 apart but for 0 and 1 themselves: the check could not fail.
        if let tolerance, !(0..<1).contains(tolerance) {
            throw ValidationError("--tolerance: a number from 0 to below 1.")
        }
    }

    func run() throws {
        let report = try makeReport()
        Console.result(json ? try JSON.encode(report) : report.text)
        let failed = report.checks.filter { !$0.isPassed }.count
        guard failed == 0 else {
            throw Failure(.checkFailed, "\(report.submission): \(failed) of \(report.checks.count) checks failed.")
        }
    }

    func makeReport() throws -> VerifyReport {
        try InputBytes.checkAtMostOneStandardInput([submission, sample] + [golden].compactMap { $0 })
        let expected = try golden.map(readGolden)
        let sample = try PredictionTable(parsing: InputBytes.read(sample), name: InputBytes.name(sample))
        let kept = all || json ? Int.max : TableError.shownProblems
        let bytes = try InputBytes.read(submission)
        let (found, fileHash) = alongside {
            Digest.sha256(bytes)
        } run: {
            verify(bytes, sample: sample, keeping: kept)
        }
        var report = VerifyReport(submission: InputBytes.name(submission), found, fileHash: fileHash)
        if seemsCutOff(bytes) {
            report.notes.append(
                "the last line has no end, and its number fewer digits than any other: is the file cut off there?")
        }
        switch expected {
        case .hash(let hash): report.compare(withHash: hash)
        case .table(let table, let hash): try compare(bytes, with: table, fileHash: hash, in: &report)
        case nil: break
        }
        return report
    }

    /// What `--golden` names.
    private enum GoldenSubmission {
        case hash(String)
        case table(PredictionTable, fileHash: String)
    }

    private func readGolden(_ argument: String) throws -> GoldenSubmission {
        if isSHA256(argument.lowercased()) {
            guard tolerance == nil else {
                throw Failure(
                    .badUsage, "--tolerance: a hash tells nothing of how far tables differ; give --golden a table.")
            }
            return .hash(argument.lowercased())
        }
        let bytes: Data
        do {
            bytes = try InputBytes.read(argument)
        } catch let failure as Failure where failure.status == .inputMissing {
            throw Failure(
                .inputMissing, "--golden: '\(argument)' is neither a SHA-256 of 64 hexadecimal digits nor a file.")
        }
        let isJSON = bytes.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{")
        guard isJSON else {
            let table = try PredictionTable(parsing: bytes, name: InputBytes.name(argument))
            return .table(table, fileHash: Digest.sha256(bytes))
        }
        let golden = try Golden(parsing: bytes, name: argument)
        guard let hash = golden.stages["submission"] else {
            let stages = golden.stages.keys.sorted().joined(separator: ", ")
            throw Failure(.badInput, "\(argument): has no hash for the stage 'submission', only for: \(stages).")
        }
        return .hash(hash)
    }

    /// Compares with a golden table: by hash, or with a tolerance by value.
    private func compare(
        _ bytes: Data, with golden: PredictionTable, fileHash: String, in report: inout VerifyReport
    ) throws {
        guard let tolerance else {
            return report.compare(withHash: golden.contentHash(), fileHash: fileHash)
        }
        guard report.contentHash != nil else { return report.add("golden values within \(tolerance)", problems: 1) }
        let table = try PredictionTable(parsing: bytes, name: report.submission)
        let found = TableDifference(table, golden, worst: 1)
        let isSame = found.onlyInFirst.isEmpty && found.onlyInSecond.isEmpty && found.largest <= tolerance
        report.add("golden values within \(tolerance)", problems: isSame ? 0 : 1)
        let place = found.worst.first.map { " (\($0.id): \($0.first), golden \($0.second))" } ?? ""
        report.notes.append("the largest difference from the golden table is \(found.largest)\(place)")
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
    private(set) var checks: [Check]
    let problems: [TableProblem]
    var notes: [String]
    let contentHash: String?
    let fileHash: String
    private(set) var golden: String?

    enum CodingKeys: String, CodingKey {
        case submission, slices, checks, problems, notes, golden
        case contentHash = "content_sha256"
        case fileHash = "file_sha256"
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

    init(submission: String, _ found: Verification, fileHash: String) {
        self.submission = submission
        self.fileHash = fileHash
        slices = found.slices
        problems = found.problems
        notes = found.notes
        contentHash = found.contentHash
        checks = Self.checks.map { check in
            Check(name: check.name, problems: check.kinds.map { found.counts[$0] ?? 0 }.reduce(0, +))
        }
    }

    mutating func add(_ check: String, problems: Int) { checks.append(Check(name: check, problems: problems)) }

    /// Compares with a golden hash of either kind, and says what a match of one and not of the other means.
    ///
    /// - Parameter fileHash: The golden file's bytes, where they are known besides its content.
    mutating func compare(withHash hash: String, fileHash golden: String? = nil) {
        self.golden = hash
        let isSameFile = hash == fileHash || golden == fileHash
        add("golden hash", problems: isSameFile || hash == contentHash ? 0 : 1)
        if isSameFile {
            notes.append("the file is the golden one, byte for byte")
        } else if hash == contentHash, golden != nil {
            notes.append(
                "the content is the golden one, the bytes are not: other order of rows, spelling of numbers or line ends"
            )
        }
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
        let total = checks.prefix(Self.checks.count).map(\.problems).reduce(0, +)
        if total > problems.count { lines.append("... and \(total - problems.count) more; --all lists them") }
        lines += notes.map { "note: \($0)" }
        lines.append("content SHA-256 \(contentHash ?? "none: the file is not a well-formed table")")
        lines.append("file    SHA-256 \(fileHash)")
        if let golden, golden != contentHash && golden != fileHash { lines.append("golden  SHA-256 \(golden)") }
        return lines.joined(separator: "\n")
    }
}
