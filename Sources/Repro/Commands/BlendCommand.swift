import ArgumentParser
import Foundation
import Submit

struct BlendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blend",
        abstract: "Average prediction files with weights, matching rows by ID.",
        discussion: """
            All files must have the same slices; the result has the order of the first. Files joined with commas are averaged
            first and count as one, as the original averaged the folds of each backbone. Its blend, clipped as its submissions are:

            repro blend resnet34.csv se_resnext50.csv efficientnet-b3.csv --weights 0.15,0.5,0.35 --clip 1e-6 --out blend.csv
            repro blend a0.csv,a1.csv b0.csv,b1.csv --weights 0.4,0.6 --out blend.csv
            """)

    @Argument(help: "The prediction files (CSV, ID,Label), or lists of them with commas; - for standard input.")
    var tables: [String]

    @Option(
        help: ArgumentHelp(
            "The kind of mean: \(BlendMean.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "kind"))
    var mean = BlendMean.arithmetic

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
        let parts = tables.map(Self.files)
        try InputBytes.checkAtMostOneStandardInput(parts.flatMap { $0 })
        let weights = try parsedWeights()
        var blender = Blender(mean)
        for (part, weight) in zip(parts, weights) {
            let table = try Self.average(part, order: blender.order)
            try blender.add(table, weight: weight, name: part.map(InputBytes.name).joined(separator: ","))
        }
        let blended = blender.result(clip: clip)
        guard out != "-" else {
            return try FileHandle.standardOutput.write(contentsOf: Data(blended.csv()))
        }
        try AtomicFile.write(blended.csv(), to: out)
        let report = Report(
            out: out, slices: blended.sliceIDs.count, weights: weights, contentHash: blended.contentHash())
        if json { return Console.result(try JSON.encode(report)) }
        Console.result(
            "\(out): \(parts.flatMap { $0 }.count) files blended, \(report.slices) slices, content SHA-256 \(report.contentHash)"
        )
    }

    /// The files of an argument: itself, or those that it lists.
    static func files(_ argument: String) -> [String] {
        guard argument.contains(","), !FileManager.default.fileExists(atPath: argument) else { return [argument] }
        return argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The plain mean of some files, of which no two are held at the same time.
    static func average(_ files: [String], order: SliceIndex?) throws -> PredictionTable {
        var blender = Blender()
        for (file, weight) in zip(files, equalWeights(files.count)) {
            let name = InputBytes.name(file)
            let table = try PredictionTable(
                parsing: InputBytes.read(file), name: name, order: order ?? blender.order)
            if files.count == 1 { return table }
            try blender.add(table, weight: weight, name: name)
        }
        return blender.result()
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

extension BlendMean: ExpressibleByArgument {}
