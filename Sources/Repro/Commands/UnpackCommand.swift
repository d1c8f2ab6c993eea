import ArgumentParser
import Foundation

struct UnpackCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpack",
        abstract: "Unpack the competition's archive and fingerprint every file in the same pass.",
        discussion: """
            Writes DIR/manifest.sha256 last, so a folder that has it is complete. Run again after an interruption, it goes on \
            where it stopped. Members with unsafe paths (absolute, `..`, links) are refused by name; the others are unpacked \
            and the exit code is then 65. A folder that is already unpacked is fingerprinted where it is.

            repro unpack rsna-intracranial-hemorrhage-detection.zip --into work/inputs
            """)

    @Argument(help: "The archive: zip, tar (compressed or not) or 7-zip.")
    var archive: String
    @Option(help: "The folder to unpack into; made if need be.")
    var into: String
    @Flag(help: "Print the report as JSON.")
    var json = false

    func run() throws {
        let progress = Progress.standard(quiet: false)
        let (report, _) = try Unpacker(archive: archive, destination: into)
            .run(progress: progress.reporting("unpack", unit: "MiB"))
        progress.end()
        let text =
            "\(report.folder): \(report.files) files, \(report.alreadyThere) of them already there\nroot \(report.rootHash)"
        Console.result(json ? try JSON.encode(report) : text)
        guard report.refused.isEmpty else {
            let list = report.refused.map { "  \($0.member): \($0.reason)" }.joined(separator: "\n")
            throw Failure(
                .badInput,
                "\(archive): \(report.refused.count) members were not unpacked; all others were. Is this the competition's archive?\n\(list)"
            )
        }
    }
}
