import Basics
import Foundation
import Inputs
import Submit

/// Predicts every slice of a folder or an archive that can be read, without a work directory.
package struct DirectPrediction {
    package let slices: LooseSlices
    package let predictor: SlicePredictor
    package let progress: ProgressMeter

    private static let mostNamed = 20

    package init(slices: LooseSlices, predictor: SlicePredictor, progress: ProgressMeter) {
        self.slices = slices
        self.predictor = predictor
        self.progress = progress
    }

    /// The predictions in ascending order of ID; how many slices could not be read, each of which is named in the log; and how many
    /// files are no slices, of which the first are named.
    ///
    /// - Throws: ``Failure``: as ``LooseSlices/read(chunk:progress:refuse:_:)``, and `badInput` if no file could be read.
    package func run() throws -> (table: PredictionTable, unreadable: Int, passedOver: Int) {
        var (unreadable, passedOver) = (0, 0)
        var quirks: [SliceQuirk: Int] = [:]
        var values: [String: ArraySlice<Double>] = [:]
        defer { progress.end() }
        let unit = Unpacker.isUsedInPlace(slices.input) ? "slices" : "MiB"
        try slices.read(
            chunk: predictor.chunk, progress: progress.reporting("predict", unit: unit),
            refuse: { message in
                unreadable += 1
                progress.note("not predicted: \(message)")
            },
            passOver: { file in
                passedOver += 1
                if passedOver <= Self.mostNamed { progress.note("passed over: \(file.path): \(file.reason)") }
            },
            notice: { for quirk in $0 { quirks[quirk, default: 0] += 1 } },
            { ids, images in
                let predicted = try predictor.predict(ids, images: images)
                let width = predicted.count / ids.count
                for (index, id) in ids.enumerated() { values[id] = predicted[index * width..<(index + 1) * width] }
            })
        if passedOver > Self.mostNamed { progress.note("and \(passedOver - Self.mostNamed) more passed over") }
        for quirk in SliceQuirk.allCases {
            if let count = quirks[quirk] { progress.note("read all the same: \(count) with \(quirk.rawValue)") }
        }
        guard !values.isEmpty else {
            throw Failure(.badInput, "\(slices.input): none of its \(unreadable) slices can be read as CT.")
        }
        let sorted = values.sorted { $0.key < $1.key }
        return (PredictionTable(sliceIDs: sorted.map(\.key), values: sorted.flatMap(\.value)), unreadable, passedOver)
    }
}
