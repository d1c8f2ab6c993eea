import ArgumentParser
import Basics
import Foundation
import Inputs
import Repro

struct FingerprintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint",
        abstract: "Hash files and folders: sha256sum lines and one root hash over all.",
        discussion: """
            Lines go to stdout as sha256sum writes them, sorted by path; comment lines, which sha256sum --check skips, carry the \
            root hash. With --check, every missing, extra and changed file is named and the exit code is 1 if there is any.

            repro fingerprint work/inputs > manifest
            repro fingerprint work/inputs --check manifest
            repro fingerprint --members rsna-intracranial-hemorrhage-detection.zip --check manifest
            """)

    @Argument(help: "Files and folders. The files of a single folder are named relative to it.", completion: .file())
    var paths: [String]
    @Option(
        help: ArgumentHelp(
            "A manifest that the files must match: from unpack, from this command or from sha256sum.",
            valueName: "manifest"), completion: .file())
    var check: String?
    @Flag(help: "Hash what is in an archive, or in a folder of archives, as if it were unpacked.")
    var members = false
    @Option(help: "Threads that hash files; changes nothing but the time.")
    var threads = Machine.availableProcessors
    @Flag(help: "Print the result as JSON.")
    var json = false

    private struct Listing: Encodable {
        var rootHash: String
        var files: [Manifest.Entry]
    }

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Give at least one file or folder.") }
        guard !members || paths.count == 1 else { throw ValidationError("--members takes one archive.") }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        var expected: Manifest?
        if let check {
            guard let data = FileManager.default.contents(atPath: check) else {
                throw Failure(.inputMissing, "\(check): cannot be read. Give the manifest to check against.")
            }
            expected = try Manifest(parsing: data, name: check)
        }
        let progress = ProgressMeter.standard(quiet: false)
        let report = progress.reporting("fingerprint", unit: members ? "members" : "files")
        let found =
            members
            ? try ArchiveFingerprint(archive: paths[0], threads: threads).manifest(progress: report)
            : try Fingerprint.manifest(of: paths, threads: threads, progress: report)
        progress.end()
        guard let expected else {
            let listing = Listing(rootHash: found.rootHash, files: found.entries)
            return Console.result(json ? try JSON.encode(listing) : String(found.text.dropLast()))
        }
        let differences = expected.differences(from: found)
        if json {
            Console.result(try JSON.encode(differences))
        } else {
            for path in differences.missing { Console.result("missing \(path)") }
            for path in differences.extra { Console.result("extra   \(path)") }
            for path in differences.changed { Console.result("changed \(path)") }
        }
        guard differences.isEmpty else {
            throw Failure(
                .checkFailed,
                "\(differences.missing.count) missing, \(differences.extra.count) extra, \(differences.changed.count) changed of \(expected.entries.count) files in \(check ?? "")."
            )
        }
        if !json {
            Console.result("all \(expected.entries.count) files are as in \(check ?? ""), root \(found.rootHash)")
        }
    }
}
