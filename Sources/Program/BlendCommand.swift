import ArgumentParser
import Basics
import Foundation
import Inputs
import Metrics
import Repro
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
            the gain is also told honestly: each fold is scored with the weights that the other folds give; and with patients
            known, with its 95 % interval.

            repro blend a-oof.csv b-oof.csv c-oof.csv --fit --truth stage_2_train.csv --folds train.csv
            """)

    @Argument(
        help: "The prediction files (CSV, ID,Label), or lists of them with commas; - for standard input.",
        completion: .file())
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

    @OptionGroup var values: PredictionOptions
    @OptionGroup var files: SliceFiles
    @OptionGroup var resampling: ResamplingOptions

    @Option(help: "Hold the result in [clip, 1 - clip]; not clipped if left out.")
    var clip: Double?

    @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "csv"), completion: .file())
    var out: String?

    @OptionGroup var output: OutputOptions

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
        if let list = tables.first(where: { Self.files($0).contains("") }) {
            throw ValidationError("'\(list)': a list of files with commas, one of which has no name.")
        }
        if let clip, !(0..<0.5).contains(clip) {
            throw ValidationError("--clip: expected a number from 0 to below 0.5, found \(clip).")
        }
        if fit {
            guard files.truth != nil else { throw ValidationError("--fit needs --truth, the labels.") }
            guard weights == nil, mean == .arithmetic else {
                throw ValidationError("--fit finds the weights of the arithmetic mean: leave out --weights and --mean.")
            }
            guard out != "-" else {
                throw ValidationError("--fit prints its table to standard output: give --out a file.")
            }
        } else {
            guard out != nil else { throw ValidationError("Missing expected argument '--out <csv>'") }
            guard files.all.isEmpty, resampling.bootstrap == nil else {
                throw ValidationError("--truth, --folds, --patients and --bootstrap belong to --fit.")
            }
        }
    }

    func run() throws {
        let parts = tables.map(Self.files)
        try InputBytes.checkAtMostOneStandardInput(parts.flatMap { $0 } + files.all)
        let out = try out.map {
            try output.destination($0, .predictions, inputs: parts.flatMap { $0 } + files.all, json: json)
        }
        if fit { return try runFit(parts, out) }
        let weights = try parsedWeights()
        var blender = Blender(mean)
        for (part, weight) in zip(parts, weights) {
            let table = try average(part, order: blender.order)
            try blender.add(table, weight: weight, name: Self.name(part))
        }
        let report = try write(blender.result(clip: clip), weights: weights, to: out)
        guard let report else { return }
        if json { return Console.result(try JSON.encode(report)) }
        Console.result(
            "\(report.out): \(parts.flatMap { $0 }.count) files blended, \(report.slices) slices, content SHA-256 \(report.contentHash)"
        )
    }

    /// Writes the result; nil if it went to standard output, where a report would not belong.
    private func write(_ blended: PredictionTable, weights: [Double], to out: Destination?) throws -> Report? {
        guard let out else { return nil }
        let (csv, contentHash) = blended.rendered()
        try out.write(csv)
        guard !out.isStandardOutput else { return nil }
        return Report(out: out.path, slices: blended.sliceIDs.count, weights: weights, contentHash: contentHash)
    }

    private func runFit(_ parts: [[String]], _ out: Destination?) throws {
        try checkBlend(weights: equalWeights(parts.count), clip: clip, tables: parts.count)
        guard let labels = try files.labels() else { return }
        var averages: [PredictionTable] = []
        for part in parts { averages.append(try average(part, order: labels.slices)) }
        let names = parts.map(Self.name)
        var slices = averages[0].sliceIDs
        var folds: [Int]?
        var patients: [String]?
        if let table = try files.foldTable() {
            let patientOf = try patientsInOneFold(table)
            let present = try table.foldsPresent(in: averages[0], name: InputBytes.name(files.folds ?? ""))
            (slices, folds) = (present.sliceIDs, present.folds)
            patients = patientOf.map { patientOf in slices.compactMap { patientOf[$0] } }
        } else if let file = files.patients {
            patients = try Patients.read(file, for: slices)
        }
        let values = try zip(averages, names).map { try $0.values(for: slices, name: $1) }
        let found = try BlendFit(
            tables: names, values: values, truth: try files.labels(labels, of: slices), folds: folds,
            resampling: patients.map {
                let drawn = Patients.bootstrap(
                    $0, resamples: resampling.bootstrap ?? ResamplingOptions.usual, seed: resampling.seed)
                if let reason = drawn.withoutIntervals { Console.log(reason) }
                return drawn
            }, clip: kaggleClip)
        Console.result(json ? try JSON.encode(found) : found.text)
        guard out != nil else { return }
        var blender = Blender()
        for (table, (weight, name)) in zip(averages, zip(found.fitted, names)) {
            try blender.add(table, weight: weight, name: name)
        }
        _ = try write(blender.result(clip: clip), weights: found.fitted, to: out)
    }

    /// The patient of each slice; refuses folds that share one, for then no fold is honest about the others. Without a column
    /// PatientID that stays unknown.
    private func patientsInOneFold(_ folds: FoldTable) throws -> [String: String]? {
        let name = InputBytes.name(files.folds ?? "")
        let found: [String]?
        if let file = files.patients {
            found = try Patients.read(file, for: folds.sliceIDs)
        } else {
            found = try files.patientFile.flatMap {
                try SliceColumn.ifPresent("PatientID", parsing: InputBytes.read($0), name: name)
            }?.values(for: folds.sliceIDs, name: name)
        }
        guard let patients = found else {
            Console.log("\(name): has no column PatientID, so it is not checked that no patient is in two folds.")
            return nil
        }
        var foldOfPatient: [String: Int] = [:]
        for (patient, fold) in zip(patients, folds.folds) {
            let first = foldOfPatient[patient, default: fold]
            guard first == fold else {
                throw Failure(
                    .badInput,
                    "\(name): patient \(patient) is in folds \(first) and \(fold): no fold is honest about the other.")
            }
            foldOfPatient[patient] = fold
        }
        return Dictionary(uniqueKeysWithValues: zip(folds.sliceIDs, patients))
    }

    private static func name(_ part: [String]) -> String { part.map(InputBytes.name).joined(separator: ",") }

    /// The files of an argument: itself, or those that it lists.
    static func files(_ argument: String) -> [String] {
        guard argument.contains(","), !FileManager.default.fileExists(atPath: argument) else { return [argument] }
        return argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The plain mean of some files, of which no two are held at the same time.
    private func average(_ files: [String], order: SliceIndex?) throws -> PredictionTable {
        var blender = Blender()
        for (file, weight) in zip(files, equalWeights(files.count)) {
            let table = try values.read(file, order: order ?? blender.order)
            if files.count == 1 { return table }
            try blender.add(table, weight: weight, name: InputBytes.name(file))
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
