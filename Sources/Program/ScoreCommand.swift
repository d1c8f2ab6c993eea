import ArgumentParser
import Basics
import Inputs
import Metrics
import Repro
import Submit

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Score predictions by the competition's metric: per type, per fold, overall.",
        discussion: """
            The weighted log loss (any counts twice), lower is better, beside the score of predicting each type's frequency.
            Every slice of the truth has to be predicted. With --folds, slices are those that FOLDS lists; of its folds, those
            of which any slice is predicted are scored, and have to be predicted wholly: so one fold's out-of-fold file can be
            scored alone. Several files are scored together; without --folds, each of them is a fold, the first fold 0.

            repro score predictions/resnet34/fold0/oof.csv --truth stage_2_train.csv --folds train.csv
            repro score fold0.csv fold1.csv fold2.csv --truth stage_2_train.csv
            repro score oof.csv --truth stage_2_train.csv --folds train.csv --statistics --bootstrap 1000
            """)

    @Argument(
        help: "The predictions: a CSV file ID,Label, or - for standard input; or a file for each fold.",
        completion: .file())
    var predictions: [String]

    @OptionGroup var files: SliceFiles
    @OptionGroup var values: PredictionOptions
    @OptionGroup var resampling: ResamplingOptions

    @Option(help: "Probabilities are held in [clip, 1 - clip]; Kaggle's clip is the default, the original's was 1e-5.")
    var clip = kaggleClip

    @Flag(help: "Also the AUC, average precision, Brier score and calibration error of each type.")
    var statistics = false

    @Option(
        help: ArgumentHelp(
            "Also the public and the private part: a CSV file with columns ID (of slices or rows) and Usage (Public or Private).",
            valueName: "csv"), completion: .file())
    var publicSplit: String?

    @Option(
        help: ArgumentHelp(
            "A Kaggle leaderboard (CSV download): prints rank and medal; of the private part if there is --public-split.",
            valueName: "csv"), completion: .file())
    var leaderboard: String?

    @Flag(help: "Show the score among the competition's published results.")
    var marks = false

    @Flag(help: "Print JSON for machines.")
    var json = false

    func validate() throws {
        guard files.truth != nil else { throw ValidationError("Missing expected argument '--truth <csv>'") }
        guard resampling.bootstrap == nil || files.patientFile != nil else {
            throw ValidationError(
                "--bootstrap needs --patients (or --folds with a column PatientID): patients are resampled.")
        }
    }

    func run() throws {
        let report = try makeReport()
        if report.unscoredSlices > 0 {
            let slices = report.unscoredSlices == 1 ? "slice is" : "slices are"
            Console.log(
                "\(report.predictions): \(report.unscoredSlices) predicted \(slices) not scored, for "
                    + "\(InputBytes.name(files.folds ?? files.truth ?? "")) does not list them.")
        }
        Console.result(json ? try JSON.encode(report) : report.text)
        if marks && !json { Console.result(PublishedMarks.text(with: report.comparable)) }
    }

    func makeReport() throws -> ScoreReport {
        try InputBytes.checkAtMostOneStandardInput(
            predictions + files.all + [publicSplit, leaderboard].compactMap { $0 })
        let name = predictions.map(InputBytes.name).joined(separator: ",")
        guard let labels = try files.labels() else { throw Failure(.badUsage, "--truth: the labels are missing.") }
        let (predicted, numbers) = try FoldFiles.joined(predictions) { try values.read($0, order: labels.slices) }
        var (slices, folds) = (labels.sliceIDs, [Int]?.none)
        if let table = try files.foldTable() {
            let present = try table.foldsPresent(in: predicted, name: InputBytes.name(files.folds ?? ""))
            (slices, folds) = (present.sliceIDs, present.folds)
        } else if predictions.count > 1 {
            folds = try FoldFiles.numbers(of: slices, in: predicted, numbers, name: name)
        }
        do {
            let scored = Scored(
                slices: slices, values: try predicted.values(for: slices, name: name),
                truth: try files.labels(labels, of: slices))
            var report = ScoreReport(
                predictions: name, clip: clip, score: try score(scored, folds),
                baseline: try constantFrequencyBaseline(truth: scored.truth, clip: clip),
                unscoredSlices: predicted.sliceIDs.count - slices.count)
            if let publicSplit { report.parts = try parts(scored, publicSplit) }
            try addStatistics(of: scored, to: &report)
            if let leaderboard {
                report.standing = Standing(of: report.comparable, among: try scores(leaderboard))
            }
            return report
        } catch let error as ScoringError {
            if case .clipOutOfRange = error { throw Failure(.badUsage, "--clip: \(error).") }
            throw Failure(.badInput, "\(name): \(error).")
        }
    }

    /// The slices that are scored.
    private struct Scored {
        let slices: [String]
        /// Six for each slice; the labels likewise.
        let values: [Double]
        let truth: [Bool]

        func column(_ type: Int, patients: [Int]?) -> RankedPredictions {
            let rows = stride(from: type, to: truth.count, by: HemorrhageType.allCases.count)
            return RankedPredictions(rows.map { values[$0] }, truth: rows.map { truth[$0] }, groups: patients)
        }
    }

    private func score(_ scored: Scored, _ folds: [Int]?) throws -> FoldedScore {
        guard let folds else {
            return FoldedScore(
                overall: try weightedLogLoss(predictions: scored.values, truth: scored.truth, clip: clip), perFold: [])
        }
        return try weightedLogLoss(predictions: scored.values, truth: scored.truth, folds: folds, clip: clip)
    }

    private func parts(_ scored: Scored, _ path: String) throws -> [ScoreReport.Line] {
        let name = InputBytes.name(path)
        let usage = try SliceColumn("Usage", parsing: InputBytes.read(path), name: name)
            .values(for: scored.slices, name: name)
        let names = ["public", "private"]
        let numbers = try zip(scored.slices, usage).map { slice, usage in
            guard let number = names.firstIndex(of: usage.lowercased()) else {
                throw Failure(
                    .badInput, "\(name): the Usage of \(slice) is '\(usage)'; expected Public or Private.")
            }
            return number
        }
        return try score(scored, numbers).perFold.map { ScoreReport.Line($0.score, part: names[$0.fold]) }
    }

    /// The scores of a leaderboard's teams; says how many have none.
    private func scores(_ path: String) throws -> [Double] {
        let name = InputBytes.name(path)
        let leaderboard = try Leaderboard(parsing: InputBytes.read(path), name: name)
        let without = leaderboard.teamsWithoutScore
        if without > 0 {
            Console.log("\(name): left out, for they have no score: \(without) team\(without == 1 ? "" : "s").")
        }
        return leaderboard.scores
    }

    private func addStatistics(of scored: Scored, to report: inout ScoreReport) throws {
        var drawn: PatientBootstrap?
        if let bootstrap = resampling.bootstrap, let file = files.patientFile {
            let drawing = Patients.bootstrap(
                try Patients.read(file, for: scored.slices), resamples: bootstrap, seed: resampling.seed)
            let losses = try sliceLosses(predictions: scored.values, truth: scored.truth, clip: clip)
            report.intervals = ScoreReport.Intervals(
                drawing.intervals(ofMeanLoss: losses), patients: drawing.patients, note: drawing.withoutIntervals)
            drawn = drawing
        }
        guard statistics else { return }
        let patients = drawn?.patientOfSlice
        let ranked = concurrentMap(HemorrhageType.allCases.count) { scored.column($0, patients: patients) }
        let intervals = drawn.map { Self.intervals(of: ranked, $0) }
        report.statistics = ranked.enumerated().compactMap { type, ranked in
            ranked.metrics().map {
                ScoreReport.Statistics(
                    type: HemorrhageType.allCases[type], metrics: $0, intervals: intervals?[type])
            }
        }
    }

    /// For each type the intervals of its four statistics, in the order of ``ScoreReport/Statistics/kinds``.
    private static func intervals(of types: [RankedPredictions], _ bootstrap: PatientBootstrap) -> [[Interval?]] {
        let resamples = bootstrap.resample { timesDrawn in
            types.map { type in
                type.metrics(timesDrawn: timesDrawn).map { metrics in
                    ScoreReport.Statistics.kinds.map { $0.value(metrics) }
                }
            }
        }
        return types.indices.map { type in
            ScoreReport.Statistics.kinds.indices.map { statistic in
                Interval(resamples.compactMap { $0[type]?[statistic] })
            }
        }
    }
}

extension FoldTable {
    /// The rows of the folds of which at least one slice is predicted.
    func foldsPresent(in predictions: PredictionTable, name: String) throws -> (sliceIDs: [String], folds: [Int]) {
        let predicted = Set(predictions.sliceIDs)
        let present = Set(zip(sliceIDs, folds).filter { predicted.contains($0.0) }.map(\.1))
        guard !present.isEmpty else {
            throw Failure(
                .badInput, "\(name): none of the predicted slices is listed. Are these the folds of another data set?")
        }
        let rows = folds.indices.filter { present.contains(folds[$0]) }
        return (rows.map { sliceIDs[$0] }, rows.map { folds[$0] })
    }
}
