import ArgumentParser
import Foundation
import Metrics
import Submit

struct BlendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blend",
        abstract: "Average prediction files with weights, matching rows by ID; or find the best weights.",
        discussion: """
            All files must have the same slices; the result has the order of the first. Files joined with commas are averaged
            first and count as one, as the original averaged the folds of each backbone. Its blend, clipped as its submissions are:

            repro blend resnet34.csv se_resnext50.csv efficientnet-b3.csv --weights 0.15,0.5,0.35 --clip 1e-6 --out blend.csv
            repro blend a0.csv,a1.csv b0.csv,b1.csv --weights 0.4,0.6 --out blend.csv

            With --fit, files are out-of-fold predictions, and the weights are those of the least loss against --truth. With --folds
            the gain is also told honestly: each fold is scored with the weights that the other folds give.

            repro blend a-oof.csv b-oof.csv c-oof.csv --fit --truth stage_2_train.csv --folds train.csv
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

    @Flag(help: "Find the weights that minimise the loss against --truth, beside equal weights and the original's.")
    var fit = false

    @Option(help: ArgumentHelp("The labels for --fit: a CSV file ID,Label with labels 0 and 1.", valueName: "csv"))
    var truth: String?

    @Option(
        help: ArgumentHelp(
            "The folds for --fit: a CSV file with columns ID and fold (and PatientID).", valueName: "csv"))
    var folds: String?

    @Option(help: "Hold the result in [clip, 1 - clip]; not clipped if left out.")
    var clip: Double?

    @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "csv"))
    var out: String?

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

    func validate() throws {
        if fit {
            guard truth != nil else { throw ValidationError("--fit needs --truth, the labels.") }
            guard weights == nil, mean == .arithmetic else {
                throw ValidationError("--fit finds the weights of the arithmetic mean: leave out --weights and --mean.")
            }
            guard out != "-" else {
                throw ValidationError("--fit prints its table to standard output: give --out a file.")
            }
        } else {
            guard out != nil else { throw ValidationError("Missing expected argument '--out <csv>'") }
            guard truth == nil, folds == nil else { throw ValidationError("--truth and --folds belong to --fit.") }
        }
    }

    func run() throws {
        let parts = tables.map(Self.files)
        try InputBytes.checkAtMostOneStandardInput(parts.flatMap { $0 } + [truth, folds].compactMap { $0 })
        if fit { return try runFit(parts) }
        let weights = try parsedWeights()
        var blender = Blender(mean)
        for (part, weight) in zip(parts, weights) {
            let table = try Self.average(part, order: blender.order)
            try blender.add(table, weight: weight, name: Self.name(part))
        }
        let report = try write(blender.result(clip: clip), weights: weights)
        guard let report else { return }
        if json { return Console.result(try JSON.encode(report)) }
        Console.result(
            "\(report.out): \(parts.flatMap { $0 }.count) files blended, \(report.slices) slices, content SHA-256 \(report.contentHash)"
        )
    }

    /// Writes the result; nil if it went to standard output, where a report would not belong.
    private func write(_ blended: PredictionTable, weights: [Double]) throws -> Report? {
        guard let out else { return nil }
        let (csv, contentHash) = blended.rendered()
        guard out != "-" else {
            try FileHandle.standardOutput.write(contentsOf: Data(csv))
            return nil
        }
        try AtomicFile.write(csv, to: out)
        return Report(out: out, slices: blended.sliceIDs.count, weights: weights, contentHash: contentHash)
    }

    private func runFit(_ parts: [[String]]) throws {
        guard let truth else { return }
        try checkBlend(weights: equalWeights(parts.count), clip: clip, tables: parts.count)
        let labels = try TruthTable(parsing: InputBytes.read(truth), name: InputBytes.name(truth))
        var averages: [PredictionTable] = []
        for part in parts { averages.append(try Self.average(part, order: labels.slices)) }
        let names = parts.map(Self.name)
        var slices = averages[0].sliceIDs
        var folds: [Int]?
        if let path = self.folds {
            let table = try FoldTable(parsing: InputBytes.read(path), name: InputBytes.name(path))
            try Self.checkPatients(path, table)
            let present = try table.foldsPresent(in: averages[0], name: path)
            (slices, folds) = (present.sliceIDs, present.folds)
        }
        let values = try zip(averages, names).map { try $0.values(for: slices, name: $1) }
        let found = try BlendFit(
            tables: names, values: values, truth: try labels.labels(for: slices, name: InputBytes.name(truth)),
            folds: folds, clip: kaggleClip)
        Console.result(json ? try JSON.encode(found) : found.text)
        guard out != nil else { return }
        var blender = Blender()
        for (table, (weight, name)) in zip(averages, zip(found.fitted, names)) {
            try blender.add(table, weight: weight, name: name)
        }
        _ = try write(blender.result(clip: clip), weights: found.fitted)
    }

    /// Refuses folds that share a patient, for then no fold is honest about the others; without a column PatientID that stays unknown.
    private static func checkPatients(_ path: String, _ folds: FoldTable) throws {
        guard path != "-", let patients = try? Patients.read(path, for: folds.sliceIDs) else {
            return Console.log(
                "\(InputBytes.name(path)): has no column PatientID, so it is not checked that no patient is in two folds."
            )
        }
        var foldOfPatient: [String: Int] = [:]
        for (patient, fold) in zip(patients, folds.folds) {
            let first = foldOfPatient[patient, default: fold]
            guard first == fold else {
                throw Failure(
                    .badInput,
                    "\(path): patient \(patient) is in folds \(first) and \(fold): no fold is honest about the other.")
            }
            foldOfPatient[patient] = fold
        }
    }

    private static func name(_ part: [String]) -> String { part.map(InputBytes.name).joined(separator: ",") }

    /// The files of an argument: itself, or those that it lists.
    static func files(_ argument: String) -> [String] {
        guard argument.contains(","), !FileManager.default.fileExists(atPath: argument) else { return [argument] }
        return argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The plain mean of some files, of which no two are held at the same time.
    private static func average(_ files: [String], order: SliceIndex?) throws -> PredictionTable {
        var blender = Blender()
        for (file, weight) in zip(files, equalWeights(files.count)) {
            let name = InputBytes.name(file)
            let table = try PredictionTable(parsing: InputBytes.read(file), name: name, order: order ?? blender.order)
            if files.count == 1 { return table }
            try blender.add(table, weight: weight, name: name)
        }
        return blender.result()
    }

    private func parsedWeights() throws -> [Double] {
        let parsed =
            try weights.map { try Self.numbers($0, option: "--weights", example: "0.15,0.5,0.35") }
            ?? equalWeights(tables.count)
        do throws(TableError) {
            try checkBlend(weights: parsed, clip: clip, tables: tables.count)
        } catch {
            throw Failure(.badUsage, error.description)
        }
        return parsed
    }

    /// The numbers of an option's value, which are joined with commas.
    static func numbers(_ text: String, option: String, example: String) throws -> [Double] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let number = Double(part.trimmingCharacters(in: .whitespaces)) else {
                throw Failure(
                    .badUsage, "\(option): '\(part)' is not a number; expected numbers with commas, as in \(example).")
            }
            return number
        }
    }
}

extension BlendMean: ExpressibleByArgument {}
