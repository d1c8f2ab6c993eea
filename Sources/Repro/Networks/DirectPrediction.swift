import Basics
import Foundation
import Inputs
import Submit

/// Predicts every slice of a folder or an archive that can be read, without a work directory.
package struct DirectPrediction {
    package let slices: LooseSlices
    package let predictor: SlicePredictor
    package let progress: ProgressMeter

    package init(slices: LooseSlices, predictor: SlicePredictor, progress: ProgressMeter) {
        self.slices = slices
        self.predictor = predictor
        self.progress = progress
    }

    /// The predictions in ascending order of ID, and how many files could not be read; each of these is named in the log.
    ///
    /// - Throws: ``Failure``: as ``LooseSlices/read(chunk:progress:refuse:_:)``, and `badInput` if no file could be read.
    package func run() throws -> (table: PredictionTable, unreadable: Int) {
        var unreadable = 0
        var values: [String: ArraySlice<Double>] = [:]
        defer { progress.end() }
        let unit = Unpacker.isUsedInPlace(slices.input) ? "slices" : "MiB"
        try slices.read(
            chunk: predictor.chunk, progress: progress.reporting("predict", unit: unit),
            refuse: { message in
                unreadable += 1
                progress.note("not predicted: \(message)")
            },
            { ids, images in
                let predicted = try predictor.predict(ids, images: images)
                let width = predicted.count / ids.count
                for (index, id) in ids.enumerated() { values[id] = predicted[index * width..<(index + 1) * width] }
            })
        guard !values.isEmpty else {
            throw Failure(.badInput, "\(slices.input): none of its \(unreadable) .dcm files can be read as a CT slice.")
        }
        let sorted = values.sorted { $0.key < $1.key }
        return (PredictionTable(sliceIDs: sorted.map(\.key), values: sorted.flatMap(\.value)), unreadable)
    }
}
