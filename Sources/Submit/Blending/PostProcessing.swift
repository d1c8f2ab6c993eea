import Metrics

/// A step that changes predictions after the networks, as competitors tried them; none is applied unless it is asked for.
public enum PostProcessing: Sendable, Equatable {
    /// `any` is raised to the largest of the five types: a slice with a type has any.
    case anyAtLeastLargest
    /// Each type is lowered to `any`.
    case typesAtMostAny
    /// `any` is lowered to the sum of the five types, which it cannot exceed.
    case anyAtMostSum
    /// The rolling mean over neighbouring slices of a study with the weights side, center, side (0.6, 1.8, 0.6 in the competition); at
    /// the ends of a study the weights that remain are used.
    case smoothing(center: Double, side: Double)
    /// Values are held in [clip, 1 - clip].
    case clipping(Double)

    /// The step applied to a table.
    ///
    /// - Parameter studies: For smoothing, the slices of each study in order; slices that are in none are left as they are, and
    ///   slices that are not in the table are no neighbours.
    public func applied(to table: PredictionTable, studies: [[String]] = []) -> PredictionTable {
        var table = table
        switch self {
        case .anyAtLeastLargest, .typesAtMostAny, .anyAtMostSum:
            for first in stride(from: 0, to: table.values.count, by: typeCount) {
                restoreLogic(of: &table.values[first..<first + typeCount])
            }
        case .smoothing(let center, let side): smooth(&table, studies, center, side)
        case .clipping(let clip): table.values = table.values.map { min(max($0, clip), 1 - clip) }
        }
        return table
    }

    /// - Parameter slice: The six values of a slice, `any` last.
    private func restoreLogic(of slice: inout ArraySlice<Double>) {
        let any = slice.endIndex - 1
        let types = slice.startIndex..<any
        switch self {
        case .anyAtLeastLargest: slice[any] = max(slice[any], slice[types].max() ?? 0)
        case .typesAtMostAny: for type in types { slice[type] = min(slice[type], slice[any]) }
        case .anyAtMostSum: slice[any] = min(slice[any], slice[types].reduce(0, +))
        case .smoothing, .clipping: break
        }
    }

    private func smooth(_ table: inout PredictionTable, _ studies: [[String]], _ center: Double, _ side: Double) {
        let index = SliceIndex(table.sliceIDs)
        let before = table.values
        for study in studies {
            let slices = study.compactMap { index[$0] }
            for (place, slice) in slices.enumerated() {
                let neighbours = [place - 1, place + 1].filter(slices.indices.contains).map { slices[$0] }
                for type in 0..<typeCount {
                    var sum = center * before[slice * typeCount + type]
                    for neighbour in neighbours { sum += side * before[neighbour * typeCount + type] }
                    table.values[slice * typeCount + type] = sum / (center + side * Double(neighbours.count))
                }
            }
        }
    }
}
