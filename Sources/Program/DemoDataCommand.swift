import ArgumentParser
import Basics
import Foundation
import Inputs
import Repro

struct DemoDataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-data",
        abstract: "Write a synthetic competition archive with the real one's layout and quirks.",
        discussion: """
            Writes DIR/\(DemoCompetition.archiveName) and, beside it, DIR/\(DemoCompetition.truthName) with the labels of the test \
            slices. The same options give the same slices and tables on every machine.

            repro demo-data --out demo
            """)

    @Option(help: ArgumentHelp("The folder to write into; made if need be.", valueName: "dir"), completion: .directory)
    var out: String
    @Option(
        help:
            "Patients in the training set, \(DemoSettings.fewestPatients) to \(DemoSettings.mostPatients); the test set has a fifth on top."
    )
    var patients = DemoSettings().patients
    @Option(help: "Pixels on the longer side of most slices, at least \(DemoSettings.smallestSize).")
    var size = DemoSettings().size
    @Option(help: "Another seed gives other patients.")
    var seed = DemoSettings().seed
    @Option(help: "Threads that draw; changes nothing but the time.")
    var threads = Machine.availableProcessors
    @Flag(help: "Replace files of the same names that are no demo data.")
    var force = false
    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard out != "-" else {
            throw ValidationError("--out -: expected a folder; an archive and a table do not go to standard output.")
        }
        guard (DemoSettings.fewestPatients...DemoSettings.mostPatients).contains(patients) else {
            throw ValidationError(
                "--patients: expected \(DemoSettings.fewestPatients) to \(DemoSettings.mostPatients), found \(patients)."
            )
        }
        guard (DemoSettings.smallestSize...2048).contains(size) else {
            throw ValidationError("--size must be between \(DemoSettings.smallestSize) and 2048.")
        }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        let settings = DemoSettings(patients: patients, size: size, seed: seed, threads: threads)
        let archive = "\(out)/\(DemoCompetition.archiveName)"
        let truth = "\(out)/\(DemoCompetition.truthName)"
        let (hasArchive, isDemo) = (FileManager.default.fileExists(atPath: archive), ArchiveWriter.isItsOwn(archive))
        guard force || !hasArchive || isDemo else {
            throw Failure(
                .badUsage,
                "\(archive): is there already and no demo data; it may be the competition's own archive. Give another --out, or --force to replace it."
            )
        }
        // Demo data has the archive too, which is written first; a table alone is somebody's.
        guard force || !FileManager.default.fileExists(atPath: truth) || isDemo && Destination.isPredictions(truth)
        else {
            throw Failure(
                .badUsage,
                "\(truth): is there already and no demo data. Give another --out, or --force to replace it.")
        }
        for file in [archive, truth] where FileManager.default.fileExists(atPath: file) { try AtomicFile.check(file) }
        let interruption = Interruption.explain(
            "Run the same command again.", removing: AtomicFile.temporaryPath(of: archive))
        defer { for source in interruption { source.cancel() } }
        let progress = ProgressMeter.standard(quiet: false)
        let report = try DemoCompetition(settings: settings)
            .write(to: out, progress: progress.reporting("demo-data", unit: "slices"))
        progress.end()
        Console.result(json ? try JSON.encode(report) : Self.text(report))
    }

    private static func text(_ report: DemoCompetition.Report) -> String {
        let types = report.trainTypes.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value) train slices\n" }
        return "\(report.archive): \(report.trainSlices) train and \(report.testSlices) test slices of "
            + "\(report.patients) patients\n" + types.joined()
            + "\(report.truth): the labels of the test slices\ncontent \(report.contentHash)"
    }
}
