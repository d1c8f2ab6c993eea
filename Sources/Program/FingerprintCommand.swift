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
        var passedOver: [Fingerprint.PassedOver]
    }

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Give at least one file or folder.") }
        guard !members || paths.count == 1 else { throw ValidationError("--members takes one archive.") }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        let expected = try check.map { try Manifest(parsing: InputBytes.read($0), name: InputBytes.name($0)) }
        var passedOver: [Fingerprint.PassedOver] = []
        let progress = ProgressMeter.standard(quiet: false)
        let report = progress.reporting("fingerprint", unit: members ? "members" : "files")
        let found =
            members
            ? try ArchiveFingerprint(archive: paths[0], threads: threads).manifest(
                passOver: { passedOver.append($0) }, progress: report)
            : try Fingerprint.manifest(
                of: paths, threads: threads, passOver: { passedOver.append($0) }, progress: report)
        progress.end()
        Fingerprint.PassedOver.lines(passedOver).forEach(Console.log)
        guard let expected else {
            guard !found.entries.isEmpty else {
                throw Failure(
                    .badInput,
                    "\(paths.joined(separator: ", ")): no file to fingerprint. Give files or folders that have some.")
            }
            let listing = Listing(rootHash: found.rootHash, files: found.entries, passedOver: passedOver)
            return Console.result(json ? try JSON.encode(listing) : String(found.text.dropLast()))
        }
        let differences = try differences(from: expected, to: found)
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

    /// Compares what was found with a manifest that need not be of this program: it may name files from where it was made, `./` before
    /// them or not, and what is never part of a fingerprint; and it may lie in the folder itself.
    private func differences(from expected: Manifest, to found: Manifest) throws -> Manifest.Differences {
        let (given, found) = (expected.normalized(), found.normalized())
        let folder = !members && paths.count == 1 && isFolder(paths[0]) ? paths[0] : nil
        guard let folder else { return given.differences(from: found) }
        let choices =
            [given] + [folder, URL(fileURLWithPath: folder).standardizedFileURL.path].compactMap(given.relative)
        let results = try choices.map { choice in
            let names = Set(choice.entries.map(\.path))
            let own = try names.filter { Manifest.isOwn($0) && FileFacts("\(folder)/\($0)") != nil }.map {
                Manifest.Entry(sha256: try Digest.sha256(file: "\(folder)/\($0)"), path: $0)
            }
            let others = found.entries.filter { names.contains($0.path) || !isManifest("\(folder)/\($0.path)") }
            return choice.differences(from: Manifest(others + own))
        }
        return results.first(where: \.isEmpty) ?? results[0]
    }

    /// Whether a file is the one that the others are checked against.
    private func isManifest(_ path: String) -> Bool {
        guard let check else { return false }
        var (file, manifest) = (stat(), stat())
        return path.withPath { stat($0, &file) } == 0 && stat(check, &manifest) == 0
            && file.st_ino == manifest.st_ino && file.st_dev == manifest.st_dev
    }
}
