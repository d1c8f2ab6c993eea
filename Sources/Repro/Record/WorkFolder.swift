import Basics
import Catalog
import Foundation
import Nets

/// Where everything lies in a work directory (`docs/workdir.md`); paths are relative to it.
package struct WorkFolder: Sendable {
    package let root: String

    package init(root: String) {
        self.root = root
    }

    package static let demo = "demo"
    package static let demoArchive = "\(demo)/\(DemoCompetition.archiveName)"
    package static let demoTruth = "\(demo)/\(DemoCompetition.truthName)"
    package static let inputs = "inputs"
    package static let manifest = "inputs.sha256"
    package static let inputJournal = "inputs.journal"
    package static let catalog = "catalog.sqlite"
    package static let lock = "run.lock"
    package static let scores = "scores.json"
    package static let validation = "validation.json"
    package static let report = "report.html"

    package static func model(_ backbone: Backbone, fold: Int) -> String { "models/\(backbone.rawValue)/fold\(fold)" }

    /// The weights at the end of an epoch, in a model's folder.
    package static func checkpoint(epoch: Int) -> String { "epoch\(epoch).safetensors" }

    package static func snapshot(_ backbone: Backbone, fold: Int, epoch: Int) -> String {
        "\(model(backbone, fold: fold))/\(checkpoint(epoch: epoch))"
    }

    package static func predictions(_ backbone: Backbone, fold: Int) -> String {
        "predictions/\(backbone.rawValue)/fold\(fold)"
    }

    package static func blend(_ name: String) -> String { "predictions/\(name)" }

    /// The first blend is the run's submission, the others have their name in the file's.
    package static func submission(_ blends: [Recipe.Blend], _ index: Int) -> String {
        index == 0 ? "submission.csv" : "submission-\(blends[index].name).csv"
    }

    /// The work directory that a path belongs to as one of its own files; nil if it is anybody's.
    package static func owner(of path: String) -> String? {
        for name in Set([URL(fileURLWithPath: path).standardizedFileURL.path, resolvedPath(path)]) {
            var rest = name
            while fileName(rest) != "", rest != folderName(rest) {
                let folder = folderName(rest)
                if isOwn(fileName(rest), in: folder) { return folder }
                rest = folder
            }
        }
        return nil
    }

    /// Whether a folder is a run's and a name in it one of those in `docs/workdir.md`. Without a run there may be a catalog and what it
    /// was made from, and the other names are anybody's.
    private static func isOwn(_ name: String, in folder: String) -> Bool {
        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(name)") }
        if name.hasPrefix(catalog) || name == inputs { return has(catalog) || has(RunRecord.fileName) }
        let isRuns = [RunRecord.fileName, lock, demo, manifest, inputJournal].contains(name) || isResult(name)
        return isRuns && has(RunRecord.fileName)
    }

    /// Whether a name is that of what only a run makes, after it has a record.
    private static func isResult(_ name: String) -> Bool {
        ["models", "predictions", scores, validation, report].contains(name)
            || name.hasPrefix("submission") && name.hasSuffix(".csv")
    }

    package func path(_ relative: String) -> String { "\(root)/\(relative)" }

    /// Makes the directory and clears what an interrupted write left behind in it.
    package static func open(_ root: String) throws -> WorkFolder {
        let folder = WorkFolder(root: root)
        try makeFolder(root)
        return folder
    }

    /// Refuses a recipe that this work directory does not belong to, before anything in it is touched.
    ///
    /// - Throws: ``Failure``: `badUsage` if the record is of a recipe of another name, or if there is none of what a run's results would
    ///   replace; as ``RunRecord/load(from:)``.
    package func checkBelongs(to recipe: Recipe) throws {
        guard let record = try RunRecord.load(from: root) else {
            guard let name = try? FileManager.default.contentsOfDirectory(atPath: root).filter(Self.isResult).min()
            else {
                return
            }
            throw Failure(
                .badUsage,
                "\(root): has \(name) but no run.json, so it is no run's of this program. Give another --work, or move \(name) away."
            )
        }
        guard record.recipe.name != recipe.name else { return }
        throw Failure(
            .badUsage,
            "\(root): is the work directory of the recipe \(record.recipe.name), not of \(recipe.name). Give --recipe \(record.recipe.name), or another --work."
        )
    }

    /// Refuses a catalog that is not the one that the run of this work directory needs.
    ///
    /// - Throws: ``Failure``: `badUsage` for other settings or another input than those of the recipe and of the catalog that is there;
    ///   as ``RunRecord/load(from:)``.
    package func checkMayReplace(_ catalog: SliceCatalog, by settings: CatalogSettings) throws {
        guard let recipe = try RunRecord.load(from: root)?.recipe else { return }
        func text(_ folds: Int, _ seed: UInt64, _ repairsWrap: Bool, _ input: String) -> String {
            "\(folds) folds of seed \(seed)\(repairsWrap ? ", repaired wraps" : "") of \(resolvedPath(input))"
        }
        // A work directory may have been moved since, with the inputs in it.
        let isInside = resolvedPath(settings.input.root).hasPrefix(resolvedPath(path(Self.inputs)))
        let input = isInside ? nil : try? catalog.inputSettings().root
        let ours = text(
            recipe.folds.count, recipe.folds.seed, recipe.catalog.repairWrappedPixels, input ?? settings.input.root)
        let asked = text(settings.folds, settings.foldSeed, settings.repairsWrap, settings.input.root)
        guard ours != asked else { return }
        throw Failure(
            .badUsage,
            "\(root): is the work directory of the recipe \(recipe.name), whose catalog has \(ours), not \(asked). Give another --work."
        )
    }

    /// Removes the temporary files of a run that was killed; call it with the lock held.
    package func removeTemporaryFiles() {
        let files = FileManager.default
        for area in ["", Self.demo, "models", "predictions"] {
            let base = area.isEmpty ? root : path(area)
            // The top level is not searched deeply: `inputs` may hold a million files and writes no temporary ones there.
            let names =
                area.isEmpty ? (try? files.contentsOfDirectory(atPath: base)) ?? [] : files.subpaths(atPath: base) ?? []
            for name in names where name.hasSuffix(".tmp") { try? files.removeItem(atPath: "\(base)/\(name)") }
        }
    }

    /// Makes the folder that a relative path's file goes into.
    package func prepare(_ relative: String) throws {
        try makeFolder(folderName(path(relative)))
    }
}
