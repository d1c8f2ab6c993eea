import Basics

/// What the original's second and third scripts need to know of a slice.
package struct SliceFacts: Sendable, Equatable {
    package var id: String
    package var patientID: String
    package var studyInstanceUID: String
    package var seriesInstanceUID: String
    /// ImagePositionPatient[2].
    package var position: Double
    /// `custom_diff`: max - min of the image in the brain window, clipped to 0...80 HU.
    package var brainWindowSpread: Double
    /// Type names in the order of the label file's rows, joined with spaces.
    package var labels: String
}

/// The original's `create_dataset` and `make_folds` as pure functions (`docs/inputs.md` says what they do).
package enum OriginalDataset {
    /// Slices whose image in the brain window spans 60 HU or less are dropped: those outside the head and most wrapped ones.
    package static let smallestSpread = 60.0

    /// Where a slice lies in its series and study.
    package struct Place: Sendable {
        /// Rank of the position within the series, ties averaged, divided by the series' number of slices: in (0, 1].
        package var positionOrd = 0.0
        /// The slice before and the slice after within the study by their index, nil at the ends.
        package var left: Int?
        package var right: Int?
    }

    /// `create_dataset`: the places of slices that passed the filter and are sorted by ID, in their order.
    ///
    /// Slices of one study at equal ``Place/positionOrd`` (of different series, or tied in one) keep the order of their IDs. The
    /// original sorts them with an unstable sort, so that their order there depends on the machine; only the two neighbour
    /// labels, which it never uses, could differ.
    package static func places(of kept: [SliceFacts]) -> [Place] {
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
    package static func averageRanks(of values: [Double]) -> [Double] {
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
    package static func folds(
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
