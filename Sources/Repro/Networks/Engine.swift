import Basics
import Catalog
import Foundation
import Metrics
import Nets
import Submit

/// The networks as the pipeline uses them: trains, predicts, and knows where weights and checkpoints lie.
package struct Engine {
    package let pool: ThreadPool
    package let arithmetic: Arithmetic

    package init(pool: ThreadPool, arithmetic: Arithmetic) {
        self.pool = pool
        self.arithmetic = arithmetic
    }

    package static func settings(_ recipe: Recipe, _ backbone: Recipe.BackboneTraining, fold: Int) -> TrainingSettings {
        let training = backbone.folds[fold]
        return TrainingSettings(
            backbone: backbone.backbone, imageSize: recipe.imageSize, batchSize: training.batch, grains: recipe.grains,
            learningRate: training.learningRate, milestones: training.milestones, gamma: training.gamma,
            seed: recipe.seed,
            lossWeights: NetworkOrder.reordered(fromFileOrder: recipe.lossWeights).map { Float($0) },
            windows: recipe.windows, augmentation: recipe.augmentation,
            batchNormMomentum: backbone.batchNormMomentum.map { Float($0) })
    }

    /// Trains to the end of the loop's last epoch, from the newest intact checkpoint if there is one.
    package func train(
        _ loop: TrainingLoop, checkpoints: inout CheckpointFolder, settings: TrainingSettings, slices: [CatalogSlice],
        source: @escaping SliceSource, start: PretrainedFile?, name: String, progress: ProgressMeter,
        goesOn: () -> Void
    ) throws {
        let newest = checkpoints.newest()
        if newest == nil && checkpoints.isBegun {
            progress.note("\(name): no checkpoint is whole with the losses of its steps; training begins anew")
        }
        let samples = slices.map { TrainingSample(id: $0.id, targets: NetworkOrder.targets(of: $0.labels)) }
        let trainer = try Trainer(
            settings: settings, samples: samples, source: source, pool: pool, arithmetic: arithmetic)
        if let newest {
            do { try trainer.restore(SafeTensors(parsing: newest.bytes)) } catch {
                throw Failure(
                    .badInput,
                    "\(checkpoints.folder): the checkpoint after step \(newest.steps): \(error). Remove the folder to train anew."
                )
            }
        } else if let start {
            let file = try WeightsFile.read(
                start.path, .init(settings.backbone, entry: start.entry, exceptLastLayer: true))
            try file.naming { try trainer.load(imageNet: file.tensors) }
        }
        if let newest { progress.note("\(name): going on after step \(newest.steps) of \(loop.totalSteps)") }
        progress.begin(
            name, total: loop.totalSteps * settings.batchSize, unit: "images",
            done: (newest?.steps ?? 0) * settings.batchSize)
        defer { progress.end() }
        do {
            try loop.run(
                after: newest?.losses ?? LossLog(), checkpoints: &checkpoints, step: trainer.step,
                snapshot: { Data(trainer.snapshot().encoded()) },
                report: { log in
                    let done = log.losses.count
                    progress.advance(to: done * settings.batchSize)
                    goesOn()
                    guard done % loop.stepsPerEpoch == 0 else { return }
                    let mean = log.losses.suffix(loop.stepsPerEpoch).reduce(0, +) / Double(loop.stepsPerEpoch)
                    progress.note(
                        "\(name): epoch \(done / loop.stepsPerEpoch - 1), mean loss \(Numbers.fixed(mean, 4))")
                })
        } catch NetsError.diverged(let what) {
            let kept = checkpoints.newest().map { "; the checkpoint after step \($0.steps) is kept" } ?? ""
            throw Failure(
                .badInput,
                "\(name): the training has diverged: \(what)\(kept). The same recipe would end here again: try a lower learning rate, a larger batch, or other weights to start from."
            )
        }
    }

    package func predictor(_ settings: Predictor.Settings, weights file: WeightsFile) throws -> SlicePredictor {
        SlicePredictor(
            predictor: try file.naming {
                try Predictor(settings: settings, weights: file.tensors, pool: pool, arithmetic: arithmetic)
            })
    }

    /// What the names of Adam's moments begin with in a checkpoint.
    private static let optimizerPrefix = "optimizer."

    /// The hash of a checkpoint's parameters and running statistics: its content without the state of the optimiser.
    package static func parametersHash(of path: String) throws -> String {
        parametersHash(of: try WeightsFile.read(path).tensors.filter { !$0.name.hasPrefix(optimizerPrefix) })
    }

    /// The same of parameters and running statistics at hand, in any order.
    package static func parametersHash(of tensors: [NamedTensor]) -> String {
        Digest.sha256(SafeTensors(tensors: tensors.sorted { $0.name < $1.name }).encoded())
    }
}

/// A network with its weights, ready to predict slices.
package struct SlicePredictor {
    package let predictor: Predictor

    /// Slices between two looks at the clock: a few batches.
    package var chunk: Int { predictor.settings.batchSize * 4 }

    /// The probabilities of images at hand, six an image, in the order of the label file.
    package func predict(_ ids: [String], images: [String: HounsfieldImage]) throws -> [Double] {
        NetworkOrder.fileOrder(
            try predictor.predict(ids) { id in
                guard let image = images[id] else { throw Failure(.bug, "\(id): no image is at hand.") }
                return image
            })
    }

    /// The probabilities of the slices `ids`, going on from what an interrupted run left in `partial`.
    package func predict(
        _ ids: [String], source: @escaping SliceSource, name: String, partial: PartialTable?, progress: ProgressMeter,
        goesOn: () -> Void = {}
    ) throws -> PredictionTable {
        var table = partial?.load(for: ids) ?? PredictionTable(sliceIDs: [], values: [])
        progress.begin(name, total: ids.count, unit: "slices", done: table.sliceIDs.count)
        defer { progress.end() }
        var lastSaved = ProgressMeter.uptime()
        // One call for all: at the end of a call nothing is read ahead.
        try predictor.predict(Array(ids[table.sliceIDs.count...]), source: source) { probabilities in
            let first = table.sliceIDs.count
            table.values += NetworkOrder.fileOrder(probabilities)
            table.sliceIDs += ids[first..<first + probabilities.count / Backbone.outputs]
            progress.advance(to: table.sliceIDs.count)
            goesOn()
            if let partial, ProgressMeter.uptime() - lastSaved >= partial.interval {
                try partial.save(table)
                lastSaved = ProgressMeter.uptime()
            }
        }
        return table
    }
}
