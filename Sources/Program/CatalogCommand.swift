import ArgumentParser
import Basics
import Catalog
import Foundation
import Inputs
import Repro

struct CatalogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "Read every DICOM file into one SQLite file and make the original's data set and folds.",
        discussion: """
            Records each slice's attributes, statistics and labels in DIR/catalog.sqlite, then runs the three preprocessing \
            steps of the original solution: the brain-window filter, positions and neighbours, folds by patient. A file that \
            cannot be used is recorded with its reason and the run goes on.

            repro catalog --input work/inputs --work work
            repro catalog export --work work --split train --out train.csv
            """,
        subcommands: [Build.self, Export.self],
        defaultSubcommand: Build.self)

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "build", abstract: "Make the catalog (what `repro catalog` does).")

        @Option(
            help: ArgumentHelp("The unpacked competition folder, or the folder that it lies in.", valueName: "dir"),
            completion: .directory)
        var input: String
        @Option(
            help: ArgumentHelp("The work directory; the catalog is its catalog.sqlite.", valueName: "dir"),
            completion: .directory)
        var work: String
        @Option(help: "Number of folds.")
        var folds = 5
        @Option(help: "Seed of the folds; the original's is 10.")
        var foldSeed: UInt64 = 10
        @Flag(help: "Undo the wrap-around of 12-bit slices, which the original does not do.")
        var repairWrap = false
        @Option(help: "Threads that read files; changes nothing but the time.")
        var threads = Machine.availableProcessors
        @Flag(help: "Print the report as JSON.")
        var json = false

        func validate() throws {
            guard folds >= 2 else { throw ValidationError("--folds must be at least 2.") }
            guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
        }

        func run() throws {
            let input = try CompetitionFolder.locate(in: input)
            let folder = try WorkFolder.open(work)
            let lock = try WorkLock(folder: work)
            defer { withExtendedLifetime(lock) {} }
            let catalog = SliceCatalog(path: folder.path(WorkFolder.catalog))
            let settings = CatalogSettings(
                input: input, folds: folds, foldSeed: foldSeed, repairsWrap: repairWrap, threads: threads)
            try folder.checkMayReplace(catalog, by: settings)
            let progress = ProgressMeter.standard(quiet: false)
            let report = try catalog.build(
                settings, note: Console.log, progress: progress.reporting("catalog", unit: "slices"))
            progress.end()
            let skipped = try catalog.skippedSlices()
            for slice in skipped.prefix(20) { Console.log("skipped \(slice.path): \(slice.message)") }
            if skipped.count > 20 { Console.log("and \(skipped.count - 20) more: table `skipped` of \(catalog.path)") }
            Console.result(json ? try JSON.encode(report) : report.text)
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Write a split's data set as CSV, with the original's columns and order.")

        @Option(help: ArgumentHelp("The work directory with catalog.sqlite.", valueName: "dir"), completion: .directory)
        var work: String
        @Option(help: "Which split: train (with folds) or test.")
        var split: Split
        @Option(
            help: ArgumentHelp("The CSV file to write; - for standard output.", valueName: "csv"), completion: .file())
        var out: String
        @OptionGroup var output: OutputOptions

        func run() throws {
            let catalog = SliceCatalog(path: work + "/catalog.sqlite")
            let out = try output.destination(out, .slices, inputs: [catalog.path])
            try out.write { append in try catalog.writeCSV(of: split, append) }
        }
    }
}

extension Split: ExpressibleByArgument {}
