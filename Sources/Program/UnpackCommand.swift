import ArgumentParser
import Basics
import Foundation
import Inputs
import Repro

struct UnpackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpack",
        abstract: "Unpack the competition's archive and fingerprint every file in the same pass.",
        discussion: """
            Writes DIR/manifest.sha256 last, so a folder that has it is complete. Run again after an interruption, it goes on \
            where it stopped. Zips inside the archive are unpacked too. Damaged members, unsafe ones (absolute paths, `..`, \
            links) and files in DIR that are not the archive's are named; the others are unpacked and the exit code is then \
            65. A folder of archives is taken as one; a folder that is already unpacked is fingerprinted where it is.

            repro unpack rsna-intracranial-hemorrhage-detection.zip --into work/inputs
            """)

    @Argument(help: "The archive: zip, tar (compressed or not), 7-zip, or a folder of them.", completion: .file())
    var archive: String
    @Option(help: ArgumentHelp("The folder to unpack into; made if need be.", valueName: "dir"), completion: .directory)
    var into: String
    @Option(help: "Threads that unpack; changes nothing but the time.")
    var threads = Machine.availableProcessors
    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard into != "-" else {
            throw ValidationError("--into -: expected a folder; files do not go to standard output.")
        }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        let unpacker = Unpacker(archive: archive, destination: into, threads: threads)
        let progress = ProgressMeter.standard(quiet: false)
        let (report, _) = try unpacker.run(progress: progress.reporting("unpack", unit: "MiB"))
        progress.end()
        let text =
            "\(report.folder): \(report.files) files, \(Numbers.bytes(Int(report.bytes))), \(report.alreadyThere) of them already there\nroot \(report.rootHash)"
        if report.folder != into {
            Console.log(
                "\(archive): is a folder without archives, and is fingerprinted where it is; nothing is unpacked into \(into)."
            )
        }
        Fingerprint.PassedOver.lines(report.passedOver).forEach(Console.log)
        Console.result(json ? try JSON.encode(report) : text)
        if let failure = unpacker.failure(of: report) { throw failure }
    }
}
