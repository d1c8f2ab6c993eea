import ArgumentParser
import Foundation

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract:
            "Look for leaks, contradictions and broken provenance in a work directory; exit code 1 if a check fails.",
        discussion: """
            Reads the catalog and, if there is one, the run's record run.json. A check that fails is a fault of the data, of the
            folds or of the run; a note is worth knowing, such as files that could not be used.

            repro audit --work work
            """)

    @Option(help: ArgumentHelp("The work directory, with catalog.sqlite.", valueName: "dir"))
    var work: String

    @Flag(help: "Print JSON for machines.")
    var json = false

    func run() throws {
        let findings = try findings()
        Console.result(json ? try JSON.encode(findings) : Self.text(findings))
        let failed = findings.count { $0.verdict == .failed }
        guard failed == 0 else {
            throw Failure(.checkFailed, "\(work): \(failed) of \(findings.count) checks failed.")
        }
    }

    func findings() throws -> [AuditFinding] {
        let catalog = Catalog(path: "\(work)/catalog.sqlite")
        var findings = Audit.findings(try catalog.auditedSlices())
        findings.append(Audit.skippedFiles(try catalog.skippedSlices()))
        if let record = try RunRecord.load(from: work) {
            findings += try Audit.provenance(record) { try currentHash(of: $0, catalog) }
        }
        return findings
    }

    /// The hash of an output as it is now, by the rule that its stage hashed it by: content, not bytes, of what is no plain file.
    private func currentHash(of output: RunRecord.Output, _ catalog: Catalog) throws -> String? {
        let path = "\(work)/\(output.path)"
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return nil }
        switch output.path {
        case WorkFolder.catalog: return try catalog.contentFingerprint()
        case WorkFolder.manifest:
            return try Manifest(parsing: String(decoding: InputBytes.read(path), as: UTF8.self), name: path).rootHash
        default:
            guard isDirectory.boolValue else { return try Digest.sha256(file: path) }
            return try Fingerprint.manifest(of: [path], threads: Machine.availableProcessors).rootHash
        }
    }

    static func text(_ findings: [AuditFinding]) -> String {
        var table = TextTable([("check", .left), ("result", .left), ("cases", .right)])
        for finding in findings {
            table.add(finding.check, finding.verdict.rawValue, finding.count == 0 ? "" : "\(finding.count)")
        }
        let details = findings.filter { $0.verdict != .ok }.map { finding in
            let more = finding.count > finding.examples.count ? ", ..." : ""
            return "\(finding.check): \(finding.message)\n  \(finding.examples.joined(separator: ", "))\(more)"
        }
        return ([table.text] + details).joined(separator: "\n\n")
    }
}
