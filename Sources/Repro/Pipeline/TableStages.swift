import Basics
import Foundation
import Metrics
import Submit

/// The stages after the networks: everything here reads and writes tables of predictions.
package struct TableStages {
    package let folder: WorkFolder
    package let recipe: Recipe
    /// The stages that predict, by backbone.
    package let predicting: [String]
    /// Where the sample submission is; asked for when it is needed, since unpacking brings it.
    package let sample: () throws -> String
    /// The truth about the slices that training may use.
    package let labels: () throws -> LabelledSlices
    /// The labels of the test slices as a file, which only a synthetic competition has.
    package let testTruth: String?

    /// Which slices there are to be predicted out of fold, with their labels and folds, in ascending order of ID.
    package struct LabelledSlices {
        package var ids: [String] = []
        /// Six for each slice, in `HemorrhageType.allCases` order.
        package var labels: [Bool] = []
        package var folds: [Int] = []
    }

    package func all() throws -> [Stage] {
        try recipe.blends.map(blendStage) + recipe.blends.indices.map(submissionStage) + [
            validateStage(), scoreStage(),
        ]
    }

    // MARK: Blend

    /// Per backbone all folds together, then the weighted average over backbones, for out-of-fold and test.
    private func blendStage(_ blend: Recipe.Blend) throws -> Stage {
        let out = WorkFolder.blend(blend.name)
        return Stage(
            .blend, name: blend.name, needs: predicting + [StageKind.unpack.rawValue],
            settings: [
                blend.parts.map { CanonicalList([$0.backbone.rawValue, $0.weight]) }, recipe.folds.count,
                recipe.clip.submission,
            ],
            outputs: [.init(path: "\(out)/oof.csv"), .init(path: "\(out)/test.csv")], isTrained: true
        ) { _ in
            let weights = blend.parts.map(\.weight)
            let names = blend.parts.map(\.backbone.rawValue)
            let oof = try Submit.blend(
                try blend.parts.map { try outOfFold($0.backbone.rawValue) }, weights: weights, clip: nil, names: names)
            try write(oof, to: "\(out)/oof.csv")
            let sample = try read(try sample())
            let test = try Submit.blend(
                try blend.parts.map { try testMean($0.backbone.rawValue, filling: sample) }, weights: weights,
                clip: nil,
                names: names)
            try write(test, to: "\(out)/test.csv")
        }
    }

    private func outOfFold(_ backbone: String) throws -> PredictionTable {
        var whole = PredictionTable(sliceIDs: [], values: [])
        for fold in 0..<recipe.folds.count {
            let part = try read(folder.path("predictions/\(backbone)/fold\(fold)/oof.csv"))
            whole.sliceIDs += part.sliceIDs
            whole.values += part.values
        }
        return whole
    }

    /// The mean over folds of what the original would have submitted for each: filled and clipped first, then averaged.
    private func testMean(_ backbone: String, filling sample: PredictionTable) throws -> PredictionTable {
        let folds = try (0..<recipe.folds.count).map { fold in
            let table = try read(folder.path("predictions/\(backbone)/fold\(fold)/test.csv"))
            return try submission(filling: sample, with: table, clip: recipe.clip.submission).table
        }
        return try Submit.blend(folds, weights: equalWeights(folds.count), clip: nil)
    }

    private static func blendName(_ blend: Recipe.Blend) -> String { "\(StageKind.blend.rawValue)/\(blend.name)" }

    // MARK: Submission

    private func submissionStage(_ index: Int) throws -> Stage {
        let blend = recipe.blends[index]
        let out = WorkFolder.submission(recipe.blends, index)
        var stage = Stage(
            .submission, name: index == 0 ? "" : blend.name,
            needs: [Self.blendName(blend), StageKind.unpack.rawValue],
            settings: [recipe.clip.submission], outputs: [.init(path: out)], isTrained: true
        ) { _ in
            let test = try read(folder.path("\(WorkFolder.blend(blend.name))/test.csv"))
            try write(
                try submission(filling: try read(try sample()), with: test, clip: recipe.clip.submission).table, to: out
            )
        }
        // What `repro verify --golden` compares, so that a submission that Kaggle takes can be checked wherever it came from.
        stage.contentHash = { try read(folder.path(out)).contentHash() }
        return stage
    }

    /// Checks every submission as `repro verify` would, and keeps what it found.
    private func validateStage() -> Stage {
        let files = recipe.blends.indices.map { WorkFolder.submission(recipe.blends, $0) }
        let submission = StageKind.submission.rawValue
        let names = recipe.blends.enumerated().map { $0 == 0 ? submission : "\(submission)/\($1.name)" }
        var stage = Stage(
            .validate, needs: names + [StageKind.unpack.rawValue], outputs: [.init(path: WorkFolder.validation)],
            isTrained: true
        ) { _ in
            let sample = try read(try sample())
            var report: [SubmissionCheck] = []
            for file in files {
                let found = verify(try InputFile.read(folder.path(file)), sample: sample)
                guard found.isValid else {
                    let problems = found.problems.prefix(20).map {
                        "\n  " + ($0.line.map { "line \($0): " } ?? "") + $0.message
                    }
                    throw Failure(
                        .checkFailed, "\(folder.path(file)): the submission is not valid:" + problems.joined())
                }
                report.append(SubmissionCheck(file: file, slices: found.slices))
            }
            try AtomicFile.write(
                try JSON.encode(report, keys: .snakeCase) + "\n", to: folder.path(WorkFolder.validation))
        }
        stage.contentHash = {
            CanonicalForm(
                try JSON.decode([SubmissionCheck].self, file: folder.path(WorkFolder.validation), keys: .snakeCase)
            ).sha256
        }
        return stage
    }

    // MARK: Scores

    private func scoreStage() throws -> Stage {
        let names = recipe.blends.map(\.name)
        var stage = Stage(
            .score,
            needs: predicting + recipe.blends.map(Self.blendName)
                + [StageKind.catalog.rawValue, StageKind.validate.rawValue],
            settings: [recipe.backbones.map(\.backbone.rawValue), names, recipe.clip.score],
            outputs: [.init(path: WorkFolder.scores)], isTrained: true
        ) { _ in
            var scores = RunScores()
            let truth = try labels()
            for backbone in recipe.backbones {
                try addOutOfFold(
                    backbone.backbone.rawValue, try outOfFold(backbone.backbone.rawValue), truth, to: &scores)
            }
            for name in names {
                try addOutOfFold(name, try read(folder.path("\(WorkFolder.blend(name))/oof.csv")), truth, to: &scores)
            }
            if let testTruth {
                try addTest(TruthTable(parsing: InputFile.read(testTruth), name: testTruth), to: &scores)
            }
            try AtomicFile.write(
                try JSON.encode(scores, keys: .snakeCase) + "\n", to: folder.path(WorkFolder.scores))
        }
        stage.contentHash = { try RunScores.load(from: folder).canonicalForm.sha256 }
        return stage
    }

    private func addOutOfFold(
        _ name: String, _ table: PredictionTable, _ truth: LabelledSlices, to scores: inout RunScores
    ) throws {
        let clip = recipe.clip.score
        let values = try table.values(for: truth.ids, name: name)
        let folded = try weightedLogLoss(predictions: values, truth: truth.labels, folds: truth.folds, clip: clip)
        let types = HemorrhageType.allCases.count
        for (fold, score) in folded.perFold {
            let members = truth.folds.indices.filter { truth.folds[$0] == fold }
            let labels = members.flatMap { truth.labels[$0 * types..<($0 + 1) * types] }
            try scores.add(.outOfFold, name, fold: fold, score: score, truth: labels, clip: clip)
        }
        try scores.add(.outOfFold, name, score: folded.overall, truth: truth.labels, clip: clip)
    }

    /// The whole test set, as Kaggle scores it: with its clip, and with the slices that got the minimum.
    private func addTest(_ truth: TruthTable, to scores: inout RunScores) throws {
        for (index, blend) in recipe.blends.enumerated() {
            let file = folder.path(WorkFolder.submission(recipe.blends, index))
            let values = try read(file).values(for: truth.sliceIDs, name: file)
            let score = try weightedLogLoss(predictions: values, truth: truth.labels)
            try scores.add(.test, blend.name, score: score, truth: truth.labels, clip: kaggleClip)
        }
    }

    // MARK: Files

    private func read(_ path: String) throws -> PredictionTable {
        try PredictionTable(parsing: InputFile.read(path), name: path)
    }

    private func write(_ table: PredictionTable, to relative: String) throws {
        try folder.prepare(relative)
        try AtomicFile.write(table.csv(), to: folder.path(relative))
    }
}

/// What the validation found of a submission that is valid, as `validation.json` keeps it.
private struct SubmissionCheck: Codable, CanonicalValue {
    /// Relative to the work directory.
    let file: String
    let slices: Int

    func append(to form: inout CanonicalForm) { form.append(list: [file, slices]) }
}
