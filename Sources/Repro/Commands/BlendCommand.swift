import ArgumentParser
import Foundation
import Submit

struct BlendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blend",
        abstract: "Average prediction files with weights, matching rows by ID.",
        discussion: """
            All files must have the same slices; the result has the order of the first. The original's blend, clipped as its
            submissions are:

            repro blend resnet34.csv se_resnext50.csv efficientnet-b3.csv --weights 0.15,0.5,0.35 --clip 1e-6 --out blend.csv
            """)

    @Argument(help: "The prediction files (CSV, ID,Label); - for standard input.")
    var tables: [String]

    @Option(
        help: ArgumentHelp(
            "One weight for each file, with the sum 1; equal weights if left out.", valueName: "w1,w2,..."))
    var weights: String?

    @Option(help: "Hold the result in [clip, 1 - clip]; not clipped if left out.")
    var clip: Double?

    @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "csv"))
    var out: String

    @Flag(help: "Print what was done as JSON for machines.")
    var json = false

    /// What `repro blend` did, as its JSON has it.
    private struct Report: Encodable {
        let out: String
        let slices: Int
        let weights: [Double]
        let contentHash: String

        enum CodingKeys: String, CodingKey {
            case out, slices, weights
            case contentHash = "content_sha256"
        }
    }

    func run() throws {
        try InputBytes.checkAtMostOneStandardInput(tables)
        let weights = try parsedWeights()
        let names = tables.map(InputBytes.name)
        let blended = try blend(
            try zip(tables, names).map { try PredictionTable(parsing: InputBytes.read($0), name: $1) },
            weights: weights,
            clip: clip, names: names)
        guard out != "-" else {
            return try FileHandle.standardOutput.write(contentsOf: Data(blended.csv()))
        }
        try AtomicFile.write(blended.csv(), to: out)
        let report = Report(
            out: out, slices: blended.sliceIDs.count, weights: weights, contentHash: blended.contentHash())
        if json { return Console.result(try JSON.encode(report)) }
        Console.result(
            "\(out): \(tables.count) files blended, \(report.slices) slices, content SHA-256 \(report.contentHash)")
    }

    private func parsedWeights() throws -> [Double] {
        let parsed =
            try weights?.split(separator: ",", omittingEmptySubsequences: false).map { part in
                guard let weight = Double(part.trimmingCharacters(in: .whitespaces)) else {
                    throw Failure(
                        .badUsage,
                        "--weights: '\(part)' is not a number; expected numbers with commas, as in 0.15,0.5,0.35.")
                }
                return weight
            } ?? equalWeights(tables.count)
        do throws(TableError) {
            try checkBlend(weights: parsed, clip: clip, tables: tables.count)
        } catch {
            throw Failure(.badUsage, error.description)
        }
        return parsed
    }
}
