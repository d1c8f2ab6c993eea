import Basics

/// The range in which 95 of 100 resamples of a statistic lie.
public struct Interval: Sendable, Equatable, Codable {
    /// The 2.5th percentile of the resamples.
    public let low: Double
    /// The 97.5th percentile of the resamples.
    public let high: Double

    /// Takes the 2.5th and the 97.5th percentile, interpolated between neighbours as `numpy.percentile` does; nil without resamples.
    public init?(_ resamples: [Double]) {
        guard !resamples.isEmpty else { return nil }
        let sorted = resamples.sorted()
        low = Self.percentile(2.5, of: sorted)
        high = Self.percentile(97.5, of: sorted)
    }

    private static func percentile(_ percent: Double, of sorted: [Double]) -> Double {
        let place = percent / 100 * Double(sorted.count - 1)
        let below = Int(place)
        guard below + 1 < sorted.count else { return sorted[below] }
        return sorted[below] + (place - Double(below)) * (sorted[below + 1] - sorted[below])
    }
}

/// Resampling by patient: the slices of a patient look alike, so patients, not slices, are drawn with replacement.
///
/// As many patients are drawn as there are, and a slice counts as often as its patient was drawn (B. Efron, R. Tibshirani, "An
/// Introduction to the Bootstrap", 1993). Patients are numbered in ascending order of ID, so results depend on no order of rows.
public struct PatientBootstrap: Sendable {
    /// The patient's number of each slice.
    package let patientOfSlice: [Int]
    /// How many patients there are.
    package let patients: Int
    private let resamples: Int
    private let below: @Sendable (_ resample: Int, _ bound: UInt32) -> () -> UInt32

    /// Numbers the patients; nothing is drawn yet.
    ///
    /// - Parameters:
    ///   - patients: The patient's ID of each slice.
    ///   - resamples: How many times to draw.
    ///   - stream: The random numbers of a resample, each from 0 to below the bound.
    public init(
        patients: [String], resamples: Int,
        stream: @escaping @Sendable (_ resample: Int, _ bound: UInt32) -> () -> UInt32
    ) {
        let ids = Set(patients).sorted()
        let numbers = Dictionary(uniqueKeysWithValues: zip(ids, ids.indices))
        patientOfSlice = patients.map { numbers[$0] ?? 0 }
        self.patients = ids.count
        self.resamples = resamples
        below = stream
    }

    /// Why there are no intervals, in words; nil if there are: the only patient would be drawn every time.
    package var withoutIntervals: String? {
        patients < 2
            ? "all slices are of one patient: no 95 % interval can be told, patients are what is resampled" : nil
    }

    /// A statistic of every resample, from the number of times that each patient was drawn; none with a single patient.
    public func resample<Value: Sendable>(_ statistic: @Sendable (_ timesDrawn: [Int]) -> Value) -> [Value] {
        concurrentMap(withoutIntervals == nil ? resamples : 0) { resample in
            let next = below(resample, UInt32(patients))
            var timesDrawn = [Int](repeating: 0, count: patients)
            for _ in 0..<patients { timesDrawn[Int(next())] += 1 }
            return statistic(timesDrawn)
        }
    }

    /// The intervals of the mean loss of each type, and of their weighted mean last; nil with a single patient.
    ///
    /// - Parameter losses: Six for each slice, as ``sliceLosses(predictions:truth:clip:)`` gives them, or differences of such.
    public func intervals(ofMeanLoss losses: [Double]) -> [Interval?] {
        let types = HemorrhageType.allCases
        let columns = types.count + 1
        let sums = sumsByPatient(losses)
        let means = resample { timesDrawn -> [Double] in
            var totals = [Double](repeating: 0, count: columns)
            for (patient, times) in timesDrawn.enumerated() where times > 0 {
                for column in 0..<columns { totals[column] += Double(times) * sums[patient * columns + column] }
            }
            let perType = totals.dropLast().map { $0 / totals[columns - 1] }
            var (weighted, weights) = (0.0, 0.0)
            for (mean, type) in zip(perType, types) {
                weighted += mean * type.lossWeight
                weights += type.lossWeight
            }
            return perType + [weighted / weights]
        }
        return (0..<columns).map { column in Interval(means.map { $0[column] }) }
    }

    /// For each patient the six sums of losses and the number of slices; the terms of a sum are added in ascending order.
    private func sumsByPatient(_ losses: [Double]) -> [Double] {
        let types = HemorrhageType.allCases.count
        var members = [[Int]](repeating: [], count: patients)
        for (slice, patient) in patientOfSlice.enumerated() { members[patient].append(slice) }
        let (slicesOf, all) = (members, losses)
        let sums = concurrentMap(patients) { patient -> [Double] in
            let slices = slicesOf[patient]
            var sums = (0..<types).map { type -> Double in
                let terms = slices.map { all[$0 * types + type] }
                return terms.sorted().reduce(0, +)
            }
            sums.append(Double(slices.count))
            return sums
        }
        return sums.flatMap { $0 }
    }
}
