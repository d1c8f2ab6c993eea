import ArgumentParser
import Basics
import Foundation
import Nets
import Repro

extension Arithmetic: ExpressibleByArgument {}
extension Backbone: ExpressibleByArgument {}

/// Options that every command that runs networks has.
struct EngineOptions: ParsableArguments {
    @Option(
        help: "The arithmetic of matrix products: exact, or openblas, whose bits depend on the library and processor.")
    var math = Arithmetic.exact

    @Option(help: "How many threads work; results do not depend on it. Default: as many as processors.")
    var threads = Machine.availableProcessors

    func validate() throws {
        guard (1...1024).contains(threads) else {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads).")
        }
        // A wrong REPRO_ISA is the user's to mend, before anything runs.
        do { _ = try InstructionSet.chosen() } catch { throw ValidationError("\(error)") }
    }
}

/// Options that every command that works in a work directory has.
struct WorkOptions: ParsableArguments {
    @Option(
        help: "A built-in recipe's name (`repro recipes` lists them) or the path of a .yaml file. Default: demo.",
        completion: .recipe)
    var recipe: String?

    @Option(
        help: ArgumentHelp(
            "The competition's archive or its unpacked folder; not for the demo.", valueName: "file-or-dir"),
        completion: .file())
    var archive: String?

    @Option(
        help: ArgumentHelp("The work directory. Default: work/ and the recipe's name.", valueName: "dir"),
        completion: .directory)
    var work: String?

    @Option(
        help: ArgumentHelp("The folder with the ImageNet weights that the recipe names.", valueName: "dir"),
        completion: .directory)
    var pretrained: String?

    @Option(
        help: ArgumentHelp(
            "Which weights, of --pretrained or --weights, if a file has several: the names that lead to them.",
            valueName: "name"))
    var entry: String?

    @Option(help: ArgumentHelp("Minutes between checkpoints inside an epoch.", valueName: "minutes"))
    var checkpointMinutes = 10.0

    @Flag(help: "Make stages again whose settings have changed, without asking; their results are lost.")
    var remake = false

    @Flag(help: "No progress on stderr.")
    var quiet = false

    /// The recipe that was named, or the default.
    var recipeName: String { recipe ?? "demo" }

    func validate() throws {
        guard checkpointMinutes >= 0 else { throw ValidationError("--checkpoint-minutes: expected 0 or more.") }
    }
}

/// A work directory opened for a command: locked, tidied, with the run's recipe and options at hand.
struct OpenRun {
    let reproduction: Reproduction
    let recipe: Recipe
    private let lock: WorkLock
    private let interruption: [any DispatchSourceSignal]

    init(_ work: WorkOptions, _ engine: EngineOptions) throws {
        recipe = try RecipeLibrary.recipe(work.recipeName)
        let path = work.work ?? "work/\(recipe.name)"
        let folder = try WorkFolder.open(path)
        lock = try WorkLock(folder: path)
        try folder.checkBelongs(to: recipe)
        folder.removeTemporaryFiles()
        interruption = Interruption.explain("Run the same command again to go on from here.")
        reproduction = Reproduction(
            folder: folder, recipe: recipe,
            options: .init(
                archive: work.archive, pretrained: work.pretrained, entry: work.entry, arithmetic: engine.math,
                threads: engine.threads,
                checkpointInterval: work.checkpointMinutes * 60,
                mayRemake: { [remake = work.remake] in remake || Self.confirms($0) }),
            progress: .standard(quiet: work.quiet))
    }

    /// Asks the person at the terminal; where there is none, the answer is no.
    private static func confirms(_ loss: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1, Console.errorIsTerminal else { return false }
        Console.show("\(loss)\nMake them again, and lose what is there? [y/N] ")
        return ["y", "yes"].contains(readLine()?.lowercased())
    }
}
