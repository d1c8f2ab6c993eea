import Basics
import Catalog
import Foundation
import Inputs
import Metrics
import Submit

/// The checks of tables against each other: predictions that are called out-of-fold, and scores that are claimed of them.
extension Audit {
    /// A table of predictions that are said to be made by a network that has not seen its slices' fold.
    package struct OutOfFoldTable: Sendable {
        package let name: String
        package let fold: Int
        package let sliceIDs: [String]

        package init(name: String, fold: Int, sliceIDs: [String]) {
            self.name = name
            self.fold = fold
            self.sliceIDs = sliceIDs
        }
    }

    /// Slices of other folds are slices that the fold's network was trained on: their predictions are not out of fold.
    ///
    /// - Parameter folds: The fold of each slice; slices that are not listed are in none.
    package static func predictionsOfTrainingSlices(_ tables: [OutOfFoldTable], folds: [String: Int]) -> AuditFinding {
        let cases = tables.flatMap { table in
            table.sliceIDs.filter { folds[$0] != table.fold }.map { id in
                "\(id) in \(table.name) is of \(folds[id].map { "fold \($0)" } ?? "no fold")"
            }
        }
        return AuditFinding(
            "out of fold is out of fold", cases,
            "predictions that are called out-of-fold are for slices of other folds",
            remedy: "Predict each slice with the network of its own fold, and score again.")
    }

    /// A score over fewer slices than the folds have is another score.
    ///
    /// - Parameter folds: The slices in their order, each with its fold.
    package static func slicesWithoutPrediction(
        _ tables: [OutOfFoldTable], folds: some Sequence<(String, Int)>
    ) -> AuditFinding {
        let (predicted, present) = (Set(tables.flatMap(\.sliceIDs)), Set(tables.map(\.fold)))
        let cases = folds.filter { present.contains($0.1) && !predicted.contains($0.0) }.map { "\($0) of fold \($1)" }
        return AuditFinding(
            "no slice left out", cases, "slices of the folds have no out-of-fold prediction",
            remedy: "Predict them too: a score without them is not that of the folds.")
    }

    /// A score that somebody claims, beside what the files give.
    package struct ClaimedScore: Sendable {
        package let name: String
        package let claimed: Double
        /// What the files give, or why they give none.
        package let found: Found
        /// How far the two may be apart: nothing, or what was rounded off.
        package let tolerance: Double

        package enum Found: Sendable {
            case score(Double)
            case none(String)
        }

        package init(name: String, claimed: Double, found: Found, tolerance: Double) {
            self.name = name
            self.claimed = claimed
            self.found = found
            self.tolerance = tolerance
        }
    }

    package static func scoresNotReproduced(_ scores: [ClaimedScore]) -> AuditFinding {
        let cases = scores.compactMap { score -> String? in
            switch score.found {
            case .none(let reason): return "\(score.name): \(reason)"
            // A claim that is no number is not reproduced either.
            case .score(let found):
                return abs(found - score.claimed) <= score.tolerance
                    ? nil : "\(score.name): \(score.claimed), the files give \(found)"
            }
        }
        return AuditFinding(
            "scores reproduced", cases, "scores are not what the files give",
            remedy: "Ask for the files that the score was made from, or take the score that these files give.")
    }

    /// The score of a table over some slices.
    package static func score(
        _ table: PredictionTable?, of slices: [String], truth: [Bool], clip: Double
    ) -> ClaimedScore.Found {
        guard let table else { return .none("the files are gone") }
        do {
            let values = try table.values(for: slices, name: "")
            return .score(try weightedLogLoss(predictions: values, truth: truth, clip: clip).overall)
        } catch let error as TableError {
            return .none(error.problems.map(\.message).joined(separator: "; "))
        } catch {
            return .none("\(error)")
        }
    }

    /// A slice in two folds' files has two predictions that both claim to be the one out of fold.
    package static func slicesPredictedTwice(_ tables: [OutOfFoldTable]) -> AuditFinding {
        let names = Dictionary(grouping: tables.flatMap { table in table.sliceIDs.map { ($0, table.name) } }, by: \.0)
        let cases = names.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
            .map { "\($0.key) in \($0.value.map(\.1).joined(separator: ", "))" }
        return AuditFinding(
            "each slice predicted once", cases, "slices are in several out-of-fold files",
            remedy: "Keep the prediction of the slice's own fold.")
    }

    /// A slice with a type has any, so a model that predicts less for `any` contradicts itself.
    package static func brokenPredictionLogic(_ table: PredictionTable, name: String) -> AuditFinding {
        let types = HemorrhageType.allCases.count
        let cases = table.sliceIDs.indices.filter { slice in
            let values = table.values[slice * types..<(slice + 1) * types]
            return values.dropLast().contains { $0 > (values.last ?? 0) }
        }.map { table.sliceIDs[$0] }
        return AuditFinding(
            "any at least each type", cases, "slices of \(name) have a type predicted higher than any",
            remedy: "repro postprocess --any-at-least-largest tells whether mending it helps.", asNote: true)
    }
}

extension Audit {
    /// The tables of a work directory against its catalog and its scores.
    package static func tables(of folder: WorkFolder, _ catalog: SliceCatalog, _ record: RunRecord) throws
        -> [AuditFinding]
    {
        let slices = try catalog.slices(in: .train)
        let folds = Dictionary(slices.compactMap { slice in slice.fold.map { (slice.id, $0) } }) { first, _ in first }
        var tables: [OutOfFoldTable] = []
        var whole: [String: PredictionTable] = [:]
        for backbone in record.recipe.backbones.map(\.backbone) {
            var all: PredictionTable?
            for fold in 0..<record.recipe.folds.count {
                let path = "\(WorkFolder.predictions(backbone, fold: fold))/oof.csv"
                guard let table = try table(folder, path) else { continue }
                tables.append(OutOfFoldTable(name: path, fold: fold, sliceIDs: table.sliceIDs))
                all = PredictionTable(
                    sliceIDs: (all?.sliceIDs ?? []) + table.sliceIDs, values: (all?.values ?? []) + table.values)
            }
            whole[backbone.rawValue] = all
        }
        for blend in record.recipe.blends {
            whole[blend.name] = try table(folder, "\(WorkFolder.blend(blend.name))/oof.csv")
        }
        return [
            predictionsOfTrainingSlices(tables, folds: folds),
            slicesWithoutPrediction(tables, folds: slices.compactMap { slice in slice.fold.map { (slice.id, $0) } }),
            scoresNotReproduced(try claimedScores(folder, slices, whole, clip: record.recipe.clip.score)),
        ]
    }

    private static func table(_ folder: WorkFolder, _ path: String) throws -> PredictionTable? {
        guard FileManager.default.fileExists(atPath: folder.path(path)) else { return nil }
        return try ProbabilityTable(parsing: InputBytes.read(folder.path(path)), name: path).table
    }

    /// The out-of-fold scores of `scores.json`, each beside that of the tables as they are now.
    private static func claimedScores(
        _ folder: WorkFolder, _ slices: [CatalogSlice], _ tables: [String: PredictionTable], clip: Double
    ) throws -> [ClaimedScore] {
        guard FileManager.default.fileExists(atPath: folder.path(WorkFolder.scores)) else { return [] }
        let scores = try RunScores.load(from: folder)
        return scores.lines.filter { $0.set == .outOfFold }.map { line in
            let members = slices.filter { $0.fold != nil && (line.fold == nil || $0.fold == line.fold) }
            let truth = members.flatMap { slice in HemorrhageType.allCases.map { slice.labels.contains($0) } }
            let found = score(tables[line.predictions], of: members.map(\.id), truth: truth, clip: clip)
            let fold = line.fold.map { ", fold \($0)" } ?? ""
            return ClaimedScore(
                name: "\(line.predictions)\(fold)", claimed: line.overall, found: found, tolerance: 1e-12)
        }
    }
}
