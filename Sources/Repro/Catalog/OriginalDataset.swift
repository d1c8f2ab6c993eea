/// What the original's second and third scripts need to know of a slice.
struct SliceFacts: Sendable, Equatable {
    var id: String
    var patientID: String
    var studyInstanceUID: String
    var seriesInstanceUID: String
    /// ImagePositionPatient[2].
    var position: Double
    /// `custom_diff`: max - min of the image in the brain window, clipped to 0...80 HU.
    var brainWindowSpread: Double
    /// Type names in the order of the label file's rows, joined with spaces.
    var labels: String
}

/// A slice of the data set that the original trains on or predicts.
struct DatasetRow: Sendable, Equatable {
    var facts: SliceFacts
    /// Rank of the position within the series, ties averaged, divided by the series' number of slices: in (0, 1].
    var positionOrd: Double
    /// Labels of the slice before and of the slice after within the study, by ``positionOrd``; empty at the ends.
    var leftLabel: String
    var rightLabel: String
}

/// The original's `create_dataset` and `make_folds` as pure functions (`docs/inputs.md` says what they do).
enum OriginalDataset {
    /// Slices whose image in the brain window spans 60 HU or less are dropped: those outside the head and most wrapped ones.
    static let smallestSpread = 60.0

    /// `create_dataset`: filters, orders within series, looks up neighbours within studies; sorted by ID.
    ///
    /// Slices of one study at equal ``DatasetRow/positionOrd`` (of different series, or tied in one) keep the order of their
    /// IDs. The original sorts them with an unstable sort, so that their order there depends on the machine; only the two
    /// neighbour labels, which it never uses, could differ.
    static func rows(from slices: [SliceFacts]) -> [DatasetRow] {
        let kept = slices.filter { $0.brainWindowSpread > smallestSpread }.sorted { bytesPrecede($0.id, $1.id) }
        return zip(kept, places(of: kept)).map { facts, place in
            DatasetRow(
                facts: facts, positionOrd: place.positionOrd, leftLabel: place.left.map { kept[$0].labels } ?? "",
                rightLabel: place.right.map { kept[$0].labels } ?? "")
        }
    }

    /// Where a slice lies in its series and study; its neighbours by their index, nil at the ends.
    struct Place: Sendable {
        var positionOrd = 0.0
        var left: Int?
        var right: Int?
    }

    /// The places of slices that passed the filter and are sorted by ID.
    static func places(of kept: [SliceFacts]) -> [Place] {
        var places = [Place](repeating: Place(), count: kept.count)
        for series in Dictionary(grouping: kept.indices, by: { kept[$0].seriesInstanceUID }).values {
            let ranks = averageRanks(of: series.map { kept[$0].position })
            for (index, rank) in zip(series, ranks) { places[index].positionOrd = rank / Double(series.count) }
        }
        for study in Dictionary(grouping: kept.indices, by: { kept[$0].studyInstanceUID }).values {
            // Indices are in the order of IDs.
            let ordered = study.sorted { (places[$0].positionOrd, $0) < (places[$1].positionOrd, $1) }
            for (before, after) in zip(ordered, ordered.dropFirst()) {
                places[before].right = after
                places[after].left = before
            }
        }
        return places
    }

    /// Ranks from 1; equal values get the mean of the ranks they take up (pandas' `rank()`).
    static func averageRanks(of values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var ranks = [Double](repeating: 0, count: values.count)
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
            for place in start..<end { ranks[order[place]] = Double(start + 1 + end) / 2 }
            start = end
        }
        return ranks
    }

    /// `make_folds`: gives every patient a fold, so that each fold has about as many of each label.
    ///
    /// - Parameters:
    ///   - slices: patient and labels of each slice of the data set, in the order of IDs.
    ///   - count: number of folds.
    ///   - seed: of Python's generator; the original's is 10.
    /// - Returns: fold (0 ..< count) by patient ID.
    static func folds(
        of slices: some Sequence<(patientID: String, labels: String)>, count: Int, seed: UInt64
    ) -> [String: Int] {
        var occurrences: [String: Int] = [:]
        var labelsOfPatient: [String: [String]] = [:]
        for slice in slices {
            let labels = slice.labels.split(separator: " ").map(String.init)
            for label in labels { occurrences[label, default: 0] += 1 }
            labelsOfPatient[slice.patientID, default: []] += labels
        }
        var random = PythonRandom(seed: seed)
        var counts = [[String: Int]](repeating: [:], count: count)
        var folds: [String: Int] = [:]
        for (patient, found) in labelsOfPatient.sorted(by: { bytesPrecede($0.key, $1.key) }) {
            // A patient without any label counts as having the empty one.
            let labels = found.isEmpty ? [""] : found
            let rarest = labels.min { occurrences[$0, default: 0] < occurrences[$1, default: 0] } ?? ""
            let fewest = counts.map { $0[rarest, default: 0] }.min()
            let fold = random.choice((0..<count).filter { counts[$0][rarest, default: 0] == fewest })
            folds[patient] = fold
            for label in labels { counts[fold][label, default: 0] += 1 }
        }
        return folds
    }
}
