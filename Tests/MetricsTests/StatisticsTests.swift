import Foundation
import Testing

@testable import Metrics
@testable import TestSupport

/// What scikit-learn and scipy say of small inputs: `golden/metrics.json`, made by `golden/metrics.py`.
struct ReferenceStatistics: Decodable {
    struct Column: Decodable {
        let name: String
        let truth: [Int]
        let predictions: [Double]
        let logLoss: Double
        let logLossAtTheOriginalsClip: Double
        let auc: Double?
        let averagePrecision: Double?
        let brier: Double
        let calibrationError: Double

        enum CodingKeys: String, CodingKey {
            case name, truth, predictions, auc, brier
            case logLoss = "log_loss"
            case logLossAtTheOriginalsClip = "log_loss_1e-5"
            case averagePrecision = "average_precision"
            case calibrationError = "calibration_error"
        }
    }

    struct Fit: Decodable {
        let truth: [Int]
        let tables: [[Double]]
        let weights: [Double]
        let loss: Double
    }

    struct Percentiles: Decodable {
        let values: [Double]
        let low: Double
        let high: Double
    }

    let columns: [Column]
    let fit: Fit
    let percentiles: Percentiles

    static func load() throws -> ReferenceStatistics {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../golden/metrics.json").standardizedFileURL
        return try JSONDecoder().decode(ReferenceStatistics.self, from: Data(contentsOf: file))
    }
}

@Suite("statistics")
struct StatisticsTests {
    private func isClose(_ a: Double?, _ b: Double?) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return abs(a - b) <= 1e-12 * max(1, abs(b))
    }

    @Test("each statistic is scikit-learn's, with ties, one class, equal predictions and predictions on bin edges")
    func scikitLearn() throws {
        for column in try ReferenceStatistics.load().columns {
            let truth = column.truth.map { $0 == 1 }
            let found = try #require(RankedPredictions(column.predictions, truth: truth).metrics())
            #expect(found.slices == truth.count && found.positives == truth.count { $0 })
            #expect(isClose(found.areaUnderCurve, column.auc), "\(column.name)")
            #expect(isClose(found.averagePrecision, column.averagePrecision), "\(column.name)")
            #expect(isClose(found.brierScore, column.brier), "\(column.name)")
            #expect(isClose(found.calibrationError, column.calibrationError), "\(column.name)")
        }
    }

    @Test("the log loss of each type is scikit-learn's at either clip")
    func logLoss() throws {
        for column in try ReferenceStatistics.load().columns {
            // The column as `any`, the other types predicted perfectly.
            let others = [Bool](repeating: false, count: 5)
            let truth: [Bool] = column.truth.map { others + [$0 == 1] }.reduce([], +)
            let predictions: [Double] = column.predictions.map { [0, 0, 0, 0, 0, $0] }.reduce([], +)
            for (clip, expected) in [(1e-15, column.logLoss), (1e-5, column.logLossAtTheOriginalsClip)] {
                let score = try weightedLogLoss(predictions: predictions, truth: truth, clip: clip)
                #expect(isClose(score.perType[5], expected), "\(column.name)")
                let losses = try sliceLosses(predictions: predictions, truth: truth, clip: clip)
                let sum = stride(from: 5, to: losses.count, by: 6).reduce(0.0) { $0 + losses[$1] }
                #expect(isClose(sum / Double(truth.count / 6), expected), "\(column.name)")
            }
        }
    }

    @Test("the order of the slices changes no bit of a statistic")
    func order() throws {
        var generator = SplitMix64(state: 21)
        let column = try #require(try ReferenceStatistics.load().columns.first { $0.name == "ties" })
        let expected = RankedPredictions(column.predictions, truth: column.truth.map { $0 == 1 }).metrics()
        for _ in 0..<20 {
            let places = column.truth.indices.shuffled(using: &generator)
            let found = RankedPredictions(
                places.map { column.predictions[$0] }, truth: places.map { column.truth[$0] == 1 }
            ).metrics()
            #expect(found == expected)
        }
    }

    @Test("a slice of weight n counts as n slices, one of weight 0 as none, and nothing counted gives nothing")
    func weights() throws {
        for column in try ReferenceStatistics.load().columns {
            let truth = column.truth.map { $0 == 1 }
            let times = truth.indices.map { $0 * 7 % 4 }
            let places = truth.indices.map { [Int](repeating: $0, count: times[$0]) }.reduce([], +)
            let repeated = RankedPredictions(places.map { column.predictions[$0] }, truth: places.map { truth[$0] })
            let weighted = RankedPredictions(column.predictions, truth: truth).metrics(timesDrawn: times)
            #expect(isClose(weighted?.areaUnderCurve, repeated.metrics()?.areaUnderCurve))
            #expect(isClose(weighted?.averagePrecision, repeated.metrics()?.averagePrecision))
            #expect(isClose(weighted?.brierScore, repeated.metrics()?.brierScore))
            #expect(isClose(weighted?.calibrationError, repeated.metrics()?.calibrationError))
        }
        #expect(RankedPredictions([], truth: []).metrics() == nil)
        #expect(RankedPredictions([0.5], truth: [true]).metrics(timesDrawn: [0]) == nil)
    }
}

@Suite("bootstrap by patient")
struct BootstrapTests {
    /// A stream for the tests; commands use Philox.
    private static let stream: @Sendable (Int, UInt32) -> () -> UInt32 = { resample, bound in
        var generator = SplitMix64(state: UInt64(resample))
        return { UInt32.random(in: 0..<bound, using: &generator) }
    }

    @Test("percentiles are numpy's")
    func percentiles() throws {
        let expected = try ReferenceStatistics.load().percentiles
        let interval = try #require(Interval(expected.values))
        #expect(abs(interval.low - expected.low) < 1e-12 && abs(interval.high - expected.high) < 1e-12)
        #expect(Interval([2])?.low == 2)
        #expect(Interval([]) == nil)
    }

    @Test("as many patients are drawn as there are, and patients without spread give an interval without width")
    func draws() {
        let bootstrap = PatientBootstrap(patients: ["b", "a", "b", "c"], resamples: 50, stream: Self.stream)
        #expect(bootstrap.patientOfSlice == [1, 0, 1, 2])
        #expect(bootstrap.resample { $0.reduce(0, +) } == Array(repeating: 3, count: 50))
        let equal = bootstrap.intervals(ofMeanLoss: Array(repeating: 0.25, count: 24))
        #expect(equal.count == 7)
        #expect(equal.allSatisfy { $0?.low == 0.25 && $0?.high == 0.25 })
    }

    @Test("a single patient gives no interval and no resample")
    func onePatient() {
        let bootstrap = PatientBootstrap(patients: ["a", "a"], resamples: 50, stream: Self.stream)
        #expect(bootstrap.intervals(ofMeanLoss: Array(repeating: 0.25, count: 12)).allSatisfy { $0 == nil })
        #expect(bootstrap.resample { $0.count }.isEmpty && bootstrap.withoutIntervals != nil)
    }

    @Test("the interval is that of resampled patients, not slices: a patient's slices come and go together")
    func byPatient() throws {
        // One patient with loss 1 on 30 slices, nine with loss 0 on 30: the mean's spread is that of 10 patients, not of 300 slices.
        let patients = (0..<10).flatMap { Array(repeating: "p\($0)", count: 30) }
        let losses = patients.flatMap { Array(repeating: $0 == "p0" ? 1.0 : 0, count: 6) }
        let bootstrap = PatientBootstrap(patients: patients, resamples: 2000, stream: Self.stream)
        let interval = try #require(bootstrap.intervals(ofMeanLoss: losses)[6])
        // Binomial(10, 1/10) / 10: its 2.5th and 97.5th percentiles.
        #expect(abs(interval.low - 0) < 1e-12 && abs(interval.high - 0.3) < 1e-12)
    }

    @Test("the order of the slices changes no bit of an interval")
    func order() {
        var generator = SplitMix64(state: 4)
        let patients = (0..<200).map { "p\($0 % 23)" }
        let losses = (0..<1200).map { _ in Double.random(in: 0...3, using: &generator) }
        let expected = PatientBootstrap(patients: patients, resamples: 40, stream: Self.stream)
            .intervals(ofMeanLoss: losses)
        let places = patients.indices.shuffled(using: &generator)
        let found = PatientBootstrap(patients: places.map { patients[$0] }, resamples: 40, stream: Self.stream)
            .intervals(ofMeanLoss: places.flatMap { losses[$0 * 6..<$0 * 6 + 6] })
        #expect(found == expected)
    }
}

@Suite("fitted blend weights")
struct WeightFitTests {
    @Test("the weights are those that scipy finds, and the bound on what is left is kept")
    func scipy() throws {
        let reference = try ReferenceStatistics.load().fit
        let truth = reference.truth.map { $0 == 1 }
        let fit = try WeightFit(reference.tables, truth: truth).fit(slices: Array(0..<truth.count / 6))
        #expect(fit.gap <= 1e-9)
        #expect(abs(fit.loss - reference.loss) < 1e-9)
        #expect(fit.loss <= reference.loss + 1e-10)
        for (found, expected) in zip(fit.weights, reference.weights) { #expect(abs(found - expected) < 1e-4) }
        #expect(abs(fit.weights.reduce(0, +) - 1) < 1e-12)
    }

    @Test("no other weights are better: not in 500 random places, and not at the corners")
    func isMinimum() throws {
        let reference = try ReferenceStatistics.load().fit
        let truth = reference.truth.map { $0 == 1 }
        let fit = try WeightFit(reference.tables, truth: truth).fit(slices: Array(0..<truth.count / 6))
        var generator = SplitMix64(state: 8)
        var tried = [[1, 0, 0], [0, 1, 0], [0, 0, 1], fit.weights] as [[Double]]
        for _ in 0..<500 {
            let raw = (0..<3).map { _ in Double.random(in: 0...1, using: &generator) }
            tried.append(raw.map { $0 / raw.reduce(0, +) })
        }
        for weights in tried {
            let blend = truth.indices.map { row in zip(weights, reference.tables).reduce(0) { $0 + $1.0 * $1.1[row] } }
            let score = try weightedLogLoss(predictions: blend, truth: truth)
            #expect(score.overall >= fit.loss - 1e-10)
            if weights == fit.weights { #expect(abs(score.overall - fit.loss) < 1e-12) }
        }
    }

    @Test("a table that is right gets all the weight, equal tables share it, and useless ones get none")
    func extremes() throws {
        let truth = (0..<120).map { $0 % 3 == 0 }
        let right = truth.map { $0 ? 0.9 : 0.1 }
        let wrong = truth.map { $0 ? 0.2 : 0.8 }
        let slices = Array(0..<20)
        #expect(try WeightFit([wrong, right], truth: truth).fit(slices: slices).weights == [0, 1])
        #expect(try WeightFit([right, right], truth: truth).fit(slices: slices).weights == [0.5, 0.5])
        #expect(try WeightFit([right], truth: truth).fit(slices: slices).weights == [1])
        #expect(throws: ScoringError.self) { try WeightFit([right, [0.5]], truth: truth) }
        #expect(throws: ScoringError.self) { try WeightFit([], truth: truth) }
    }
}
