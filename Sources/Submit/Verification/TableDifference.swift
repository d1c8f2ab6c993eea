import Metrics

/// How far and where two prediction tables differ, on the slices that both have.
public struct TableDifference: Sendable, Equatable, Codable {
    /// The differences of one type, or of all.
    public struct Column: Sendable, Equatable, Codable {
        /// The type; nil for all types together.
        public let type: HemorrhageType?
        /// The largest absolute difference of two values.
        public let largest: Double
        /// The mean absolute difference.
        public let mean: Double
        /// Pearson's correlation; nil if either side has one value only.
        public let correlation: Double?
        /// How many values differ at all.
        public let differing: Int
    }

    /// The two values of a row that differ.
    public struct Row: Sendable, Equatable, Codable {
        /// The row's ID, `ID_0002081b6_epidural`.
        public let id: String
        /// The value in the first table.
        public let first: Double
        /// The value in the second table.
        public let second: Double
        /// The absolute difference of the two.
        public var difference: Double { abs(first - second) }
    }

    /// The differences of the six types, then of all together.
    public let columns: [Column]
    /// The rows that differ most, the worst first, ties in the order of the first table.
    public let worst: [Row]
    /// How many slices both tables have.
    public let commonSlices: Int
    /// Slices that only the first table has, in its order.
    public let onlyInFirst: [String]
    /// Slices that only the second table has, in its order.
    public let onlyInSecond: [String]

    /// The largest difference of any value.
    public var largest: Double { columns.last?.largest ?? 0 }

    /// Compares two tables on the slices that both have.
    ///
    /// - Parameter worst: How many of the worst rows to keep.
    public init(_ first: PredictionTable, _ second: PredictionTable, worst count: Int) {
        let index = SliceIndex(second.sliceIDs)
        let known = SliceIndex(first.sliceIDs)
        let pairs = first.sliceIDs.indices.compactMap { slice in index[first.sliceIDs[slice]].map { (slice, $0) } }
        commonSlices = pairs.count
        onlyInFirst = first.sliceIDs.filter { index[$0] == nil }
        onlyInSecond = second.sliceIDs.filter { known[$0] == nil }
        let a = gather(pairs.map(\.0), from: first.values)
        let b = gather(pairs.map(\.1), from: second.values)
        columns =
            HemorrhageType.allCases.enumerated().map { number, type in
                Self.column(type, a, b, stride(from: number, to: a.count, by: typeCount))
            } + [Self.column(nil, a, b, stride(from: 0, to: a.count, by: 1))]
        let order = a.indices.filter { a[$0] != b[$0] }
            .sorted { (abs(a[$1] - b[$1]), $0) < (abs(a[$0] - b[$0]), $1) }
        worst = order.prefix(count).map { row in
            let id = first.sliceIDs[pairs[row / typeCount].0]
            return Row(
                id: "\(id)_\(HemorrhageType.allCases[row % typeCount].rawValue)", first: a[row], second: b[row])
        }
    }

    private static func column(
        _ type: HemorrhageType?, _ a: [Double], _ b: [Double], _ rows: StrideTo<Int>
    ) -> Column {
        var (largest, sum, differing, count) = (0.0, 0.0, 0, 0.0)
        var (meanA, meanB) = (0.0, 0.0)
        for row in rows {
            let difference = abs(a[row] - b[row])
            largest = max(largest, difference)
            sum += difference
            if difference > 0 { differing += 1 }
            count += 1
            meanA += a[row]
            meanB += b[row]
        }
        meanA /= count
        meanB /= count
        // Sums of deviations from the mean: those of the values themselves would lose their leading digits.
        var (squaresA, squaresB, products) = (0.0, 0.0, 0.0)
        for row in rows {
            squaresA += (a[row] - meanA) * (a[row] - meanA)
            squaresB += (b[row] - meanB) * (b[row] - meanB)
            products += (a[row] - meanA) * (b[row] - meanB)
        }
        return Column(
            type: type, largest: largest, mean: count > 0 ? sum / count : 0,
            correlation: squaresA > 0 && squaresB > 0
                ? products / (squaresA.squareRoot() * squaresB.squareRoot()) : nil,
            differing: differing)
    }
}
