import Basics
import Catalog
import Foundation
import Inputs

/// The stages before the networks: the archive, its contents, the catalog with the folds.
package struct InputStages {
    package let folder: WorkFolder
    package let recipe: Recipe
    /// The user's archive or folder; nil for a recipe that writes its own competition.
    package let archive: String?
    package let threads: Int
    package let progress: ProgressMeter
    package let competition: Competition

    package func all() throws -> [Stage] {
        guard let archive else {
            return [try demoStage(), try unpackStage(folder.path(WorkFolder.demoArchive)), try catalogStage()]
        }
        return [
            Unpacker.isUsedInPlace(archive) ? fingerprintStage(archive) : try unpackStage(archive), try catalogStage(),
        ]
    }

    /// Where the unpacked data is.
    package static func root(of archive: String?, in folder: WorkFolder) -> String {
        archive.flatMap { Unpacker.isUsedInPlace($0) ? $0 : nil } ?? folder.path(WorkFolder.inputs)
    }

    private func unpackStage(_ archive: String) throws -> Stage {
        let isDemo = self.archive == nil
        var stage = Stage(
            .unpack, needs: isDemo ? [StageKind.demoData.rawValue] : [],
            settings: isDemo ? [] : [try Unpacker.identity(of: archive)],
            outputs: [
                .init(path: WorkFolder.inputs, hash: { try rootHash(of: $0, journal: "\($0)/\(Unpacker.journalName)") })
            ]
        ) { session in
            defer { progress.end() }
            var unpacker = Unpacker(archive: archive, destination: folder.path(WorkFolder.inputs), threads: threads)
            unpacker.removesStrays = true
            let (report, _) = try unpacker.run(
                progress: session.reporting(progress.reporting("unpack", unit: "MiB")))
            Fingerprint.PassedOver.lines(report.passedOver).forEach(progress.note)
            for refusal in report.refused {
                progress.note("\(archive): \(refusal.member) was not unpacked: \(refusal.reason)")
            }
            if !report.damaged.isEmpty, let failure = unpacker.failure(of: report) { throw failure }
            if report.removed > 0 {
                progress.note("unpack: removed \(report.removed) files that are not the archive's")
            }
            competition.reset()
        }
        stage.resumes = true
        stage.repairs = true
        // How a library writes a DICOM file or a zip must not show in a golden hash: what is in the slices counts.
        if isDemo { stage.contentHash = { try DemoCompetition.contentManifest(of: competition.located()).rootHash } }
        return stage
    }

    /// A folder of the user's is used where it is and never written to; its manifest is the stage's output.
    private func fingerprintStage(_ archive: String) -> Stage {
        let journal = folder.path(WorkFolder.inputJournal)
        return Stage(
            .unpack, needs: [], settings: ["folder"],
            outputs: [
                .init(
                    path: WorkFolder.manifest, hash: { _ in try rootHash(of: archive, journal: journal) },
                    subject: archive)
            ]
        ) { session in
            defer { progress.end() }
            var passedOver: [Fingerprint.PassedOver] = []
            let manifest = try Fingerprint.manifest(
                of: [archive], threads: threads, journal: try HashJournal(path: journal, source: archive),
                passOver: { passedOver.append($0) },
                progress: session.reporting(progress.reporting("fingerprint", unit: "files")))
            Fingerprint.PassedOver.lines(passedOver).forEach(progress.note)
            try AtomicFile.write(manifest.text.pathBytes, to: folder.path(WorkFolder.manifest))
            competition.reset()
        }
    }

    /// Hashes what the journal does not vouch for: of 459 GB, what has changed.
    private func rootHash(of path: String, journal: String) throws -> String {
        defer { progress.end() }
        return try Fingerprint.manifest(
            of: [path], threads: threads, journal: try HashJournal(path: journal, source: nil),
            progress: progress.reporting("fingerprint", unit: "files")
        ).rootHash
    }

    private func catalogStage() throws -> Stage {
        Stage(
            .catalog, needs: [StageKind.unpack.rawValue],
            settings: [recipe.folds.count, recipe.folds.seed, recipe.catalog.repairWrappedPixels],
            outputs: [.init(path: WorkFolder.catalog, hash: { try SliceCatalog(path: $0).contentFingerprint() })]
        ) { session in
            competition.reset()
            defer { progress.end() }
            try competition.catalog.build(
                CatalogSettings(
                    input: try competition.located(), folds: recipe.folds.count, foldSeed: recipe.folds.seed,
                    repairsWrap: recipe.catalog.repairWrappedPixels, threads: threads),
                note: progress.note, progress: session.reporting(progress.reporting("catalog", unit: "slices")))
            try noteSkipped()
        }
    }

    /// Says what was left out: the first few with their reasons, and how many there are.
    private func noteSkipped() throws {
        let skipped = try competition.catalog.skippedSlices()
        for slice in skipped.prefix(20) { progress.note("catalog: skipped \(slice.path): \(slice.message)") }
        if skipped.count > 20 {
            progress.note(
                "catalog: \(skipped.count) slices skipped in all; `repro audit` lists them with their reasons")
        }
    }

    /// Writes the synthetic competition, and the truth about its test slices beside it.
    private func demoStage() throws -> Stage {
        guard let demo = recipe.demoData else {
            throw Failure(
                .inputMissing,
                "the recipe \(recipe.name) needs the competition's data. Give --archive the zip from Kaggle or its unpacked folder."
            )
        }
        let settings = DemoSettings(patients: demo.patients, size: demo.size, seed: demo.seed, threads: threads)
        let written = Written()
        var stage = Stage(
            .demoData, needs: [], settings: [demo.patients, demo.size, demo.seed],
            outputs: [.init(path: WorkFolder.demoArchive), .init(path: WorkFolder.demoTruth)]
        ) { session in
            defer { progress.end() }
            written.contentHash = try DemoCompetition(settings: settings)
                .write(
                    to: folder.path(WorkFolder.demo),
                    progress: session.reporting(progress.reporting("demo-data", unit: "slices"))
                )
                .contentHash
        }
        stage.contentHash = { written.contentHash }
        return stage
    }

    /// What the demo's writer said of what it wrote.
    private final class Written {
        var contentHash = ""
    }
}
