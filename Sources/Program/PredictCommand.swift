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
            a catalog or the competition's layout, and nothing is left behind but the table.

            A file of weights may say how it was trained: the checkpoints of this program do. What it does not say is to be given: \
            --size, and --tta or --no-augment; windows are the original's, if there is no --windows. Of a recipe's settings those \
            are taken that --recipe names.

            repro predict --backbone resnet34 --fold 0 --work work/demo --split test --out test.csv
            repro predict --backbone resnet34 --weights fold0_ep3.pt --input my-slices --size 512 --no-augment --out mine.csv
            repro predict --backbone resnet34 --weights fold0_ep3.pt --recipe rsna-2019-58th --archive rsna.zip \
            --work work/58th --split test --out test.csv
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

    @Option(
        help: ArgumentHelp(
            "The network's input in pixels. Default: that of the recipe, or of the weights' training.", valueName: "px")
    )
    var size: Int?

    @Option(help: ArgumentHelp("How many random draws are averaged. Default: the recipe's.", valueName: "n"))
    var tta: Int?

    @Option(
        help: ArgumentHelp(
            "The three windows in HU, each as center:width. Default: those of the recipe or of the training, else \(Self.text(Window.original)).",
            valueName: "c:w,c:w,c:w"))
    var windows: String?

    @Flag(help: "Predict each slice once, as it is.")
    var noAugment = false

    @Option(help: "Slices at a time; changes memory and time and nothing else.")
    var batch = 8

    @Option(help: ArgumentHelp("Where the table goes; - for standard output.", valueName: "csv"), completion: .file())
    var out: String

    @OptionGroup var output: OutputOptions

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
        guard size.map({ (32...2048).contains($0) }) ?? true else {
            throw ValidationError("--size: expected 32 to 2048.")
        }
        guard tta.map({ (1...100).contains($0) }) ?? true else { throw ValidationError("--tta: expected 1 to 100.") }
        guard (1...4096).contains(batch) else { throw ValidationError("--batch: expected 1 to 4096.") }
        _ = try parsedWindows()
        guard !noAugment || tta == nil else {
            throw ValidationError("--tta draws augmentations; it does not go with --no-augment.")
        }
    }

    private struct Result: Encodable {
        let out: String
        let slices: Int
        let seconds: Double
        let contentHash: String
        let settings: Settings
        /// Files that no prediction could be made of; nil with a work directory, whose catalog has them.
        var unreadable: Int?
        /// Files that are no slices; nil with a work directory.
        var passedOver: Int?
    }

    /// How slices were predicted, as JSON has it.
    private struct Settings: Encodable {
        let backbone: Backbone
        let size: Int
        let windows: [Window]
        /// How each draw varies a slice; nil if slices were predicted as they are.
        let augmentation: Augmentation?
        let draws: Int
        let seed: UInt64

        init(_ used: Predictor.Settings) {
            (backbone, size, windows) = (used.backbone, used.imageSize, used.windows)
            (augmentation, draws, seed) = (used.augmentation, used.draws, used.seed)
        }

        /// In a line for people.
        var text: String {
            let draws = augmentation == nil ? "no augmentation" : "\(draws) draws with seed \(seed)"
            return "\(backbone.rawValue) at \(size) px, windows \(PredictCommand.text(windows)), \(draws)"
        }
    }

    /// Whether slices are predicted where they are, without a work directory.
    private var isDirect: Bool { input != nil && work.work == nil }

    func run() throws {
        let out = try output.destination(
            out, .predictions, inputs: [weights, input, work.archive, work.recipe], json: json)
        if let input, isDirect, let weights { return try predict(input, with: weights, to: out) }
        var options = work
        options.archive = input ?? work.archive
        let run = try OpenRun(options, engine)
        // Before the inputs are made, which may take hours.
        let file = try WeightsFile.read(
            weights ?? snapshot(in: run), .init(backbone, entry: weights == nil ? nil : work.entry))
        let settings = try settings(weights == nil || work.recipe != nil ? run.recipe : nil, file)
        let competition = run.reproduction.competition
        _ = try run.reproduction.run(run.reproduction.inputStages())
        let slices =
            switch (split, fold) {
            case (.train, let fold?): try competition.slices(inFold: fold)
            default: try competition.slices(in: split)
            }
        let begun = ProgressMeter.uptime()
        let predictor = try run.reproduction.engine.predictor(settings, weights: file)
        let table = try predictor.predict(
            slices.map(\.id), source: try competition.store().image, name: "predict \(split.rawValue)", partial: nil,
            progress: run.reproduction.progress)
        try out.write(table.csv())
        try report(table, settings, out, since: begun)
    }

    /// Predicts the slices in a folder or an archive where they are.
    private func predict(_ input: String, with weights: String, to out: Destination) throws {
        let interruption = Interruption.explain(
            "Nothing was written.", removing: AtomicFile.temporaryPath(of: out.path))
        defer { for source in interruption { source.cancel() } }
        try InputFile.checkIsThere(input)
        let recipe = try work.recipe.map(RecipeLibrary.recipe)
        let file = try WeightsFile.read(weights, .init(backbone, entry: work.entry))
        let settings = try settings(recipe, file)
        let begun = ProgressMeter.uptime()
        let engine = Engine(pool: ThreadPool(threads: engine.threads), arithmetic: engine.math)
        let (table, unreadable, passedOver) = try DirectPrediction(
            slices: LooseSlices(
                input: input, split: split, repairsWrap: recipe?.catalog.repairWrappedPixels ?? false,
                threads: self.engine.threads),
            predictor: try engine.predictor(settings, weights: file),
            progress: .standard(quiet: work.quiet)
        ).run()
        try out.write(table.csv())
        try report(table, settings, out, since: begun, unreadable: unreadable, passedOver: passedOver)
    }

    /// What was asked for, else what the recipe has, else what the weights' training had; whatever is otherwise than in the training
    /// is said.
    ///
    /// - Parameter recipe: nil if none was named: of a recipe that nobody named, nothing is taken.
    private func settings(_ recipe: Recipe?, _ file: WeightsFile) throws -> Predictor.Settings {
        let training = file.training
        guard let imageSize = size ?? recipe?.imageSize ?? training?.imageSize else {
            throw Failure(
                .badUsage,
                "\(file.path): does not say what size it was trained at. Give --size, the network's input in pixels.")
        }
        guard let draws = noAugment ? 1 : tta ?? recipe?.testTimeDraws else {
            throw Failure(
                .badUsage,
                "how many draws are averaged is not said: give --tta N, or --no-augment to predict each slice as it is."
            )
        }
        let windows = try parsedWindows() ?? recipe?.windows ?? training?.windows ?? Window.original
        let augmentation = noAugment ? nil : recipe?.augmentation ?? training?.augmentation ?? Augmentation()
        if let training {
            func note(_ what: String, _ used: String, _ trained: String) {
                guard used != trained else { return }
                Console.log("\(file.path): predicted with \(what) \(used), trained with \(trained)")
            }
            note("backbone", backbone.rawValue, training.backbone.rawValue)
            note("size", "\(imageSize)", "\(training.imageSize)")
            note("windows", Self.text(windows), Self.text(training.windows))
        }
        return .init(
            backbone: backbone, imageSize: imageSize, windows: windows, augmentation: augmentation, draws: draws,
            seed: recipe?.seed ?? training?.seed ?? 0, batchSize: batch)
    }

    /// nil if none are given.
    private func parsedWindows() throws -> [Window]? {
        guard let windows else { return nil }
        let parsed = windows.split(separator: ",", omittingEmptySubsequences: false).map { text -> Window? in
            let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { Float($0) }
            guard numbers.count == 2, let center = numbers[0], let width = numbers[1], center.magnitude <= 100_000,
                (2...100_000).contains(width)
            else { return nil }
            return Window(center: center, width: width)
        }
        let found = parsed.compactMap { $0 }
        guard found.count == 3, parsed.count == 3 else {
            throw ValidationError(
                "--windows: expected three windows as center:width in HU, as in \(Self.text(Window.original)), found \(windows)."
            )
        }
        return found
    }

    fileprivate static func text(_ windows: [Window]) -> String {
        windows.map { "\($0.center):\($0.width)".replacingOccurrences(of: ".0", with: "") }.joined(separator: ",")
    }

    private func report(
        _ table: PredictionTable, _ settings: Predictor.Settings, _ out: Destination, since begun: Double,
        unreadable: Int? = nil, passedOver: Int? = nil
    ) throws {
        guard !out.isStandardOutput else { return }
        let result = Result(
            out: out.path, slices: table.sliceIDs.count, seconds: ProgressMeter.uptime() - begun,
            contentHash: table.contentHash(), settings: .init(settings), unreadable: unreadable,
            passedOver: passedOver)
        if json { return Console.result(try JSON.encode(result)) }
        func lost(_ count: Int?, _ how: String) -> String {
            count.map { $0 > 0 ? ", \(Numbers.count($0)) \(how)" : "" } ?? ""
        }
        let left = lost(unreadable, "unreadable") + lost(passedOver, "passed over")
        Console.result(
            "\(result.out): \(Numbers.count(result.slices)) slices in \(Numbers.duration(result.seconds))\(left)\n\(result.settings.text)\ncontent \(result.contentHash)"
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
                "\(path): is not there. Train it first: repro train --recipe \(work.recipeName) --backbone \(backbone.rawValue) --fold \(fold) --work \(run.reproduction.folder.root)"
            )
        }
        return path
    }
}
