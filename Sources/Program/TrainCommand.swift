import ArgumentParser
import Basics
import Foundation
import Nets
import Repro

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train one backbone on one fold of a recipe, in the work directory that `reproduce` uses.",
        discussion: """
            Unpacks and catalogues first if that is not done. A training that is interrupted goes on when the command is run \
            again, and `reproduce` takes what was trained here as done.

            repro train --backbone resnet34 --fold 0 --work work/demo
            """)

    @OptionGroup var work: WorkOptions
    @OptionGroup var engine: EngineOptions

    @Option(help: "Which backbone: \(Backbone.allCases.map(\.rawValue).joined(separator: ", ")).")
    var backbone: Backbone

    @Option(help: "Which fold is left out, from 0.")
    var fold: Int

    @Flag(help: "Print JSON for machines.")
    var json = false

    private struct Result: Encodable {
        let stage: String
        let hash: String
        let file: String
        let seconds: Double?
    }

    func run() throws {
        let run = try OpenRun(work, engine)
        let recipe = run.recipe
        guard let training = recipe.training(of: backbone) else {
            throw Failure(.badUsage, "the recipe \(recipe.name) does not train \(backbone.rawValue).")
        }
        guard training.folds.indices.contains(fold) else {
            throw Failure(.badUsage, "--fold: expected 0 to \(training.folds.count - 1), found \(fold).")
        }
        let stage = try run.reproduction.modelStages().trainStage(training, fold: fold)
        guard let outcome = try run.reproduction.run(run.reproduction.inputStages() + [stage]).last else { return }
        let file = run.reproduction.folder.path(
            WorkFolder.snapshot(backbone, fold: fold, epoch: training.folds[fold].snapshot))
        let result = Result(stage: outcome.name, hash: outcome.hash, file: file, seconds: outcome.seconds)
        if json { return Console.result(try JSON.encode(result)) }
        let time = result.seconds.map { "trained in \(Numbers.duration($0))" } ?? "was trained already"
        Console.result("\(result.stage): \(time)\nparameters \(result.hash)\n\(result.file)")
    }
}
