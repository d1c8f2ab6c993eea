/// How well the predictions of one type tell positive from negative slices, and how far they can be taken as probabilities.
///
/// What scikit-learn computes as `roc_auc_score`, `average_precision_score`, `brier_score_loss`, and from `calibration_curve` with
/// 10 uniform bins. No statistic depends on the order of the slices.
public struct ClassificationMetrics: Sendable, Equatable, Codable {
    /// How many slices were predicted; in a resample each counts as often as it was drawn.
    public let slices: Int
    /// How many of the slices are positive.
    public let positives: Int
    /// The probability that a positive slice is predicted higher than a negative one, ties counting half; nil with one class only.
    public let areaUnderCurve: Double?
    /// The precision at each distinct prediction, weighted by the recall gained there; nil without positive slices.
    public let averagePrecision: Double?
    /// The mean of (prediction - label)².
    public let brierScore: Double
    /// The expected calibration error: over 10 equally wide bins of predictions, each open below, the mean of
    /// |mean prediction - share of positive slices|, weighted by the number of slices (Naeini, Cooper, Hauskrecht, AAAI 2015).
    public let calibrationError: Double
}

/// The predictions of one type in ascending order, from which its statistics follow for any weights of the slices.
///
/// Sorting is the costly part and is done once; a bootstrap resample is then one walk.
public struct RankedPredictions: Sendable {
    private struct Entry: Sendable {
        let prediction: Double
        /// What is drawn when the slice is: its patient.
        let group: Int32
        let isPositive: Bool
    }

    private let entries: [Entry]

    /// Sorts the predictions of one type.
    ///
    /// - Parameters:
    ///   - predictions: One a slice; finite.
    ///   - truth: The slices' labels.
    ///   - groups: The number of each slice's patient; nil where no resamples are wanted.
    public init(_ predictions: [Double], truth: [Bool], groups: [Int]? = nil) {
        precondition(predictions.count == truth.count, "each slice has one prediction and one label")
        entries = predictions.indices.map {
            Entry(prediction: predictions[$0], group: Int32(groups?[$0] ?? $0), isPositive: truth[$0])
        }.sorted { $0.prediction < $1.prediction }
    }

    /// The statistics of all slices; nil if there is none.
    public func metrics() -> ClassificationMetrics? { metrics { _ in 1 } }

    /// The statistics with each slice counted as often as its group was drawn; nil if none is counted.
    public func metrics(timesDrawn: [Int]) -> ClassificationMetrics? {
        timesDrawn.withUnsafeBufferPointer { times in metrics { times[Int($0)] } }
    }

    @inline(__always)
    private func metrics(weight: (_ group: Int32) -> Int) -> ClassificationMetrics? {
        var total = Counts()
        for entry in entries { total.add(weight(entry.group), entry.isPositive) }
        guard total.all > 0 else { return nil }
        var walk = Walk(total)
        var level = Counts()
        var prediction = 0.0
        for entry in entries {
            if entry.prediction != prediction && level.all > 0 {
                walk.take(prediction, level)
                level = Counts()
            }
            prediction = entry.prediction
            level.add(weight(entry.group), entry.isPositive)
        }
        if level.all > 0 { walk.take(prediction, level) }
        return walk.metrics()
    }
}

private struct Counts {
    var positives = 0
    var negatives = 0
    var all: Int { positives + negatives }

    @inline(__always)
    mutating func add(_ weight: Int, _ isPositive: Bool) {
        if isPositive { positives += weight } else { negatives += weight }
    }
}

/// The sums of a walk over the distinct predictions in ascending order.
private struct Walk {
    private let total: Counts
    private var below = Counts()
    /// For each positive slice, the negative ones below it twice and those level with it once: an integer, so exact.
    private var wins: Int128 = 0
    private var precisions = CompensatedSum()
    private var squares = CompensatedSum()
    /// The sum of |sum of predictions - positive slices| over the bins that are done.
    private var calibration = 0.0
    private var bin = (number: 0, positives: 0, sum: CompensatedSum())

    private static let binCount = 10

    init(_ total: Counts) { self.total = total }

    mutating func take(_ prediction: Double, _ level: Counts) {
        // numpy.linspace's edges; a prediction on an edge belongs to the bin below.
        while bin.number + 1 < Self.binCount && prediction > Double(bin.number + 1) * (1 / Double(Self.binCount)) {
            closeBin()
        }
        bin.positives += level.positives
        bin.sum.add(prediction * Double(level.all))
        squares.add(prediction * prediction * Double(level.negatives))
        squares.add((prediction - 1) * (prediction - 1) * Double(level.positives))
        wins += Int128(level.positives * (2 * below.negatives + level.negatives))
        // Of the slices that are predicted this high or higher, the share that is positive.
        let precision = Double(total.positives - below.positives) / Double(total.all - below.all)
        precisions.add(precision * Double(level.positives))
        below.positives += level.positives
        below.negatives += level.negatives
    }

    private mutating func closeBin() {
        calibration += abs(bin.sum.value - Double(bin.positives))
        bin = (bin.number + 1, 0, CompensatedSum())
    }

    mutating func metrics() -> ClassificationMetrics {
        closeBin()
        let pairs = Double(total.positives) * Double(total.negatives)
        return ClassificationMetrics(
            slices: total.all, positives: total.positives, areaUnderCurve: pairs > 0 ? Double(wins) / (2 * pairs) : nil,
            averagePrecision: total.positives > 0 ? precisions.value / Double(total.positives) : nil,
            brierScore: squares.value / Double(total.all), calibrationError: calibration / Double(total.all))
    }
}

/// A sum of doubles with the rounding errors kept aside (A. Neumaier, ZAMM 1974): quick, and right to the last digits.
private struct CompensatedSum {
    private var sum = 0.0
    private var error = 0.0
    var value: Double { sum + error }

    @inline(__always)
    mutating func add(_ term: Double) {
        let next = sum + term
        error += abs(sum) >= abs(term) ? (sum - next) + term : (term - next) + sum
        sum = next
    }
}
