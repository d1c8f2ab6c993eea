import Foundation
import Testing

@testable import Metrics
@testable import TestSupport

@Suite("weighted log loss")
struct WeightedLogLossTests {
    /// 20 slices by a formula that float64 computes exactly enough to be the same in Python: p = ((37i + 11t² + 5t) mod 101) / 101,
    /// label = ((i² + 3it + t) mod 5) < 2. It holds three predictions of 0, one of them for a label of 1.
    private let predictions: [Double] = (0..<120).map { row in
        let (i, t) = (row / 6, row % 6)
        let remainder = (37 * i + 11 * t * t + 5 * t) % 101
        return Double(remainder) / 101
    }
    private let truth: [Bool] = (0..<120).map { row in
        let (i, t) = (row / 6, row % 6)
        return (i * i + 3 * i * t + t) % 5 < 2
    }

    private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 4e-15 * max(1, abs(b)) }

    /// Expected values: scikit-learn 1.9.1 `log_loss` per column on `numpy.clip(p, clip, 1 - clip)` in float64, and
    /// `numpy.average(..., weights=[1, 1, 1, 1, 1, 2])`.
    @Test("scores are scikit-learn's at Kaggle's clip and at the original's 1e-5")
    func matchesScikitLearn() throws {
        let kaggle = try weightedLogLoss(predictions: predictions, truth: truth)
        let expected = [
            2.711017656748212, 0.9048880363927893, 0.831757515661612, 1.1471460231068646, 1.0557701421493788,
            2.539536912859429,
        ]
        #expect(zip(kaggle.perType, expected).allSatisfy { isClose($0, $1) })
        #expect(isClose(kaggle.overall, 1.675664742825388))
        #expect(kaggle.count == 20)

        let original = try weightedLogLoss(predictions: predictions, truth: truth, clip: 1e-5)
        let clipped = [
            1.559725110251189, 0.9048880363927893, 0.8317580156641119, 1.1471460231068646, 1.0557701421493788,
            1.388244366362406,
        ]
        #expect(zip(original.perType, clipped).allSatisfy { isClose($0, $1) })
        #expect(isClose(original.overall, 1.1822537228984495))
    }

    /// Expected values: as above, over the slices with i mod 3 = 0, 1, 2.
    @Test("each fold is scored over its own slices, the whole over all of them")
    func matchesScikitLearnPerFold() throws {
        let folded = try weightedLogLoss(predictions: predictions, truth: truth, folds: (0..<20).map { $0 % 3 })
        #expect(folded.overall == (try weightedLogLoss(predictions: predictions, truth: truth)))
        #expect(folded.perFold.map(\.fold) == [0, 1, 2])
        #expect(folded.perFold.map(\.score.count) == [7, 7, 6])
        let expected = [1.5015751963039656, 0.9597727439300449, 2.713976545811614]
        #expect(zip(folded.perFold, expected).allSatisfy { isClose($0.score.overall, $1) })
    }

    @Test("the order of the slices changes no bit of the score")
    func orderDoesNotMatter() throws {
        let expected = try weightedLogLoss(predictions: predictions, truth: truth)
        var generator = SplitMix64(state: 1)
        for _ in 0..<10 {
            let order = (0..<20).shuffled(using: &generator)
            let score = try weightedLogLoss(
                predictions: order.flatMap { predictions[$0 * 6..<$0 * 6 + 6] },
                truth: order.flatMap { truth[$0 * 6..<$0 * 6 + 6] })
            #expect(score == expected)
        }
    }

    @Test(
        "a perfect prediction costs -log(1 - clip), a perfectly wrong one -log(clip)", arguments: [1e-15, 1e-6, 1e-5])
    func perfectAndWrong(clip: Double) throws {
        let perfect = try weightedLogLoss(predictions: truth.map { $0 ? 1 : 0 }, truth: truth, clip: clip)
        for loss in perfect.perType + [perfect.overall] { #expect(abs(loss + log1p(-clip)) < 2e-16) }
        // 1 - (1 - clip) is the clip only to within 2^-53: the losses of the labels 0 carry that error, as scikit-learn's do.
        let wrong = try weightedLogLoss(predictions: truth.map { $0 ? 0 : 1 }, truth: truth, clip: clip)
        for loss in wrong.perType + [wrong.overall] { #expect(abs(loss + log(clip)) <= 0x1p-53 / clip) }
    }

    @Test("predicting one half costs log 2 whatever the labels")
    func oneHalf() throws {
        let score = try weightedLogLoss(predictions: Array(repeating: 0.5, count: 120), truth: truth)
        #expect(score.perType.allSatisfy { $0 == 0.6931471805599453 })
        #expect(score.overall == 0.6931471805599453)
    }

    @Test("any weighs twice: an error there costs 2/7 of it, elsewhere 1/7", arguments: HemorrhageType.allCases)
    func weights(type: HemorrhageType) throws {
        let index = try #require(HemorrhageType.allCases.firstIndex(of: type))
        var predictions = Array(repeating: 0.0, count: 6)
        predictions[index] = 0.5
        let score = try weightedLogLoss(predictions: predictions, truth: Array(repeating: false, count: 6))
        #expect(isClose(score.overall, 0.6931471805599453 * (type == .any ? 2 : 1) / 7))
    }

    /// Expected: the entropies of stage 1's class counts (674,258 slices), weighted, in float64 Python.
    @Test("the baseline of stage 1's class frequencies is 0.232")
    func stageOneBaseline() throws {
        let slices = 674_258
        let counts = [2761, 32_564, 23_766, 32_122, 42_496, 97_103]
        let truth = (0..<slices).flatMap { slice in counts.map { slice < $0 } }
        let baseline = try constantFrequencyBaseline(truth: truth)
        #expect(isClose(baseline.overall, 0.23195639565728746))
        #expect(baseline.count == slices)
    }

    @Test("no constant prediction scores below the baseline")
    func baselineIsBestConstant() throws {
        let baseline = try constantFrequencyBaseline(truth: truth)
        for constant in stride(from: 0.0, through: 1, by: 0.05) {
            let score = try weightedLogLoss(predictions: Array(repeating: constant, count: 120), truth: truth)
            for (other, best) in zip(score.perType, baseline.perType) { #expect(other >= best - 1e-15) }
        }
    }

    @Test("infinite predictions are clipped, as Kaggle clips what is outside [0, 1]")
    func clipsInfinity() throws {
        let labels = Array(repeating: false, count: 6)
        let infinite = try weightedLogLoss(predictions: Array(repeating: -.infinity, count: 6), truth: labels)
        #expect(infinite == (try weightedLogLoss(predictions: Array(repeating: 0, count: 6), truth: labels)))
    }

    @Test("nothing to score, arrays that do not fit, NaN and impossible clips are refused by name")
    func refusals() {
        #expect(throws: ScoringError.noSlices) { try weightedLogLoss(predictions: [], truth: []) }
        #expect(throws: ScoringError.noSlices) { try constantFrequencyBaseline(truth: []) }
        #expect(throws: ScoringError.sizesDiffer(predictions: 6, truth: 12)) {
            try weightedLogLoss(predictions: Array(repeating: 0, count: 6), truth: Array(repeating: false, count: 12))
        }
        #expect(throws: ScoringError.sizesDiffer(predictions: 5, truth: 5)) {
            try weightedLogLoss(predictions: Array(repeating: 0, count: 5), truth: Array(repeating: false, count: 5))
        }
        #expect(throws: ScoringError.foldsDiffer(folds: 19, slices: 20)) {
            try weightedLogLoss(predictions: predictions, truth: truth, folds: Array(repeating: 0, count: 19))
        }
        var broken = predictions
        broken[10] = .nan
        #expect(throws: ScoringError.notANumber(slice: 2, type: .subdural)) {
            try weightedLogLoss(predictions: broken, truth: truth)
        }
        for clip in [0, 0.5, -1, 1e-17, Double.nan] {
            #expect(throws: ScoringError.self) {
                try weightedLogLoss(predictions: predictions, truth: truth, clip: clip)
            }
        }
    }
}
