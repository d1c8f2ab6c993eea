import Basics
import Metrics
import Submit

/// The weights that `repro blend --fit` finds, beside others, with what each reaches out of fold.
package struct BlendFit: Encodable {
    /// One way of weighting the tables.
    package struct Line: Encodable {
        package let name: String
        /// nil where every fold has its own.
        package let weights: [Double]?
        package let overall: Double
    }

    /// What fitting brings against equal weights: a score minus a score, so below 0 where it helps.
    package struct Gain: Encodable {
        package let inSample: Double
        /// With each fold's weights from the others; nil without folds.
        package var honest: Double?
        /// Of the honest gain, or without folds of the other; nil where patients are not known.
        package var interval: Interval?

        package enum CodingKeys: String, CodingKey {
            case honest, interval
            case inSample = "in_sample"
        }
    }

    /// The tables' names, in the order of the weights.
    package let tables: [String]
    package let slices: Int
    package let lines: [Line]
    /// The weights that minimise the loss over all slices.
    package let fitted: [Double]
    /// The weights fitted without each fold, which its slices were scored with.
    package let withoutFold: [Int: [Double]]?
    /// nil for a single table.
    package private(set) var gain: Gain?

    package enum CodingKeys: String, CodingKey {
        case tables, slices, lines, fitted, gain
        case withoutFold = "without_fold"
    }

    /// The original's two sets of weights for resnet34, se_resnext50_32x4d and efficientnet-b3 (docs/original.md).
    package static let original: [[Double]] = [[0.15, 0.5, 0.35], [0.3, 0.4, 0.3]]

    /// - Parameters:
    ///   - values: Each table's probabilities, six for each slice.
    ///   - folds: The fold of each slice, for nested cross-validation; no patient may be in two of them.
    ///   - resampling: Draws the patients of the slices; nil where they are not known.
    package init(
        tables: [String], values: [[Double]], truth: [Bool], folds: [Int]?, resampling: PatientBootstrap?, clip: Double
    ) throws {
        self.tables = tables
        let types = HemorrhageType.allCases.count
        slices = truth.count / types
        let fit = try WeightFit(values, truth: truth)
        let fitted = fit.fit(slices: Array(0..<slices)).weights
        self.fitted = fitted
        func line(_ name: String, _ weights: [Double]) throws -> Line {
            let score = try weightedLogLoss(
                predictions: Self.blended(values) { _ in weights }, truth: truth, clip: clip)
            return Line(name: name, weights: weights, overall: score.overall)
        }
        var lines = try tables.indices.map { number in
            try line(tables[number], tables.indices.map { $0 == number ? 1 : 0 })
        }
        let equal = equalWeights(tables.count)
        if tables.count > 1 { lines.append(try line("equal weights", equal)) }
        if tables.count == 3 {
            for weights in Self.original { lines.append(try line("the original's weights", weights)) }
        }
        lines.append(try line("fitted, in sample", fitted))
        let withoutFold = folds.map { folds in
            Dictionary(
                uniqueKeysWithValues: Set(folds).sorted().map { fold in
                    (fold, fit.fit(slices: folds.indices.filter { folds[$0] != fold }).weights)
                })
        }
        var best = Self.blended(values) { _ in fitted }
        let inSample = try weightedLogLoss(predictions: best, truth: truth, clip: clip).overall
        if let folds, let withoutFold {
            let honest = Self.blended(values) { withoutFold[folds[$0]] ?? fitted }
            best = honest
            let score = try weightedLogLoss(predictions: honest, truth: truth, clip: clip)
            lines.append(
                Line(name: "fitted, each fold with the weights of the others", weights: nil, overall: score.overall))
        }
        self.lines = lines
        self.withoutFold = withoutFold
        guard tables.count > 1 else { return }
        let before = Self.blended(values) { _ in equal }
        let overall = try weightedLogLoss(predictions: before, truth: truth, clip: clip).overall
        gain = Gain(
            inSample: inSample - overall,
            honest: folds == nil ? nil : (lines.last?.overall ?? .nan) - overall,
            interval: try resampling?.intervals(
                ofMeanLoss: zip(
                    sliceLosses(predictions: best, truth: truth, clip: clip),
                    sliceLosses(predictions: before, truth: truth, clip: clip)
                ).map { $0 - $1 }
            ).last ?? nil)
    }

    /// The rows' weighted sums, with the weights of each row's slice.
    private static func blended(_ values: [[Double]], _ weights: (_ slice: Int) -> [Double]) -> [Double] {
        let types = HemorrhageType.allCases.count
        return (values.first ?? []).indices.map { row in
            zip(weights(row / types), values).reduce(0.0) { $0 + $1.0 * $1.1[row] }
        }
    }

    package var text: String {
        var table = TextTable(
            [("weights", .left), ("overall", .right)] + tables.indices.map { ("w\($0 + 1)", .right) })
        for line in lines {
            table.rows.append(
                [line.name, Numbers.fixed(line.overall, 5)]
                    + (line.weights?.map { Numbers.fixed($0, 4) } ?? tables.map { _ in "" }))
        }
        var text = [table.text]
        if let withoutFold {
            text.append(
                "without fold "
                    + withoutFold.sorted { $0.key < $1.key }.map { fold, weights in
                        "\(fold): \(weights.map { Numbers.fixed($0, 4) }.joined(separator: ", "))"
                    }.joined(separator: "; "))
        }
        if let gain {
            let honest = gain.honest.map { ", honest \(Numbers.fixed($0, 5))" } ?? ""
            let interval = gain.interval.map {
                " (95 % from \(Numbers.fixed($0.low, 5)) to \(Numbers.fixed($0.high, 5)))"
            }
            text.append(
                "effect against equal weights: in sample \(Numbers.fixed(gain.inSample, 5))\(honest)\(interval ?? "")")
        }
        text.append("--weights \(fitted.map { "\($0)" }.joined(separator: ","))")
        return text.joined(separator: "\n")
    }
}
