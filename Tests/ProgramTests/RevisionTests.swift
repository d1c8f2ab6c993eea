import Foundation
import Submit
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

@Suite struct RevisionTests {
    private struct Known: Decodable {
        let revision: Int
        let inputs: String
        let settings: String
        let hash: String
    }

    private func known() throws -> [String: Known] {
        try JSON.decode([String: Known].self, file: "\(InputFixtures.golden)/revisions.json")
    }

    @Test("a stage that gives another result for the same inputs and settings has a new revision")
    func revisions() throws {
        let record = try MiniRun.record(in: MiniRun.shared.get().path)
        let known = try known()
        #expect(Set(known.keys) == Set(record.stages.keys))
        for (name, stage) in record.stages {
            let before = try #require(known[name])
            guard before.inputs == stage.inputs && before.settings == stage.settings else {
                Issue.record("\(name): other inputs or settings than golden/revisions.json has: run golden/make.py")
                continue
            }
            #expect(
                before.revision == stage.revision,
                "\(name): has a new revision: run golden/make.py, and say in the commit what changed and why")
            #expect(
                before.hash == stage.hash || before.revision != stage.revision,
                "\(name): gives another result with the same revision: raise it in StageKind.swift")
        }
    }

    @Test("golden/revisions.json and golden/mini.json are of the same run, and have a stage of every kind")
    func kinds() throws {
        let golden = try #require(try Golden.builtIn(for: RecipeLibrary.recipe("mini")))
        #expect(try golden.stages == known().mapValues(\.hash))
        let kinds = Set(golden.stages.keys.map { String($0.prefix { $0 != "/" }) })
        #expect(kinds == Set(StageKind.allCases.map(\.rawValue)))
    }

    /// Every line of the recipe that decides something, with another value.
    @Test(
        "every key of a recipe changes the settings of some stage",
        arguments: [
            ("seed: 7", "seed: 8"), ("grains: 3", "grains: 4"), ("image_size: 45", "image_size: 46"),
            ("patients: 16", "patients: 17"), ("size: 61", "size: 62"), ("seed: 3", "seed: 4"),
            ("count: 2, seed: 11", "count: 2, seed: 12"),
            ("repair_wrapped_pixels: true", "repair_wrapped_pixels: false"),
            ("center: 75.5", "center: 75"), ("width: 350", "width: 351"), ("[0.5, 0.9]", "[0.5, 1]"),
            ("[0.5, 0.9]", "[0.6, 0.9]"), ("[2/3, 3/2]", "[3/4, 3/2]"), ("[2/3, 3/2]", "[2/3, 4/3]"),
            ("flip_probability: 0.4", "flip_probability: 0.5"), ("rotate_degrees: 17", "rotate_degrees: 18"),
            ("rotate_probability: 0.6", "rotate_probability: 0.5"), ("epidural: 1.5", "epidural: 1"),
            ("test_time_draws: 3", "test_time_draws: 2"), ("score: 1e-5", "score: 1e-6"),
            ("submission: 1e-6", "submission: 1e-7"), ("batch: 7", "batch: 8"),
            ("1e-3, milestones", "2e-3, milestones"),
            ("milestones: [1]", "milestones: []"), ("gamma: 1/3", "gamma: 1/2"), ("snapshot: 1", "snapshot: 0"),
            ("batch_norm_momentum: 0.1", "batch_norm_momentum: 0.2"), ("name: two", "name: three"),
            ("0.25, efficientnet-b3: 0.75", "0.5, efficientnet-b3: 0.5"),
        ])
    func everyKey(old: String, new: String) throws {
        let library = try #require(RecipeLibrary.builtIn.first { $0.name == "mini" })
        let text = String(decoding: library.yaml, as: UTF8.self)
        let place = try #require(text.range(of: old))
        let changed = text.replacingCharacters(in: place, with: new)
        #expect(try settings(Recipe(yaml: changed, name: "x")) != settings(Recipe(yaml: text, name: "x")))
    }

    private func settings(_ recipe: Recipe) throws -> [String: String] {
        let reproduction = Reproduction(
            folder: WorkFolder(root: "nowhere"), recipe: recipe, options: .init(),
            progress: ProgressMeter(style: .quiet))
        return Dictionary(uniqueKeysWithValues: try reproduction.stages().map { ($0.name, $0.settings.sha256) })
    }
}
