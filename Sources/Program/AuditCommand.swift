import ArgumentParser
import Basics
import Catalog
import Foundation
import Inputs
import Metrics
import Repro
import Submit

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract:
            "Look for leaks, contradictions and broken provenance in a work directory or in bare files; exit code 1 if a check fails.",
        discussion: """
            Of a work directory, the catalog is read and, if there is one, the run's record run.json with its tables and scores. Of bare
            files, what they allow: labels with folds and patients, out-of-fold files (--oof once for each fold, from fold 0), and a score
            that is claimed of them. A check that fails is a fault of the data, of the folds or of the run; a note is worth knowing.

            repro audit --work work
            repro audit --truth stage_2_train.csv --folds train.csv --oof fold0.csv --oof fold1.csv --claimed 0.0612
            """)

    @Option(help: ArgumentHelp("The work directory, with catalog.sqlite.", valueName: "dir"), completion: .directory)
    var work: String?

    @OptionGroup var files: SliceFiles

    @Option(
        help: ArgumentHelp("Predictions called out-of-fold, of fold 0, then of fold 1, ...", valueName: "csv"),
        completion: .file())
    var oof: [String] = []

    @OptionGroup var values: PredictionOptions

    @Option(help: "The score that is claimed of the --oof files together, to as many decimals as it was given with.")
    var claimed: String?

    @Option(help: "The clip that the claimed score was made with.")
    var clip = kaggleClip

    @Flag(help: "Print JSON for machines.")
    var json = false

    func validate() throws {
        let isBare = !files.all.isEmpty || !oof.isEmpty || claimed != nil
        guard (work != nil) != isBare else {
            throw ValidationError(
                "Give either --work or the files: --truth and --folds, and --patients, --oof, --claimed.")
        }
        guard work != nil || files.truth != nil && files.folds != nil else {
            throw ValidationError("Bare files need --truth and --folds.")
        }
        guard claimed == nil || !oof.isEmpty else {
            throw ValidationError("--claimed needs the --oof files that it is claimed of.")
        }
        // How far the files may be from it is told by its decimals.
        guard claimed?.wholeMatch(of: /[0-9]*\.[0-9]+/) != nil || claimed == nil else {
            throw ValidationError("--claimed: expected a number with its decimals, as 0.0612.")
        }
        guard clip < 0.5 && 1 - clip < 1 else {
            throw ValidationError("--clip: expected a number above 0 and below 0.5, found \(clip).")
        }
    }

    func run() throws {
        let findings = try findings()
        Console.result(json ? try JSON.encode(findings) : Self.text(findings))
        let failed = findings.count { $0.verdict == .failed }
        guard failed == 0 else {
            throw Failure(.checkFailed, "\(work ?? files.truth ?? ""): \(failed) of \(findings.count) checks failed.")
        }
    }

    func findings() throws -> [AuditFinding] {
        guard let work else { return try findingsOfFiles() }
        let catalog = SliceCatalog(path: "\(work)/catalog.sqlite")
        var findings = Audit.findings(try catalog.auditedSlices())
        findings.append(Audit.skippedFiles(try catalog.skippedSlices()))
        if let record = try RunRecord.load(from: work) {
            findings += try Audit.provenance(record) { try currentHash(of: $0, catalog, in: work) }
            findings += try Audit.tables(of: WorkFolder(root: work), catalog, record)
        }
        return findings
    }

    // MARK: Bare files

    private func findingsOfFiles() throws -> [AuditFinding] {
        try InputBytes.checkAtMostOneStandardInput(files.all + oof)
        guard let folds = files.folds, let labels = try files.labels() else { return [] }
        let foldBytes = try InputBytes.read(folds)
        let table = try FoldTable(parsing: foldBytes, name: InputBytes.name(folds))
        let foldOf = Dictionary(uniqueKeysWithValues: zip(table.sliceIDs, table.folds))
        let patientOf = try patients(of: table.sliceIDs, foldBytes)
        let slices = Self.slices(labels, foldOf, patientOf)
        var findings = [
            Audit.foldsWithoutAType(slices), Audit.foldsOutOfBalance(slices), Audit.brokenLabelLogic(slices),
            Audit.repeatedLabels(slices),
        ]
        if patientOf != nil { findings.insert(Audit.patientsInSeveralFolds(slices), at: 0) }
        return try findings + findingsOfPredictions(labels, table, foldOf)
    }

    /// The patient of each slice; nil if neither --patients nor the file of the folds tells.
    private func patients(of slices: [String], _ foldBytes: Data) throws -> [String: String]? {
        if let patients = files.patients {
            return Dictionary(uniqueKeysWithValues: zip(slices, try Patients.read(patients, for: slices)))
        }
        return try SliceColumn.ifPresent("PatientID", parsing: foldBytes, name: InputBytes.name(files.folds ?? ""))?
            .values
    }

    /// The slices as the checks of a catalog take them, with what bare files tell of them.
    private static func slices(
        _ labels: TruthTable, _ folds: [String: Int], _ patients: [String: String]?
    ) -> [AuditedSlice] {
        let types = HemorrhageType.allCases
        let repeated = Set(labels.repeatedSlices)
        return labels.sliceIDs.enumerated().map { number, id in
            let positive = types.indices.filter { labels.labels[number * types.count + $0] }.map { types[$0].rawValue }
            return AuditedSlice(
                split: .train, id: id, patientID: patients?[id] ?? id, studyInstanceUID: id, hounsfieldSHA256: id,
                labels: positive.joined(separator: " "), isRepeated: repeated.contains(id), isWrapped: false,
                isConstant: false,
                isKept: true, fold: folds[id])
        }
    }

    private func findingsOfPredictions(
        _ labels: TruthTable, _ folds: FoldTable, _ foldOf: [String: Int]
    ) throws -> [AuditFinding] {
        guard !oof.isEmpty else { return [] }
        var all = PredictionTable(sliceIDs: [], values: [])
        var tables: [Audit.OutOfFoldTable] = []
        for (fold, path) in oof.enumerated() {
            let name = InputBytes.name(path)
            let table = try values.read(path)
            tables.append(Audit.OutOfFoldTable(name: name, fold: fold, sliceIDs: table.sliceIDs))
            all.sliceIDs += table.sliceIDs
            all.values += table.values
        }
        var findings = [
            Audit.predictionsOfTrainingSlices(tables, folds: foldOf),
            Audit.slicesPredictedTwice(tables),
            Audit.slicesWithoutPrediction(tables, folds: zip(folds.sliceIDs, folds.folds)),
            Audit.brokenPredictionLogic(all, name: "the --oof files"),
        ]
        if let claimed, let value = Double(claimed) {
            // The claim holds for slices of these folds; each has to be predicted.
            let ids = zip(folds.sliceIDs, folds.folds).filter { $0.1 < oof.count }.map(\.0)
            let truth = try files.labels(labels, of: ids)
            findings.append(
                Audit.scoresNotReproduced([
                    .init(
                        name: "the --oof files", claimed: value,
                        found: Audit.score(all, of: ids, truth: truth, clip: clip),
                        tolerance: Self.rounding(of: claimed))
                ]))
        }
        return findings
    }

    /// Half a unit of the last decimal that a number is written with: 0.000005 for 0.06123.
    static func rounding(of text: String) -> Double {
        let decimals = text.split(separator: ".", maxSplits: 1).dropFirst().first?.prefix(while: \.isNumber).count ?? 0
        // A little more, for the half itself is not exact in binary.
        return (0..<decimals).reduce(0.5000001) { unit, _ in unit / 10 }
    }

    // MARK: Work directory

    /// The hash of an output as it is now, by the rule that its stage hashed it by: content, not bytes, of what is no plain file.
    private func currentHash(of output: RunRecord.Output, _ catalog: SliceCatalog, in work: String) throws -> String? {
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
        return ([table.text] + findings.filter { $0.verdict != .ok }.map(\.line)).joined(separator: "\n")
    }
}
