import ArgumentParser
import Basics
import Foundation
import Inputs
import Nets
import Repro
import Submit

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Predict slices with one set of weights: of a recipe's fold, or from a file.",
        discussion: """
            With --fold, the work directory's own weights predict what `reproduce` has them predict. With --weights, any file \
            does: .safetensors, or .pt and .pth as PyTorch writes them. The result is a table of predictions (ID,Label).

            With --input and without --work, every slice of a folder or an archive is predicted where it is, in no need of labels, \
            a catalog or the competition's layout, and nothing is left behind but the table. Windows and augmentation are the recipe's.

            repro predict --backbone resnet34 --fold 0 --work work/demo --split test --out test.csv
            repro predict --backbone resnet34 --weights fold0_ep3.pt --input rsna.zip --work work/mine --split test --out test.csv
            repro predict --backbone resnet34 --weights fold0_ep3.pt --input my-slices --size 512 --no-augment --out mine.csv
            """)

    @OptionGroup var work: WorkOptions
    @OptionGroup var engine: EngineOptions

    @Option(help: "Which backbone: \(Backbone.allCases.map(\.rawValue).joined(separator: ", ")).")
    var backbone: Backbone

    @Option(help: "The fold whose weights predict; in split train, only its own slices are predicted.")
    var fold: Int?

    @Option(
        help: ArgumentHelp("A file of weights instead: .safetensors, .pt or .pth.", valueName: "file"),
        completion: .file())
    var weights: String?

    @Option(
        help: ArgumentHelp(
            "The archive or folder with the slices. With --work, the same as --archive.", valueName: "dir-or-archive"),
        completion: .file())
    var input: String?

    @Option(help: "Which slices of the competition's.")
    var split = Split.test

    @Option(help: ArgumentHelp("The network's input in pixels. Default: the recipe's.", valueName: "px"))
    var size: Int?

    @Option(help: ArgumentHelp("How many random draws are averaged. Default: the recipe's.", valueName: "n"))
    var tta: Int?

    @Flag(help: "Predict each slice once, as it is.")
    var noAugment = false

    @Option(help: "Slices at a time; changes memory and time and nothing else.")
    var batch = 8

    @Option(help: ArgumentHelp("Where the table goes.", valueName: "csv"), completion: .file())
    var out: String

    @Flag(help: "Print JSON for machines.")
    var json = false

    func validate() throws {
        guard (fold == nil) != (weights == nil) else { throw ValidationError("Give either --fold or --weights.") }
        guard input == nil || work.archive == nil else {
            throw ValidationError("Give one of --input and --archive, they are the same.")
        }
        guard !isDirect || weights != nil else {
            throw ValidationError("--fold needs --work, the directory that the fold was trained in.")
        }
        guard !isDirect || size != nil else {
            throw ValidationError("--input without --work needs --size: the pixels that the weights were trained at.")
        }
        guard size.map({ (32...2048).contains($0) }) ?? true else {
            throw ValidationError("--size: expected 32 to 2048.")
        }
        guard tta.map({ (1...100).contains($0) }) ?? true else { throw ValidationError("--tta: expected 1 to 100.") }
        guard (1...4096).contains(batch) else { throw ValidationError("--batch: expected 1 to 4096.") }
        guard !noAugment || tta == nil else {
            throw ValidationError("--tta draws augmentations; it does not go with --no-augment.")
        }
    }

    private struct Result: Encodable {
        let out: String
        let slices: Int
        let seconds: Double
        let contentHash: String
        /// Files that no prediction could be made of; nil with a work directory, whose catalog has them.
        var unreadable: Int?
    }

    /// Whether slices are predicted where they are, without a work directory.
    private var isDirect: Bool { input != nil && work.work == nil }

    func run() throws {
        if let input, isDirect, let weights { return try predict(input, with: weights) }
        var options = work
        options.archive = input ?? work.archive
        let run = try OpenRun(options, engine)
        let recipe = run.recipe
        let file = try weights ?? snapshot(in: run)
        let competition = run.reproduction.competition
        _ = try run.reproduction.run(run.reproduction.inputStages())
        let slices =
            switch (split, fold) {
            case (.train, let fold?): try competition.slices(inFold: fold)
            default: try competition.slices(in: split)
            }
        let begun = ProgressMeter.uptime()
        let predictor = try run.reproduction.engine.predictor(settings(recipe), weights: file)
        let table = try predictor.predict(
            slices.map(\.id), source: try competition.store().image, name: "predict \(split.rawValue)", partial: nil,
            progress: run.reproduction.progress)
        try AtomicFile.write(table.csv(), to: out)
        try report(table, since: begun)
    }

    /// Predicts the slices in a folder or an archive where they are.
    private func predict(_ input: String, with weights: String) throws {
        let interruption = Interruption.explain("Nothing was written.", removing: AtomicFile.temporaryPath(of: out))
        defer { for source in interruption { source.cancel() } }
        guard FileManager.default.fileExists(atPath: input) else {
            throw Failure(.inputMissing, "\(input): there is no such file or folder.")
        }
        let recipe = try RecipeLibrary.recipe(work.recipe)
        let begun = ProgressMeter.uptime()
        let engine = Engine(pool: ThreadPool(threads: engine.threads), arithmetic: engine.math)
        let (table, unreadable) = try DirectPrediction(
            slices: LooseSlices(
                input: input, split: split, repairsWrap: recipe.catalog.repairWrappedPixels,
                threads: self.engine.threads),
            predictor: try engine.predictor(settings(recipe), weights: weights),
            progress: .standard(quiet: work.quiet)
        ).run()
        try AtomicFile.write(table.csv(), to: out)
        try report(table, since: begun, unreadable: unreadable)
    }

    private func settings(_ recipe: Recipe) -> Predictor.Settings {
        .init(
            backbone: backbone, imageSize: size ?? recipe.imageSize, windows: recipe.windows,
            augmentation: noAugment ? nil : recipe.augmentation, draws: tta ?? recipe.testTimeDraws,
            seed: recipe.seed, batchSize: batch)
    }

    private func report(_ table: PredictionTable, since begun: Double, unreadable: Int? = nil) throws {
        let result = Result(
            out: out, slices: table.sliceIDs.count, seconds: ProgressMeter.uptime() - begun,
            contentHash: table.contentHash(), unreadable: unreadable)
        if json { return Console.result(try JSON.encode(result)) }
        let lost = unreadable.map { $0 > 0 ? ", \(Numbers.count($0)) unreadable" : "" } ?? ""
        Console.result(
            "\(result.out): \(Numbers.count(result.slices)) slices in \(Numbers.duration(result.seconds))\(lost)\ncontent \(result.contentHash)"
        )
    }

    /// The weights that a fold of the recipe predicts with.
    private func snapshot(in run: OpenRun) throws -> String {
        guard let fold, let training = run.recipe.training(of: backbone), training.folds.indices.contains(fold) else {
            throw Failure(.badUsage, "the recipe \(run.recipe.name) has no such backbone and fold.")
        }
        let path = run.reproduction.folder.path(
            WorkFolder.snapshot(backbone, fold: fold, epoch: training.folds[fold].snapshot))
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                .inputMissing,
                "\(path): is not there. Train it first: repro train --recipe \(work.recipe) --backbone \(backbone.rawValue) --fold \(fold) --work \(run.reproduction.folder.root)"
            )
        }
        return path
    }
}
