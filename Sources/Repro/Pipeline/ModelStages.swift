import Basics
import Catalog
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
    /// Which set of weights in those files, if they have several.
    package let entry: String?
    /// Seconds between checkpoints inside an epoch.
    package let checkpointInterval: Double

    package func all() throws -> [Stage] {
        var stages: [Stage] = []
        for backbone in recipe.backbones {
            let start = try start(of: backbone)
            for fold in 0..<recipe.folds.count {
                stages.append(try trainStage(backbone, fold: fold, start: start, of: recipe.backbones))
                stages.append(try predictStage(backbone, fold: fold))
            }
        }
        return stages
    }

    /// The training alone of one backbone and fold.
    package func trainStage(_ backbone: Recipe.BackboneTraining, fold: Int) throws -> Stage {
        try trainStage(backbone, fold: fold, start: start(of: backbone), of: [])
    }

    /// Refuses what a later stage of the run would have to refuse, after hours perhaps.
    ///
    /// - Parameter backbones: those whose trainings follow.
    private func checkSlices(for backbones: [Recipe.BackboneTraining]) throws {
        let sizes = try (0..<recipe.folds.count).map { fold in try competition.slices(inFold: fold).count }
        if let empty = sizes.firstIndex(of: 0) {
            throw Failure(
                .badInput,
                "fold \(empty) of \(sizes.count) has no slice, for the catalog has too few patients. Give the recipe fewer folds."
            )
        }
        for backbone in backbones {
            for fold in sizes.indices {
                try Self.checkBatch(backbone, fold: fold, slices: try competition.slices(outOf: fold).count)
            }
        }
    }

    private static func checkBatch(_ backbone: Recipe.BackboneTraining, fold: Int, slices: Int) throws {
        let batch = backbone.folds[fold].batch
        guard slices >= batch else {
            throw Failure(
                .badInput,
                """
                \(trainName(backbone.backbone, fold)): \(slices) slices to train on are fewer than a batch of \(batch). Is the catalog \
                of the right data?
                """
            )
        }
    }

    private func start(of backbone: Recipe.BackboneTraining) throws -> PretrainedFile? {
        try backbone.pretrained.map { try PretrainedFile.locate($0, in: pretrained, entry: entry) }
    }

    /// A training or prediction without the kind: `resnet34/fold0`.
    private static func name(_ backbone: Backbone, _ fold: Int) -> String { "\(backbone.rawValue)/fold\(fold)" }

    private static func trainName(_ backbone: Backbone, _ fold: Int) -> String {
        "\(StageKind.train.rawValue)/\(name(backbone, fold))"
    }

    package static func predictName(_ backbone: Backbone, _ fold: Int) -> String {
        "\(StageKind.predict.rawValue)/\(name(backbone, fold))"
    }

    /// - Parameter backbones: those that the run trains.
    private func trainStage(
        _ backbone: Recipe.BackboneTraining, fold: Int, start: PretrainedFile?, of backbones: [Recipe.BackboneTraining]
    ) throws -> Stage {
        let settings = Engine.settings(recipe, backbone, fold: fold)
        let snapshot = backbone.folds[fold].snapshot
        let path = WorkFolder.snapshot(backbone.backbone, fold: fold, epoch: snapshot)
        let model = WorkFolder.model(backbone.backbone, fold: fold)
        let (losses, patients) = ("\(model)/\(LossLog.fileName)", "\(model)/patients.txt")
        let name = Self.trainName(backbone.backbone, fold)
        var stage = Stage(
            .train, name: Self.name(backbone.backbone, fold),
            needs: [StageKind.unpack.rawValue, StageKind.catalog.rawValue],
            settings: [
                settings, snapshot, engine.arithmetic.rawValue, start?.identity, recipe.catalog.repairWrappedPixels,
            ],
            outputs: [.init(path: path), .init(path: losses), .init(path: patients)], isTrained: true
        ) { session in
            let slices = try competition.slices(outOf: fold)
            try checkSlices(for: backbones)
            try Self.checkBatch(backbone, fold: fold, slices: slices.count)
            let loop = TrainingLoop(
                stepsPerEpoch: slices.count / backbone.folds[fold].batch, lastEpoch: snapshot,
                checkpointInterval: checkpointInterval,
                clock: ProgressMeter.uptime)
            var checkpoints = try CheckpointFolder(folder: folder.path(model), key: session.key)
            try engine.train(
                loop, checkpoints: &checkpoints, settings: settings, slices: slices,
                source: try competition.store().image, start: start, name: name, progress: progress,
                goesOn: session.goesOn)
            try AtomicFile.write(Self.list(patientsOf: slices), to: folder.path(patients))
        }
        stage.resumes = true
        // A list or a log that was lost costs no training: the checkpoint is whole by its own hash.
        stage.repairs = true
        stage.labels = patients
        stage.contentHash = { try Engine.parametersHash(of: folder.path(path)) }
        return stage
    }

    /// The patients of some slices, one a line.
    private static func list(patientsOf slices: [CatalogSlice]) -> String {
        Set(slices.map(\.patientID)).sorted(by: bytesPrecede).map { "\($0)\n" }.joined()
    }

    private func predictStage(_ backbone: Recipe.BackboneTraining, fold: Int) throws -> Stage {
        let out = WorkFolder.predictions(backbone.backbone, fold: fold)
        let name = Self.predictName(backbone.backbone, fold)
        let weights = WorkFolder.snapshot(backbone.backbone, fold: fold, epoch: backbone.folds[fold].snapshot)
        var stage = Stage(
            .predict, name: Self.name(backbone.backbone, fold),
            needs: [
                StageKind.unpack.rawValue, StageKind.catalog.rawValue, Self.trainName(backbone.backbone, fold),
            ],
            settings: [
                recipe.seed, recipe.imageSize, recipe.windows, recipe.augmentation, recipe.testTimeDraws,
                engine.arithmetic.rawValue, recipe.catalog.repairWrappedPixels,
            ],
            outputs: ["oof", "test"].map { .init(path: "\(out)/\($0).csv") }, isTrained: true
        ) { session in
            let predictor = try engine.predictor(
                .init(
                    backbone: backbone.backbone, imageSize: recipe.imageSize, windows: recipe.windows,
                    augmentation: recipe.augmentation, draws: recipe.testTimeDraws, seed: recipe.seed,
                    batchSize: backbone.folds[fold].batch), weights: WeightsFile.read(folder.path(weights)))
            for (file, slices) in [
                ("oof", try competition.slices(inFold: fold)), ("test", try competition.slices(in: .test)),
            ] {
                try folder.prepare("\(out)/\(file).csv")
                let table = try predictor.predict(
                    slices.map(\.id), source: try competition.store().image, name: "\(name)/\(file)",
                    partial: .init(
                        path: folder.path("\(out)/\(file).partial"), key: session.key, interval: checkpointInterval),
                    progress: progress, goesOn: session.goesOn)
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
