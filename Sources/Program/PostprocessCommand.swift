import ArgumentParser
import Basics
import Foundation
import Inputs
import Metrics
import Repro
import Submit

struct PostprocessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postprocess",
        abstract:
            "Change predictions by rules, and tell from the labels of out-of-fold predictions whether each helps.",
        discussion: """
            The steps that are asked for are applied one after the other, in the order of the options below. With --truth each step's
            effect on the score is shown, with --patients also its 95 % interval: a step helps if the interval lies below 0.

            repro postprocess oof.csv --smooth 0.6,1.8,0.6 --order work --any-at-least-largest --truth stage_2_train.csv --patients work
            repro postprocess test.csv --any-at-least-largest --clip 1e-6 --out submission.csv
            """)

    @Argument(help: "The predictions: a CSV file ID,Label, or - for standard input.", completion: .file())
    var predictions: String

    @Option(
        help: ArgumentHelp(
            "The rolling mean over neighbouring slices: weights before, at and after.", valueName: "b,c,a"))
    var smooth: String?

    @Option(
        help: ArgumentHelp(
            "The order of slices for --smooth: a catalog, or a CSV file with columns ID, StudyInstanceUID and PositionOrd.",
            valueName: "file"), completion: .file())
    var order: String?

    @Flag(help: "Raise any to the largest of the types.")
    var anyAtLeastLargest = false

    @Flag(help: "Lower each type to any.")
    var typesAtMostAny = false

    @Flag(help: "Lower any to the sum of the types.")
    var anyAtMostSum = false

    @Option(help: "Hold values in [clip, 1 - clip].")
    var clip: Double?

    @OptionGroup var values: PredictionOptions
    @OptionGroup var files: SliceFiles
    @OptionGroup var resampling: ResamplingOptions

    @Option(help: ArgumentHelp("The file to write; - for standard output.", valueName: "csv"), completion: .file())
    var out: String?

    @OptionGroup var output: OutputOptions

    @Flag(help: "Print JSON for machines.")
    var json = false

    /// The score before or after a step.
    private struct Line: Encodable {
        let step: String
        let overall: Double
        /// Against the line before; nil in the first.
        var effect: Double?
        var interval: Interval?
    }

    func validate() throws {
        guard out != nil || files.truth != nil else { throw ValidationError("Give --out, --truth or both.") }
        guard out != "-" || files.truth == nil else {
            throw ValidationError("--truth prints a table to standard output: give --out a file.")
        }
        guard (smooth == nil) == (order == nil) else { throw ValidationError("--smooth and --order belong together.") }
        guard files.patientFile == nil || files.truth != nil else {
            throw ValidationError("--patients and --folds need --truth.")
        }
        guard resampling.bootstrap == nil || files.patientFile != nil else {
            throw ValidationError("--bootstrap needs --patients, or --folds with a column PatientID.")
        }
        if let clip, !(0..<0.5).contains(clip) {
            throw ValidationError("--clip: expected a number from 0 to below 0.5, found \(clip).")
        }
        do {
            guard try !steps().isEmpty else { throw ValidationError("No step is asked for.") }
        } catch let failure as Failure {
            throw ValidationError(failure.message)
        }
    }

    func run() throws {
        try InputBytes.checkAtMostOneStandardInput([predictions] + files.all + [order].compactMap { $0 })
        let catalog = order.map { Patients.catalog(at: $0)?.path ?? $0 }
        let out = try out.map {
            try output.destination($0, .predictions, inputs: [predictions, catalog] + files.all, json: json)
        }
        let labels = try files.labels()
        let table = try values.read(predictions, order: labels?.slices)
        let studies = try order.map(Self.studies) ?? []
        if let order { try Self.checkOrder(studies, of: table, name: InputBytes.name(order)) }
        var stages = [(name: "as given", table: table)]
        for step in try steps() {
            stages.append((step.name, step.rule.applied(to: stages[stages.count - 1].table, studies: studies)))
        }
        if let labels {
            let lines = try lines(stages, labels)
            Console.result(json ? try JSON.encode(lines) : Self.text(lines))
        }
        try out?.write(stages[stages.count - 1].table.csv())
    }

    private func steps() throws -> [(name: String, rule: PostProcessing)] {
        var steps: [(name: String, rule: PostProcessing)] = []
        if let smooth {
            let weights = try BlendCommand.numbers(smooth, option: "--smooth", example: "0.6,1.8,0.6")
            guard weights.count == 3, weights[0] == weights[2], (0...1e6).contains(weights[0]),
                (1e-6...1e6).contains(weights[1])
            else {
                throw Failure(
                    .badUsage,
                    "--smooth: expected three weights as in 0.6,1.8,0.6: from 0 to 1e6, the outer two equal, that at the slice from 1e-6."
                )
            }
            steps.append(("smooth \(smooth)", .smoothing(center: weights[1], side: weights[0])))
        }
        if anyAtLeastLargest { steps.append(("any at least largest", .anyAtLeastLargest)) }
        if typesAtMostAny { steps.append(("types at most any", .typesAtMostAny)) }
        if anyAtMostSum { steps.append(("any at most sum", .anyAtMostSum)) }
        if let clip { steps.append(("clip \(clip)", .clipping(clip))) }
        return steps
    }

    /// The slices of each study in order: those that the original's filter keeps, of both splits, if it is a catalog.
    private static func studies(_ path: String) throws -> [[String]] {
        guard let catalog = Patients.catalog(at: path) else {
            return try StudyTable(parsing: InputBytes.read(path), name: InputBytes.name(path)).studies
        }
        let slices = try Split.allCases.flatMap { try catalog.slices(in: $0) }
        return StudyTable(slices.map { ($0.id, $0.studyID, $0.positionOrd) }).studies
    }

    /// Says how many slices stay as they are because the order lacks them; if it has none of them, it is of other slices.
    private static func checkOrder(_ studies: [[String]], of table: PredictionTable, name: String) throws {
        let ordered = Set(studies.joined())
        let missing = table.sliceIDs.filter { !ordered.contains($0) }
        guard let first = missing.first else { return }
        guard missing.count < table.sliceIDs.count else {
            throw Failure(
                .badInput, "\(name): none of the predicted slices is listed. Is this the order of another data set?")
        }
        Console.log(
            "\(name): lacks \(missing.count) of \(table.sliceIDs.count) predicted slices, which are not smoothed, the first \(first)."
        )
    }

    private func lines(_ stages: [(name: String, table: PredictionTable)], _ labels: TruthTable) throws -> [Line] {
        // Slices that the data set leaves out have no out-of-fold prediction.
        let slices = stages[0].table.sliceIDs
        let truth = try files.labels(labels, of: slices)
        let drawn = try files.patientFile.map {
            Patients.bootstrap(
                try Patients.read($0, for: slices), resamples: resampling.bootstrap ?? ResamplingOptions.usual,
                seed: resampling.seed)
        }
        if let reason = drawn?.withoutIntervals { Console.log(reason) }
        var lines: [Line] = []
        var before: [Double] = []
        for stage in stages {
            let losses = try sliceLosses(predictions: stage.table.values, truth: truth)
            let score = try weightedLogLoss(predictions: stage.table.values, truth: truth)
            var line = Line(step: stage.name, overall: score.overall)
            if let last = lines.last {
                line.effect = score.overall - last.overall
                line.interval = drawn?.intervals(ofMeanLoss: zip(losses, before).map { $0 - $1 }).last ?? nil
            }
            lines.append(line)
            before = losses
        }
        return lines
    }

    private static func text(_ lines: [Line]) -> String {
        var table = TextTable([
            ("step", .left), ("overall", .right), ("effect", .right), ("95 % from", .right), ("to", .right),
            ("", .left),
        ])
        for line in lines {
            // What rounding alone makes of no effect is none.
            let verdict = line.interval.map {
                $0.high < -1e-12 ? "helps" : $0.low > 1e-12 ? "harms" : "no clear effect"
            }
            table.add(
                line.step, Numbers.fixed(line.overall, 5), line.effect.map { Numbers.fixed($0, 5) } ?? "",
                line.interval.map { Numbers.fixed($0.low, 5) } ?? "",
                line.interval.map { Numbers.fixed($0.high, 5) } ?? "",
                verdict ?? "")
        }
        return table.text
    }
}
