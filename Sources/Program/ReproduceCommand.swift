import ArgumentParser
import Basics
import Foundation
import Repro
import Submit

struct ReproduceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reproduce",
        abstract: "Do everything, from the archive to a verified submission; can be interrupted and run again.",
        discussion: """
            Every stage's result is recorded with its hash. Run again, the command skips the stages whose inputs, settings \
            and results are as recorded, says which are not, and makes those again. It ends with 1 if a stage's hash is \
            not the golden one.

            repro reproduce
            repro reproduce --recipe rsna-2019-58th --archive rsna.zip --pretrained weights --work work/58th
            """)

    @OptionGroup var work: WorkOptions
    @OptionGroup var engine: EngineOptions

    @Option(
        help: ArgumentHelp("Compare with this file of golden hashes instead of the built-in ones.", valueName: "file"),
        completion: .file())
    var golden: String?

    @Flag(help: "Print JSON for machines.")
    var json = false

    func run() throws {
        let run = try OpenRun(work, engine)
        let golden = try self.golden.map(Golden.load) ?? Golden.builtIn(for: run.recipe)
        let summary = try run.reproduction.run(golden: golden)
        Console.result(json ? try JSON.encode(summary) : ClosingTable(summary: summary).text)
        guard summary.agreesWithGolden else {
            let names = summary.stages.filter { $0.verdict == .differs }.map(\.name) + summary.goldenWithoutStage
            throw Failure(.checkFailed, "not as the golden hashes have it: \(names.joined(separator: ", ")).")
        }
    }
}
