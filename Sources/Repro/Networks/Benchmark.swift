import Basics
import Foundation
import Inputs
import Nets

/// Measures how fast this machine trains and predicts, on slices made of a formula.
package struct Benchmark {
    /// What was measured; the names of its JSON keys are part of the command's interface.
    package struct Result: Sendable, Codable, Equatable {
        package var backbone: Backbone
        /// Rows and columns of the network's input.
        package var size: Int
        package var batch: Int
        package var threads: Int
        package var trainImagesPerSecond: Double
        package var predictImagesPerSecond: Double
        /// Slices of 512 x 512 pixels that all threads together decode, window and augment when they do nothing else.
        package var inputImagesPerSecond: Double
        /// The most memory that the measuring process has held while it trained.
        package var peakMemoryBytes: Int
        /// What the training was planned to take of it.
        package var plannedMemoryBytes: Int

        package enum CodingKeys: String, CodingKey {
            case backbone, size, batch, threads
            case trainImagesPerSecond = "train_images_per_second"
            case predictImagesPerSecond = "predict_images_per_second"
            case inputImagesPerSecond = "input_images_per_second"
            case peakMemoryBytes = "peak_memory_bytes"
            case plannedMemoryBytes = "planned_memory_bytes"
        }
    }

    package let backbone: Backbone
    package let size: Int
    package let batch: Int
    package let engine: Engine
    /// Each of the measurements goes on for at least this many seconds, after one batch that does not count.
    package var seconds = 2.0

    package init(backbone: Backbone, size: Int, batch: Int, engine: Engine, seconds: Double = 2.0) {
        self.backbone = backbone
        self.size = size
        self.batch = batch
        self.engine = engine
        self.seconds = seconds
    }

    private var settings: TrainingSettings {
        TrainingSettings(backbone: backbone, imageSize: size, batchSize: batch, learningRate: 1e-4, seed: 1)
    }

    private var ids: [String] { (0..<batch).map { "ID_\($0)" } }

    private var source: SliceSource {
        let image = HounsfieldImage(
            rows: size, columns: size, values: (0..<size * size).map { Float($0 % 97) - 8 })
        return { _ in image }
    }

    private func trainer() throws -> Trainer {
        try Trainer(
            settings: settings, samples: ids.map { TrainingSample(id: $0, targets: [0, 1, 0, 1, 0, 1]) },
            source: source, pool: engine.pool, arithmetic: engine.arithmetic)
    }

    package func measure() throws -> Result {
        let weights: [NamedTensor]
        let trainRate: Double
        let peak: Int
        do {
            // Released before prediction is measured: the two are never in memory together in a run either.
            let trainer = try trainer()
            trainRate = try rate { _ = try trainer.step() }
            peak = Machine.peakMemoryBytes
            weights = trainer.snapshot().tensors
        }
        let predictor = try Predictor(
            settings: .init(backbone: backbone, imageSize: size, draws: 1, seed: 1, batchSize: batch), weights: weights,
            pool: engine.pool, arithmetic: engine.arithmetic)
        let predictRate = try rate { _ = try predictor.predict(ids, source: source) }
        return Result(
            backbone: backbone, size: size, batch: batch, threads: engine.pool.threads, trainImagesPerSecond: trainRate,
            predictImagesPerSecond: predictRate, inputImagesPerSecond: try inputRate(), peakMemoryBytes: peak,
            plannedMemoryBytes: settings.plannedBytes(threads: engine.pool.threads))
    }

    /// What each operation of a training step costs, in the order in which they run; the mean over some steps.
    package func profile() throws -> [OperationCost] {
        let trainer = try trainer()
        let begun = ProgressMeter.uptime()
        _ = try trainer.step()
        let steps = max(1, Int(seconds / max(1e-3, ProgressMeter.uptime() - begun)))
        return try trainer.profile(steps: steps)
    }

    /// Images a second on their way from a DICOM file in memory to a network's input.
    private func inputRate() throws -> Double {
        let file = try Self.slice().encoded()
        let scratch = (0..<engine.pool.threads).map { _ in InputScratch(size: size) }
        let target = UnsafeMutablePointer<Float>.allocate(capacity: batch * size * size * 3)
        defer { target.deallocate() }
        // Read once here, where an error can be thrown; in the loop there is none then.
        _ = try readImage(in: file, name: "a synthetic slice")
        return rate {
            engine.pool.run(batch) { index, worker in
                guard let slice = try? readImage(in: file, name: "a synthetic slice") else { return }
                let image = HounsfieldImage(slice, repairingWrap: false)
                var random = Philox(seed: 1, purpose: .augmentation, epoch: 0, sample: UInt32(index))
                networkInput(
                    of: image, windows: Window.original, augmentation: Augmentation(), random: &random,
                    scratch: scratch[worker], into: target + index * size * size * 3, rowStride: size * 3)
            }
        }
    }

    /// A slice of the size that scanners give.
    private static func slice() -> DICOMSlice {
        var header = SliceHeader()
        (header.patientID, header.studyInstanceUID, header.seriesInstanceUID) = ("ID_1", "ID_2", "ID_3")
        header.imagePosition = [0, 0, 0]
        (header.rows, header.columns, header.rescaleIntercept) = (512, 512, -1024)
        return DICOMSlice(header: header, pixels: (0..<512 * 512).map { Int32($0 * 7919 % 2048) })
    }

    /// Images a second of a step that takes a whole batch.
    private func rate(_ step: () throws -> Void) rethrows -> Double {
        try step()
        let begun = ProgressMeter.uptime()
        var steps = 0
        repeat {
            try step()
            steps += 1
        } while ProgressMeter.uptime() - begun < seconds
        return Double(steps * batch) / (ProgressMeter.uptime() - begun)
    }
}
