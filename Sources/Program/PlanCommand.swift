import ArgumentParser
import Basics
import Foundation
import Nets
import Repro

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Say what a run would take before anything runs: steps, disk, memory, time on this machine.",
        discussion: """
            The time comes from training and predicting a few batches of each backbone now; how many slices there are, from the \
            work directory's catalog if there is one.

            repro plan --recipe rsna-2019-58th
            """)

    @OptionGroup var engine: EngineOptions

    @Option(help: "A built-in recipe's name or the path of a .yaml file.", completion: .recipe)
    var recipe = "demo"

    @Option(
        help: ArgumentHelp("The work directory. Default: work/ and the recipe's name.", valueName: "dir"),
        completion: .directory)
    var work: String?

    @Flag(help: "Measure nothing, estimate no time.")
    var noMeasure = false

    @Flag(help: "Print JSON for machines.")
    var json = false

    func run() throws {
        let recipe = try RecipeLibrary.recipe(recipe)
        let folder = WorkFolder(root: work ?? "work/\(recipe.name)")
        let slices = try RunPlan.Slices.find(for: recipe, in: folder)
        let plan = RunPlan(
            recipe: recipe, slices: slices, threads: engine.threads, speeds: noMeasure ? [:] : try measure(recipe))
        Console.result(json ? try JSON.encode(plan) : text(of: plan, in: folder))
    }

    /// A few small batches of each backbone; at these sizes the speed hardly depends on the batch.
    private func measure(_ recipe: Recipe) throws -> [Backbone: Benchmark.Result] {
        let engine = Engine(pool: ThreadPool(threads: engine.threads), arithmetic: engine.math)
        let batch = recipe.imageSize > 256 ? 2 : 8
        var speeds: [Backbone: Benchmark.Result] = [:]
        for backbone in recipe.backbones.map(\.backbone) {
            Console.log("measuring \(backbone.rawValue)")
            speeds[backbone] = try Benchmark(
                backbone: backbone, size: recipe.imageSize, batch: batch, engine: engine, seconds: 1
            ).measure()
        }
        return speeds
    }

    private func text(of plan: RunPlan, in folder: WorkFolder) -> String {
        var table = TextTable([
            ("training", .left), ("steps", .right), ("images trained", .right), ("images predicted", .right),
            ("memory", .right), ("time", .right),
        ])
        for training in plan.trainings {
            table.add(
                "\(training.backbone.rawValue) fold \(training.fold)", Numbers.count(training.steps),
                Numbers.count(training.trainImages), Numbers.count(training.predictImages),
                Numbers.bytes(training.memoryBytes), training.seconds.map(Numbers.duration) ?? "-")
        }
        let place = FileManager.default.fileExists(atPath: folder.root) ? folder.root : "."
        let free = Machine.freeBytes(at: place).map { ", \(Numbers.bytes($0)) are free" } ?? ""
        return """
            \(table.text)

            slices: \(Numbers.count(plan.trainSlices)) train, \(Numbers.count(plan.testSlices)) test (\(plan.basis))
            disk:   \(Numbers.bytes(plan.diskBytes)) in the work directory\(free)
            memory: \(Numbers.bytes(plan.memoryBytes)), this machine has \(Numbers.bytes(Machine.current.memoryBytes))
            time:   \(plan.seconds.map { "about \(Numbers.duration($0)) of training and prediction with \(engine.threads) threads" } ?? "not measured")
            """
    }
}
