import Foundation
import Nets

/// Measures how fast this machine trains and predicts, on slices made of a formula.
struct Benchmark {
    /// What was measured; the names of its JSON keys are part of the command's interface.
    struct Result: Sendable, Codable, Equatable {
        var backbone: Backbone
        /// Rows and columns of the network's input.
        var size: Int
        var batch: Int
        var threads: Int
        var trainImagesPerSecond: Double
        var predictImagesPerSecond: Double
        /// The most memory that the measuring process has held.
        var peakMemoryBytes: Int

        enum CodingKeys: String, CodingKey {
            case backbone, size, batch, threads
            case trainImagesPerSecond = "train_images_per_second"
            case predictImagesPerSecond = "predict_images_per_second"
            case peakMemoryBytes = "peak_memory_bytes"
        }
    }

    let backbone: Backbone
    let size: Int
    let batch: Int
    let engine: Engine
    /// Each of the two measurements goes on for at least this many seconds, after one batch that does not count.
    var seconds = 2.0

    func measure() throws -> Result {
        let image = HounsfieldImage(
            rows: size, columns: size, values: (0..<size * size).map { Float($0 % 97) - 8 })
        let source: SliceSource = { _ in image }
        let ids = (0..<batch).map { "ID_\($0)" }
        let settings = TrainingSettings(
            backbone: backbone, imageSize: size, batchSize: batch, learningRate: 1e-4, seed: 1)
        let weights: [NamedTensor]
        let trainRate: Double
        do {
            // Released before prediction is measured: the two are never in memory together in a run either.
            let samples = ids.map { TrainingSample(id: $0, targets: [0, 1, 0, 1, 0, 1]) }
            let trainer = try Trainer(
                settings: settings, samples: samples, source: source, pool: engine.pool, arithmetic: engine.arithmetic)
            trainRate = try rate { _ = try trainer.step() }
            weights = trainer.snapshot().tensors
        }
        let predictor = try Predictor(
            settings: .init(backbone: backbone, imageSize: size, draws: 1, seed: 1, batchSize: batch), weights: weights,
            pool: engine.pool, arithmetic: engine.arithmetic)
        let predictRate = try rate { _ = try predictor.predict(ids, source: source) }
        return Result(
            backbone: backbone, size: size, batch: batch, threads: engine.pool.threads, trainImagesPerSecond: trainRate,
            predictImagesPerSecond: predictRate, peakMemoryBytes: Machine.peakMemoryBytes)
    }

    /// Images a second of a step that takes a whole batch.
    private func rate(_ step: () throws -> Void) rethrows -> Double {
        try step()
        let begun = Progress.uptime()
        var steps = 0
        repeat {
            try step()
            steps += 1
        } while Progress.uptime() - begun < seconds
        return Double(steps * batch) / (Progress.uptime() - begun)
    }
}
