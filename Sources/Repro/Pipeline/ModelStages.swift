import Basics
import Foundation
import Metrics
import Nets
import Submit

/// The stages of one backbone and fold: training, and prediction of what it did not see.
package struct ModelStages {
    package let folder: WorkFolder
    package let recipe: Recipe
    package let competition: Competition
    package let engine: Engine
    package let progress: ProgressMeter
    /// Where ImageNet weights are; nil if the user named no folder.
    package let pretrained: String?
    /// Seconds between checkpoints inside an epoch.
    package let checkpointInterval: Double

    package func all() throws -> [Stage] {
        var stages: [Stage] = []
        for backbone in recipe.backbones {
            let start = try start(of: backbone)
            for fold in 0..<recipe.folds.count {
                stages.append(try trainStage(backbone, fold: fold, start: start))
                stages.append(try predictStage(backbone, fold: fold))
            }
        }
        return stages
    }

    /// The training alone of one backbone and fold.
    package func trainStage(_ backbone: Recipe.BackboneTraining, fold: Int) throws -> Stage {
        try trainStage(backbone, fold: fold, start: start(of: backbone))
    }

    private func start(of backbone: Recipe.BackboneTraining) throws -> PretrainedFile? {
        try backbone.pretrained.map { try PretrainedFile.locate($0, in: pretrained) }
    }

    package static func trainName(_ backbone: Backbone, _ fold: Int) -> String {
        "train/\(backbone.rawValue)/fold\(fold)"
    }
    package static func predictName(_ backbone: Backbone, _ fold: Int) -> String {
        "predict/\(backbone.rawValue)/fold\(fold)"
    }

    private struct TrainStageSettings: Encodable {
        let training: TrainingSettings
        let arithmetic: Arithmetic
        /// SHA-256 of the file that training starts from.
        let pretrained: String?
        let repairWrappedPixels: Bool
    }

    private func trainStage(_ backbone: Recipe.BackboneTraining, fold: Int, start: PretrainedFile?) throws -> Stage {
        let settings = Engine.settings(recipe, backbone, fold: fold)
        let snapshot = backbone.folds[fold].snapshot
        let path = WorkFolder.snapshot(backbone.backbone, fold: fold, epoch: snapshot)
        let name = Self.trainName(backbone.backbone, fold)
        var stage = Stage(
            name: name, needs: ["unpack", "catalog"],
            settings: try JSON.encode(
                TrainStageSettings(
                    training: settings, arithmetic: engine.arithmetic, pretrained: start?.sha256,
                    repairWrappedPixels: recipe.catalog.repairWrappedPixels), indented: false),
            outputs: [.init(path: path)], isTrained: true
        ) { key in
            let slices = try competition.slices(outOf: fold)
            let batch = backbone.folds[fold].batch
            guard slices.count >= batch else {
                throw Failure(
                    .badInput,
                    "\(name): \(slices.count) slices to train on are fewer than a batch of \(batch). Is the catalog of the right data?"
                )
            }
            let loop = TrainingLoop(
                stepsPerEpoch: slices.count / batch, lastEpoch: snapshot, checkpointInterval: checkpointInterval,
                clock: ProgressMeter.uptime)
            var checkpoints = try CheckpointFolder(
                folder: folder.path(WorkFolder.model(backbone.backbone, fold: fold)), key: key)
            try engine.train(
                loop, checkpoints: &checkpoints, settings: settings, slices: slices,
                source: try competition.store().image,
                start: start, name: name, progress: progress)
        }
        stage.resumes = true
        stage.contentHash = { try Engine.parametersHash(of: folder.path(path)) }
        return stage
    }

    private struct PredictStageSettings: Encodable {
        let seed: UInt64
        let imageSize: Int
        let windows: [Window]
        let augmentation: Augmentation
        let draws: Int
        let arithmetic: Arithmetic
        let repairWrappedPixels: Bool
    }

    private func predictStage(_ backbone: Recipe.BackboneTraining, fold: Int) throws -> Stage {
        let out = WorkFolder.predictions(backbone.backbone, fold: fold)
        let name = Self.predictName(backbone.backbone, fold)
        let weights = WorkFolder.snapshot(backbone.backbone, fold: fold, epoch: backbone.folds[fold].snapshot)
        let settings = PredictStageSettings(
            seed: recipe.seed, imageSize: recipe.imageSize, windows: recipe.windows, augmentation: recipe.augmentation,
            draws: recipe.testTimeDraws, arithmetic: engine.arithmetic,
            repairWrappedPixels: recipe.catalog.repairWrappedPixels)
        var stage = Stage(
            name: name, needs: ["unpack", "catalog", Self.trainName(backbone.backbone, fold)],
            settings: try JSON.encode(settings, indented: false),
            outputs: ["oof", "test"].map { .init(path: "\(out)/\($0).csv") }, isTrained: true
        ) { key in
            let predictor = try engine.predictor(
                .init(
                    backbone: backbone.backbone, imageSize: recipe.imageSize, windows: recipe.windows,
                    augmentation: recipe.augmentation, draws: recipe.testTimeDraws, seed: recipe.seed,
                    batchSize: backbone.folds[fold].batch), weights: folder.path(weights))
            for (file, slices) in [
                ("oof", try competition.slices(inFold: fold)), ("test", try competition.slices(in: .test)),
            ] {
                try folder.prepare("\(out)/\(file).csv")
                let table = try predictor.predict(
                    slices.map(\.id), source: try competition.store().image, name: "\(name)/\(file)",
                    partial: .init(path: folder.path("\(out)/\(file).partial"), key: key, interval: checkpointInterval),
                    progress: progress)
                try AtomicFile.write(table.csv(), to: folder.path("\(out)/\(file).csv"))
            }
            for file in ["oof", "test"] {
                try? FileManager.default.removeItem(atPath: folder.path("\(out)/\(file).partial"))
            }
        }
        stage.resumes = true
        return stage
    }
}
