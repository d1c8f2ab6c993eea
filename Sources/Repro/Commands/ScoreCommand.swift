import ArgumentParser
import Metrics
import Submit

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Score predictions by the competition's metric: per type, per fold, overall.",
        discussion: """
            The weighted log loss (any counts twice), lower is better, beside the score of predicting each type's frequency.
            Every slice of the truth has to be predicted. With --folds, slices are those that FOLDS lists; of its folds, those
            of which any slice is predicted are scored, and have to be predicted wholly: so one fold's out-of-fold file can be
            scored alone.

            repro score predictions/resnet34/fold0/oof.csv --truth stage_2_train.csv --folds train.csv
            """)

    @Argument(help: "The predictions: a CSV file ID,Label, or - for standard input.")
    var predictions: String

    @Option(help: ArgumentHelp("The labels: a CSV file ID,Label with labels 0 and 1.", valueName: "csv"))
    var truth: String

    @Option(help: ArgumentHelp("A CSV file with columns ID and fold, such as the catalog's export.", valueName: "csv"))
    var folds: String?

    @Option(help: "Probabilities are held in [clip, 1 - clip]; Kaggle's clip is the default, the original's was 1e-5.")
    var clip = kaggleClip

    @Option(help: ArgumentHelp("A Kaggle leaderboard (CSV download): prints rank and medal.", valueName: "csv"))
    var leaderboard: String?

    @Flag(help: "Print JSON for machines.")
    var json = false

    func run() throws {
        let report = try makeReport()
        if report.unscoredSlices > 0 {
            let slices = report.unscoredSlices == 1 ? "slice is" : "slices are"
            Console.log(
                "\(report.predictions): \(report.unscoredSlices) predicted \(slices) not scored, for "
                    + "\(InputBytes.name(folds ?? truth)) does not list them.")
        }
        Console.result(json ? try JSON.encode(report) : report.text)
    }

    func makeReport() throws -> ScoreReport {
        try InputBytes.checkAtMostOneStandardInput([predictions, truth] + [folds, leaderboard].compactMap { $0 })
        let name = InputBytes.name(predictions)
        let labels = try TruthTable(parsing: InputBytes.read(truth), name: InputBytes.name(truth))
        let predicted = try PredictionTable(parsing: InputBytes.read(predictions), name: name, order: labels.slices)
        let folds = try self.folds.map { path in
            try FoldTable(parsing: InputBytes.read(path), name: InputBytes.name(path)).foldsPresent(
                in: predicted, name: path)
        }
        let slices = folds?.sliceIDs ?? labels.sliceIDs
        do {
            let values = try predicted.values(for: slices, name: name)
            let truth = try labels.labels(for: slices, name: InputBytes.name(self.truth))
            var report = ScoreReport(
                predictions: name, clip: clip,
                score: try weightedLogLoss(
                    predictions: values, truth: truth, folds: folds?.folds ?? slices.map { _ in 0 }, clip: clip),
                isFolded: folds != nil, baseline: try constantFrequencyBaseline(truth: truth, clip: clip),
                unscoredSlices: predicted.sliceIDs.count - slices.count)
            if let leaderboard {
                let scores = try Leaderboard(parsing: InputBytes.read(leaderboard), name: InputBytes.name(leaderboard))
                    .scores
                report.standing = Standing(of: report.overall.overall, among: scores)
            }
            return report
        } catch let error as ScoringError {
            if case .clipOutOfRange = error { throw Failure(.badUsage, "--clip: \(error).") }
            throw Failure(.badInput, "\(name): \(error).")
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

/// What `repro score` found, as its JSON has it.
struct ScoreReport: Encodable {
    /// A score with its types by name.
    struct Line: Encodable {
        let fold: Int?
        let slices: Int
        let perType: [String: Double]
        let overall: Double

        enum CodingKeys: String, CodingKey {
            case fold, slices, overall
            case perType = "per_type"
        }

        init(_ score: Score, fold: Int? = nil) {
            self.fold = fold
            slices = score.count
            perType = Dictionary(uniqueKeysWithValues: zip(HemorrhageType.allCases.map(\.rawValue), score.perType))
            overall = score.overall
        }

        /// The numbers of a row of the table, to 5 decimals as Kaggle shows them.
        var cells: [String] {
            ["\(slices)"] + HemorrhageType.allCases.map { Numbers.fixed(perType[$0.rawValue] ?? .nan, 5) }
                + [Numbers.fixed(overall, 5)]
        }
    }

    let predictions: String
    let clip: Double
    let overall: Line
    /// The score of predicting each type's frequency among the scored slices.
    let baseline: Line
    /// nil where no folds were given.
    let folds: [Line]?
    /// How many predicted slices are not among those that were scored.
    let unscoredSlices: Int
    var standing: Standing?

    enum CodingKeys: String, CodingKey {
        case predictions, clip, overall, baseline, folds, standing
        case unscoredSlices = "unscored_slices"
    }

    init(predictions: String, clip: Double, score: FoldedScore, isFolded: Bool, baseline: Score, unscoredSlices: Int) {
        self.predictions = predictions
        self.clip = clip
        overall = Line(score.overall)
        self.baseline = Line(baseline)
        folds = isFolded ? score.perFold.map { Line($0.score, fold: $0.fold) } : nil
        self.unscoredSlices = unscoredSlices
    }

    var text: String {
        let columns = ["slices"] + HemorrhageType.allCases.map(\.rawValue) + ["overall"]
        var table = TextTable([("", .left)] + columns.map { ($0, .right) })
        for line in folds ?? [] { table.rows.append(["fold \(line.fold ?? 0)"] + line.cells) }
        table.rows.append(["all"] + overall.cells)
        table.rows.append(["constant frequencies"] + baseline.cells)
        guard let standing else { return table.text }
        let medal = standing.medal.map { "\($0.rawValue) medal" } ?? "no medal"
        return table.text
            + "\nrank \(standing.rank) of \(standing.teams) teams (top \(Numbers.fixed(standing.topPercent, 1)) %), \(medal)"
    }
}
