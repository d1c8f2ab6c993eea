import Basics
import Metrics

/// What `repro score` found, as its JSON has it.
package struct ScoreReport: Encodable {
    /// A score with its types by name.
    package struct Line: Encodable {
        package let fold: Int?
        /// `public` or `private`.
        package let part: String?
        package let slices: Int
        package let perType: [String: Double]
        package let overall: Double

        package enum CodingKeys: String, CodingKey {
            case fold, part, slices, overall
            case perType = "per_type"
        }

        package init(_ score: Score, fold: Int? = nil, part: String? = nil) {
            self.fold = fold
            self.part = part
            slices = score.count
            perType = Dictionary(uniqueKeysWithValues: zip(HemorrhageType.allCases.map(\.rawValue), score.perType))
            overall = score.overall
        }

        /// The numbers of a row of the table, to 5 decimals as Kaggle shows them.
        package var cells: [String] {
            ["\(slices)"] + HemorrhageType.allCases.map { Numbers.fixed(perType[$0.rawValue] ?? .nan, 5) }
                + [Numbers.fixed(overall, 5)]
        }
    }

    /// The 95 % intervals of the score.
    package struct Intervals: Encodable {
        package let patients: Int
        package let perType: [String: Interval]
        package let overall: Interval?
        /// Why there is none; nil if there are.
        package let note: String?

        package enum CodingKeys: String, CodingKey {
            case patients, overall, note
            case perType = "per_type"
        }

        /// - Parameter intervals: Those of the six types, then that of the whole.
        package init(_ intervals: [Interval?], patients: Int, note: String? = nil) {
            self.patients = patients
            self.note = note
            perType = Dictionary(
                uniqueKeysWithValues: zip(HemorrhageType.allCases.map(\.rawValue), intervals).compactMap {
                    name, interval in
                    interval.map { (name, $0) }
                })
            overall = intervals.last ?? nil
        }

        package func cells(_ end: KeyPath<Interval, Double>) -> [String] {
            let ends = HemorrhageType.allCases.map { perType[$0.rawValue] } + [overall]
            return ["\(patients) patients"] + ends.map { $0.map { Numbers.fixed($0[keyPath: end], 5) } ?? "" }
        }
    }

    /// The statistics of one type.
    package struct Statistics: Encodable {
        package let type: HemorrhageType
        package let metrics: ClassificationMetrics
        /// By the statistics' names; nil without a bootstrap.
        package let intervals: [String: Interval]?

        /// A statistic's name and where its value is; nil where there is none, for a type that no slice has.
        package struct Kind: Sendable {
            package let name: String
            package let value: @Sendable (ClassificationMetrics) -> Double?
        }

        package static let kinds = [
            Kind(name: "AUC") { $0.areaUnderCurve }, Kind(name: "average precision") { $0.averagePrecision },
            Kind(name: "Brier") { $0.brierScore }, Kind(name: "calibration error") { $0.calibrationError },
        ]

        /// - Parameter intervals: one for each of ``kinds``.
        package init(type: HemorrhageType, metrics: ClassificationMetrics, intervals: [Interval?]?) {
            self.type = type
            self.metrics = metrics
            self.intervals = intervals.map { intervals in
                Dictionary(
                    uniqueKeysWithValues: zip(Self.kinds, intervals).compactMap { kind, interval in
                        interval.map { (kind.name, $0) }
                    })
            }
        }

        package var cells: [String] {
            [type.rawValue, "\(metrics.positives)"]
                + Self.kinds.map { kind in
                    guard let value = kind.value(metrics) else { return "-" }
                    let interval = intervals?[kind.name].map {
                        " (\(Numbers.fixed($0.low, 4))-\(Numbers.fixed($0.high, 4)))"
                    }
                    return Numbers.fixed(value, 4) + (interval ?? "")
                }
        }
    }

    package let predictions: String
    package let clip: Double
    package let overall: Line
    /// The score of predicting each type's frequency among the scored slices.
    package let baseline: Line
    /// nil where no folds were given.
    package let folds: [Line]?
    /// The public and the private part; nil where no split was given.
    package var parts: [Line]?
    package var intervals: Intervals?
    package var statistics: [Statistics]?
    /// How many predicted slices are not among those that were scored.
    package let unscoredSlices: Int
    package var standing: Standing?

    package enum CodingKeys: String, CodingKey {
        case predictions, clip, overall, baseline, folds, parts, intervals, statistics, standing
        case unscoredSlices = "unscored_slices"
    }

    package init(predictions: String, clip: Double, score: FoldedScore, baseline: Score, unscoredSlices: Int) {
        self.predictions = predictions
        self.clip = clip
        overall = Line(score.overall)
        self.baseline = Line(baseline)
        folds = score.perFold.isEmpty ? nil : score.perFold.map { Line($0.score, fold: $0.fold) }
        self.unscoredSlices = unscoredSlices
    }

    /// The score that a final leaderboard would show: of the private part, or of all where there are no parts.
    package var comparable: Double { (parts?.first { $0.part == "private" } ?? overall).overall }

    package var text: String {
        var blocks = [scores.text]
        if let statistics {
            var table = TextTable(
                [("", .left), ("positive", .right)] + Statistics.kinds.map { ($0.name, .right) })
            table.rows = statistics.map(\.cells)
            blocks.append(table.text)
        }
        if let note = intervals?.note { blocks.append(note) }
        if let standing {
            let medal = standing.medal.map { "\($0.rawValue) medal" } ?? "no medal"
            blocks.append(
                "rank \(standing.rank) of \(standing.teams) teams (top \(Numbers.fixed(standing.topPercent, 1)) %), \(medal)"
            )
        }
        return blocks.joined(separator: "\n")
    }

    private var scores: TextTable {
        let columns = ["slices"] + HemorrhageType.allCases.map(\.rawValue) + ["overall"]
        var table = TextTable([("", .left)] + columns.map { ($0, .right) })
        for line in folds ?? [] { table.rows.append(["fold \(line.fold ?? 0)"] + line.cells) }
        for line in parts ?? [] { table.rows.append([line.part ?? ""] + line.cells) }
        table.rows.append(["all"] + overall.cells)
        if let intervals, intervals.note == nil {
            table.rows.append(["95 % from"] + intervals.cells(\.low))
            table.rows.append(["95 % to"] + intervals.cells(\.high))
        }
        table.rows.append(["constant frequencies"] + baseline.cells)
        return table
    }
}
