import Catalog
import Foundation
import Nets

/// What a run would take, reckoned before anything runs.
package struct RunPlan: Sendable, Codable {
    /// One training with the predictions that it makes possible.
    package struct Training: Sendable, Codable {
        package var backbone: Backbone
        package var fold: Int
        /// Optimisation steps up to the epoch whose weights predict.
        package var steps: Int
        package var trainImages: Int
        /// Out-of-fold and test slices, times the draws.
        package var predictImages: Int
        package var memoryBytes: Int
        /// nil if nothing was measured.
        package var seconds: Double?
    }

    package var recipe: String
    /// Where the numbers of slices come from.
    package var basis: String
    package var trainSlices: Int
    package var testSlices: Int
    package var trainings: [Training]
    /// What the work directory grows to.
    package var diskBytes: Int
    /// The most that any training takes, with what is kept of the pixels.
    package var memoryBytes: Int
    package var seconds: Double? {
        trainings.map(\.seconds).reduce(0) { sum, next in sum.flatMap { sum in next.map { sum + $0 } } }
    }

    /// How many slices there are and how much they take.
    package struct Slices {
        package var basis: String
        /// Slices of each fold.
        package var folds: [Int]
        package var test: Int
        /// Bytes of the archive, if it is written into the work directory, and of what it is unpacked to.
        package var bytes: Int
        /// Rows and columns of most slices.
        package var size: Int
    }

    package init(recipe: Recipe, slices: Slices, threads: Int, speeds: [Backbone: Benchmark.Result]) {
        self.recipe = recipe.name
        basis = slices.basis
        trainSlices = slices.folds.reduce(0, +)
        testSlices = slices.test
        trainings = []
        var checkpoints = 0
        for backbone in recipe.backbones {
            for (fold, training) in backbone.folds.enumerated() {
                let steps = (trainSlices - slices.folds[fold]) / training.batch * (training.snapshot + 1)
                let images = steps * training.batch
                let predictions = (slices.folds[fold] + slices.test) * recipe.testTimeDraws
                trainings.append(
                    Training(
                        backbone: backbone.backbone, fold: fold, steps: steps, trainImages: images,
                        predictImages: predictions,
                        memoryBytes: Engine.settings(recipe, backbone, fold: fold).plannedBytes(threads: threads),
                        seconds: speeds[backbone.backbone].map {
                            Double(images) / $0.trainImagesPerSecond + Double(predictions) / $0.predictImagesPerSecond
                        }))
                checkpoints += backbone.backbone.checkpointBytes
            }
        }
        // A row of a table is about 40 bytes; each slice has six in its fold's table, the test slices in every fold's.
        let rows = recipe.backbones.count * 6 * (trainSlices + recipe.folds.count * slices.test)
        // While a checkpoint replaces another, both are there.
        let spare = recipe.backbones.map(\.backbone.checkpointBytes).max() ?? 0
        diskBytes = slices.bytes + checkpoints + spare + rows * 40
        let pixels = min(SliceStore.defaultCapacity, (trainSlices + slices.test) * slices.size * slices.size * 4)
        memoryBytes = (trainings.map(\.memoryBytes).max() ?? 0) + pixels
    }
}

extension RunPlan.Slices {
    /// From the catalog where there is one, else from what the recipe's data is known to be.
    package static func find(for recipe: Recipe, in folder: WorkFolder) throws -> RunPlan.Slices {
        let path = folder.path(WorkFolder.catalog)
        if FileManager.default.fileExists(atPath: path) { return try catalogued(path, recipe) }
        guard let demo = recipe.demoData else { return competition(folds: recipe.folds.count) }
        let plan = DemoPlan(DemoSettings(patients: demo.patients, size: demo.size, seed: demo.seed))
        let train = plan.slices.count { $0.split == .train }
        return .init(
            basis: "the demo competition, before slices outside the head are dropped",
            folds: evenly(train, recipe.folds.count), test: plan.slices.count - train,
            bytes: 2 * plan.slices.count * (demo.size * demo.size * 2 + 1024), size: demo.size)
    }

    private static func catalogued(_ path: String, _ recipe: Recipe) throws -> RunPlan.Slices {
        let catalog = SliceCatalog(path: path)
        let train = try catalog.slices(in: .train)
        let records = try catalog.records(in: .train) + catalog.records(in: .test)
        return .init(
            basis: "the work directory's catalog",
            folds: (0..<recipe.folds.count).map { fold in train.count { $0.fold == fold } },
            test: try catalog.slices(in: .test).count,
            bytes: records.reduce(0) { $0 + $1.rows * $1.columns * 2 + 1024 }, size: records.map(\.rows).max() ?? 512)
    }

    /// Stage 2 of the competition: 752 803 train and 121 232 test slices, 459 GB unpacked. The filter drops some of the slices.
    private static func competition(folds: Int) -> RunPlan.Slices {
        .init(
            basis: "all slices of the competition's stage 2, before the filter drops some",
            folds: evenly(752_803, folds),
            test: 121_232, bytes: 459_000_000_000, size: 512)
    }

    private static func evenly(_ count: Int, _ parts: Int) -> [Int] {
        (0..<parts).map { count / parts + ($0 < count % parts ? 1 : 0) }
    }
}
