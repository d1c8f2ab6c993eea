import ArgumentParser
import Foundation

struct FingerprintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint",
        abstract: "Hash files and folders: sha256sum lines and one root hash over all.",
        discussion: """
            Lines go to stdout as sha256sum writes them, sorted by path; comment lines, which sha256sum --check skips, carry the \
            root hash. With --check, every missing, extra and changed file is named and the exit code is 1 if there is any.

            repro fingerprint work/inputs > manifest
            repro fingerprint work/inputs --check manifest
            """)

    @Argument(help: "Files and folders. The files of a single folder are named relative to it.")
    var paths: [String]
    @Option(help: "A manifest that the files must match: from unpack, from this command or from sha256sum.")
    var check: String?
    @Option(help: "Threads that hash files; changes nothing but the time.")
    var threads = ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Print the result as JSON.")
    var json = false

    private struct Listing: Encodable {
        var rootHash: String
        var files: [Manifest.Entry]
    }

    func validate() throws {
        guard !paths.isEmpty else { throw ValidationError("Give at least one file or folder.") }
        guard threads >= 1 else { throw ValidationError("--threads must be at least 1.") }
    }

    func run() throws {
        var expected: Manifest?
        if let check {
            guard let data = FileManager.default.contents(atPath: check) else {
                throw Failure(.inputMissing, "\(check): cannot be read. Give the manifest to check against.")
            }
            expected = try Manifest(parsing: String(decoding: data, as: UTF8.self), name: check)
        }
        let log = ProgressLog()
        let found = try Fingerprint.manifest(of: paths, threads: threads) { done, all in
            log.note("hashed \(done) of \(all) files")
        }
        guard let expected else {
            print(
                json ? try JSONReport.text(Listing(rootHash: found.rootHash, files: found.entries)) : found.text,
                terminator: "")
            if json { print() }
            return
        }
        let differences = expected.differences(from: found)
        if json {
            print(try JSONReport.text(differences))
        } else {
            for path in differences.missing { print("missing \(path)") }
            for path in differences.extra { print("extra   \(path)") }
            for path in differences.changed { print("changed \(path)") }
        }
        guard differences.isEmpty else {
            throw Failure(
                .checkFailed,
                "\(differences.missing.count) missing, \(differences.extra.count) extra, \(differences.changed.count) changed of \(expected.entries.count) files in \(check ?? "")."
            )
        }
        if !json { print("all \(expected.entries.count) files are as in \(check ?? ""), root \(found.rootHash)") }
    }
}
