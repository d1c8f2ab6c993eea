import Basics
import Foundation
import Nets
import Submit

/// A whole run in a work directory: builds the stages, runs them and tells what they came to.
package struct Reproduction {
    package struct Options: Sendable {
        /// The user's archive or folder.
        package var archive: String?
        /// The folder with ImageNet weights.
        package var pretrained: String?
        /// Which set of weights in those files, if they have several.
        package var entry: String?
        package var arithmetic = Arithmetic.exact
        package var threads = Machine.availableProcessors
        /// Seconds between checkpoints inside an epoch.
        package var checkpointInterval = 600.0
        /// Is told what would be lost if outdated stages were made again, and says whether they may be.
        package var mayRemake: @Sendable (String) -> Bool = { _ in false }

        package init(
            archive: String? = nil, pretrained: String? = nil, entry: String? = nil,
            arithmetic: Arithmetic = Arithmetic.exact, threads: Int = Machine.availableProcessors,
            checkpointInterval: Double = 600.0,
            mayRemake: @escaping @Sendable (String) -> Bool = { _ in false }
        ) {
            self.mayRemake = mayRemake
            self.archive = archive
            self.pretrained = pretrained
            self.entry = entry
            self.arithmetic = arithmetic
            self.threads = threads
            self.checkpointInterval = checkpointInterval
        }
    }

    package let folder: WorkFolder
    package let recipe: Recipe
    package let options: Options
    package let progress: ProgressMeter
    package let competition: Competition
    package let engine: Engine

    package init(folder: WorkFolder, recipe: Recipe, options: Options, progress: ProgressMeter) {
        self.folder = folder
        self.recipe = recipe
        self.options = options
        self.progress = progress
        competition = Competition(
            folder: folder, recipe: recipe, root: InputStages.root(of: options.archive, in: folder))
        engine = Engine(pool: ThreadPool(threads: options.threads), arithmetic: options.arithmetic)
    }

    package func inputStages() throws -> [Stage] {
        try InputStages(
            folder: folder, recipe: recipe, archive: options.archive, threads: options.threads, progress: progress,
            competition: competition
        ).all()
    }

    package func modelStages() -> ModelStages {
        ModelStages(
            folder: folder, recipe: recipe, competition: competition,
            engine: engine, progress: progress, pretrained: options.pretrained, entry: options.entry,
            checkpointInterval: options.checkpointInterval)
    }

    /// Blends, submissions and scores.
    private func tableStages() throws -> [Stage] {
        let predicting = recipe.backbones.flatMap { backbone in
            (0..<recipe.folds.count).map { ModelStages.predictName(backbone.backbone, $0) }
        }
        return try TableStages(
            folder: folder, recipe: recipe, predicting: predicting, sample: competition.sampleSubmission,
            labels: competition.labels, testTruth: options.archive == nil ? folder.path(WorkFolder.demoTruth) : nil
        ).all()
    }

    package func stages() throws -> [Stage] { try inputStages() + modelStages().all() + tableStages() }

    /// Brings all stages up to date and writes the report.
    package func run(golden: Golden?) throws -> RunSummary {
        // Built before anything runs: a missing file of weights is said now, not after hours of unpacking.
        let stages = try stages()
        var record = try openRecord(for: stages)
        let outcomes = try StageRunner(folder: folder.root, progress: progress).run(stages, record: &record)
        let summary = RunSummary(
            record: record, outcomes: outcomes, golden: golden, arithmetic: options.arithmetic, work: folder.root,
            scores: try RunScores.load(from: folder))
        try AtomicFile.write(HTMLReport(summary: summary).html, to: folder.path(WorkFolder.report))
        return summary
    }

    /// Brings some stages up to date, all that they need among them.
    package func run(_ stages: [Stage]) throws -> [StageOutcome] {
        var record = try openRecord(for: stages)
        return try StageRunner(folder: folder.root, progress: progress).run(stages, record: &record)
    }

    /// Work of this many seconds is lost without a question.
    private static let smallLoss = 600.0

    /// The record of earlier runs in this folder, marked with this run's recipe and machine.
    ///
    /// - Throws: ``Failure`` with status `badUsage` if some stages would have to be made again, which took long, and may not be.
    private func openRecord(for stages: [Stage]) throws -> RunRecord {
        var record =
            try RunRecord.load(from: folder.root)
            ?? RunRecord(program: programVersion, recipe: recipe, machine: .current, threads: options.threads)
        let outdated = record.outdated(among: stages)
        if outdated.reduce(0, { $0 + $1.seconds }) > Self.smallLoss {
            let lines = outdated.map { "  \($0.name): \($0.reason); \(Numbers.duration($0.seconds)) of work" }
            let loss = (["\(folder.root): these stages would have to be made again:"] + lines).joined(separator: "\n")
            guard options.mayRemake(loss) else {
                throw Failure(
                    .badUsage,
                    "\(loss)\nGive --remake to do that, --work for another directory, or the recipe as it was.")
            }
        }
        noteEdits(of: &record)
        record.program = programVersion
        record.recipe = recipe
        record.machine = .current
        record.threads = options.threads
        try record.save(to: folder.root)
        return record
    }

    /// Says what was edited in the record, and marks those entries, which saving would otherwise make to look like the run's own.
    private func noteEdits(of record: inout RunRecord) {
        guard !record.stages.isEmpty else { return }
        let edited = record.editedStages
        if edited.isEmpty, !record.hasIntactRoot {
            progress.note(
                "run.json: the root is not what entries and recipe hash to: the recipe or the root was edited")
        }
        for name in edited { record.stages[name]?.settings = "edited" }
    }
}
