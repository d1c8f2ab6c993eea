import Foundation
import Metrics
import Nets
import Submit

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Program
@testable import Repro
@testable import TestSupport

/// A small work directory with nothing wrong: slices, catalog, out-of-fold predictions, blends, scores and the record of it all.
///
/// A test changes one thing before the directory is written, between its parts or afterwards, and audits what comes out.
struct AuditedRun {
    struct Slice {
        var dicom: DICOMSlice
        var labels: [HemorrhageType]
        /// How often its rows stand in the label file.
        var times = 1
        /// How many bytes of the file are missing at its end.
        var missingBytes = 0
    }

    /// One slice a patient; enough of them for the balance of folds to be judged.
    var train = (0..<120).map { Slice(dicom: Self.slice($0), labels: $0 < 110 ? [.subdural, .any] : []) }
    var test = (900..<903).map { Self.slice($0) }
    /// What is done to the catalog once it is made.
    var sql = ""
    /// What is done to the predictions before they are written, by their place in the work directory.
    var changePredictions: (inout [String: PredictionTable]) -> Void = { _ in }
    var changeScores: (inout RunScores) -> Void = { _ in }
    /// What is done to the record of the finished run.
    var changeRecord: (inout RunRecord) -> Void = { _ in }
    /// What is done to the work directory in the end.
    var damage: (_ work: String) throws -> Void = { _ in }

    static func slice(_ number: Int) -> DICOMSlice {
        var slice = InputFixtures.slice("ID_\(String(0x1_0000_0000 + number, radix: 16))")
        slice.header.patientID = "ID_p\(number)"
        slice.header.studyInstanceUID = "ID_study\(number)"
        slice.header.seriesInstanceUID = "ID_series\(number)"
        slice.pixels[0] = Int32(number)
        return slice
    }

    /// The findings that are not ok, by check.
    func findings() throws -> [String: AuditFinding] {
        try InputFixtures.withFolder { folder in
            try write(input: "\(folder)/in", work: "\(folder)/work")
            let findings = try AuditCommand.parse(["--work", "\(folder)/work"]).findings()
            return Dictionary(
                uniqueKeysWithValues: findings.filter { $0.verdict != .ok }.map { ($0.check, $0) })
        }
    }

    func write(input: String, work: String) throws {
        try writeInput(to: input)
        let catalog = SliceCatalog(path: "\(work)/\(WorkFolder.catalog)")
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
        try catalog.build(CatalogSettings(input: try CompetitionFolder.locate(in: input), threads: 1))
        if !sql.isEmpty { try Database(path: catalog.path).execute(sql) }

        let recipe = try RecipeLibrary.recipe("demo")
        let slices = try catalog.slices(in: .train).filter { $0.fold != nil }
        var record = RunRecord(program: programVersion, recipe: recipe, machine: .current, threads: 1)
        func note(_ stage: String, needs: [String], _ path: String, hash: String? = nil) throws {
            let hash = try hash ?? Digest.sha256(file: "\(work)/\(path)")
            record.stages[stage] = RunRecord.StageRecord(
                needs: needs, inputs: record.inputsHash(of: needs) ?? "", settings: "", revision: 1,
                program: programVersion, outputs: [.init(path: path, sha256: hash)], hash: hash, seconds: 0, sessions: 1
            )
        }
        try note("catalog", needs: [], WorkFolder.catalog, hash: catalog.contentFingerprint())
        var tables = predictions(recipe, slices)
        let scores = try self.scores(recipe, slices, tables)
        changePredictions(&tables)
        for (path, table) in tables.sorted(by: { $0.key < $1.key }) {
            try InputFixtures.write(table.csv(), to: "\(work)/\(path)")
            let stage = path.contains("fold") ? "predict/\(path)" : "blend/\(path)"
            try note(stage, needs: ["catalog"], path)
        }
        try InputFixtures.write(JSON.encode(scores, keys: .snakeCase), to: "\(work)/\(WorkFolder.scores)")
        try note("score", needs: record.stages.keys.sorted(), WorkFolder.scores)
        changeRecord(&record)
        try record.save(to: work)
        try damage(work)
    }

    private func writeInput(to folder: String) throws {
        var labels = "ID,Label\n"
        for slice in train {
            let id = slice.dicom.header.sopInstanceUID
            try InputFixtures.write(
                slice.dicom.encoded().dropLast(slice.missingBytes), to: "\(folder)/stage_2_train/\(id).dcm")
            for _ in 0..<slice.times {
                labels += TableText.slice(
                    id, HemorrhageType.allCases.map { slice.labels.contains($0) ? "1" : "0" }.joined(separator: " "))
            }
        }
        try InputFixtures.write(labels, to: "\(folder)/stage_2_train.csv")
        var sample = "ID,Label\n"
        for slice in test {
            let id = slice.header.sopInstanceUID
            try InputFixtures.write(slice.encoded(), to: "\(folder)/stage_2_test/\(id).dcm")
            sample += TableText.slice(id, "0.5 0.5 0.5 0.5 0.5 0.5")
        }
        try InputFixtures.write(sample, to: "\(folder)/stage_2_sample_submission.csv")
    }

    /// The out-of-fold tables of each backbone and fold, and of each blend.
    private func predictions(_ recipe: Recipe, _ slices: [CatalogSlice]) -> [String: PredictionTable] {
        var tables: [String: PredictionTable] = [:]
        for (number, backbone) in recipe.backbones.map(\.backbone).enumerated() {
            for fold in 0..<recipe.folds.count {
                let ids = slices.filter { $0.fold == fold }.map(\.id)
                tables["\(WorkFolder.predictions(backbone, fold: fold))/oof.csv"] = PredictionTable(
                    sliceIDs: ids, values: ids.indices.flatMap { Self.values(1 + number, slice: $0) })
            }
        }
        for (number, blend) in recipe.blends.enumerated() {
            tables["\(WorkFolder.blend(blend.name))/oof.csv"] = PredictionTable(
                sliceIDs: slices.map(\.id), values: slices.indices.flatMap { Self.values(10 + number, slice: $0) })
        }
        return tables
    }

    private static func values(_ model: Int, slice: Int) -> [Double] {
        (0..<6).map { type in Double((model * 37 + slice * 11 + type * 5) % 89 + 1) / 100 }
    }

    private func scores(
        _ recipe: Recipe, _ slices: [CatalogSlice], _ tables: [String: PredictionTable]
    ) throws -> RunScores {
        var scores = RunScores()
        func add(_ name: String, fold: Int?, _ table: PredictionTable) throws {
            let members = slices.filter { fold == nil || $0.fold == fold }
            let truth = members.flatMap { slice in HemorrhageType.allCases.map { slice.labels.contains($0) } }
            let score = try weightedLogLoss(
                predictions: table.values(for: members.map(\.id), name: name), truth: truth, clip: recipe.clip.score)
            try scores.add(.outOfFold, name, fold: fold, score: score, truth: truth, clip: recipe.clip.score)
        }
        for backbone in recipe.backbones.map(\.backbone) {
            for fold in 0..<recipe.folds.count {
                if let table = tables["\(WorkFolder.predictions(backbone, fold: fold))/oof.csv"] {
                    try add(backbone.rawValue, fold: fold, table)
                }
            }
        }
        for blend in recipe.blends {
            if let table = tables["\(WorkFolder.blend(blend.name))/oof.csv"] { try add(blend.name, fold: nil, table) }
        }
        changeScores(&scores)
        return scores
    }
}
