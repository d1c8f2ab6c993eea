import Foundation
import Metrics
import Nets
import Testing

@testable import Basics
@testable import Repro

@Suite struct RecipeTests {
    private func demo() throws -> String {
        let bytes = try #require(RecipeLibrary.builtIn.first { $0.name == "demo" }).yaml
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The message of the error that a recipe with one line replaced gives.
    private func complaint(replacing old: String, with new: String) throws -> String {
        let yaml = try demo()
        try #require(yaml.contains(old))
        let failure = try #require(throws: Failure.self) {
            try Recipe(yaml: yaml.replacingOccurrences(of: old, with: new), name: "mine.yaml")
        }
        #expect(failure.status == .badInput)
        return failure.message
    }

    @Test("every recipe that comes with the program can be read, under its own name")
    func builtInRecipes() throws {
        for (name, _) in RecipeLibrary.builtIn { #expect(try RecipeLibrary.recipe(name).name == name) }
    }

    @Test("the faithful recipe has the original's training table, fold by fold")
    func faithfulTable() throws {
        let recipe = try RecipeLibrary.recipe("rsna-2019-58th")
        func fold(
            _ epochs: Int, _ batch: Int, _ rate: Double, _ milestones: [Int], _ gamma: Double, _ snapshot: Int
        ) -> Recipe.FoldTraining {
            .init(
                epochs: epochs, batch: batch, learningRate: rate, milestones: milestones, gamma: gamma,
                snapshot: snapshot)
        }
        // From the original's configuration files; the snapshots from its prediction scripts, but for efficientnet-b3's folds 0
        // to 2, where the epoch that those ask for never existed.
        #expect(
            recipe.training(of: .seResNeXt50)?.folds
                == Array(repeating: fold(3, 28, 6e-5, [1, 2], 2.0 / 3, 2), count: 5))
        #expect(
            recipe.training(of: .efficientNetB3)?.folds == [
                fold(3, 32, 6e-5, [1, 2], 2.0 / 3, 2), fold(3, 24, 6e-5, [1, 2], 2.0 / 3, 2),
                fold(3, 24, 6e-5, [1, 2], 2.0 / 3, 2), fold(4, 24, 6e-5, [1, 2, 3], 0.5, 3),
                fold(4, 24, 6e-5, [1, 2, 3], 0.5, 3),
            ])
        #expect(
            recipe.training(of: .resnet34)?.folds == [
                fold(6, 48, 6e-5, [1, 2], 2.0 / 3, 3), fold(4, 48, 6e-5, [1, 2, 3], 2.0 / 3, 3),
                fold(4, 88, 1e-4, [1, 2, 3], 0.5, 3), fold(4, 88, 1e-4, [1, 2, 3], 0.5, 3),
                fold(4, 88, 1e-4, [1, 2, 3], 0.5, 3),
            ])
    }

    @Test("the faithful recipe has the original's seeds, windows, augmentation, clips and blends")
    func faithfulSettings() throws {
        let recipe = try RecipeLibrary.recipe("rsna-2019-58th")
        #expect(recipe.seed == 20)
        #expect(recipe.folds == .init(count: 5, seed: 10))
        #expect(recipe.imageSize == 512)
        #expect(
            recipe.windows == [
                .init(center: 40, width: 80), .init(center: 80, width: 200), .init(center: 40, width: 380),
            ])
        #expect(recipe.augmentation.scale == 0.7...1)
        #expect(recipe.augmentation.aspectRatio == 3.0 / 4...4.0 / 3)
        #expect(recipe.augmentation.flipProbability == 0.5)
        #expect(recipe.augmentation.rotationDegrees == 30)
        #expect(recipe.augmentation.rotationProbability == 0.5)
        #expect(recipe.lossWeights == HemorrhageType.allCases.map { $0 == .any ? 2 : 1 })
        #expect(recipe.testTimeDraws == 5)
        #expect(recipe.clip == .init(score: 1e-5, submission: 1e-6))
        #expect(
            recipe.backbones.map(\.pretrained) == [
                "resnet34-333f7ec4.pth", "se_resnext50_32x4d-a260b3a4.pth", "efficientnet-b3-5fb5a3c3.pth",
            ])
        let weights = recipe.blends.map { blend in
            Backbone.allCases.map { backbone in
                blend.parts.first { $0.backbone == backbone }?.weight
            }
        }
        #expect(weights == [[0.15, 0.5, 0.35], [0.3, 0.4, 0.3]])
    }

    @Test("an unknown key is an error that names file, line and what is known")
    func unknownKey() throws {
        let message = try complaint(replacing: "grains: 8", with: "grain: 8")
        let yaml = try demo()
        let line = try #require(
            yaml.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.hasPrefix("grains") })
        #expect(message.hasPrefix("mine.yaml:\(line + 1):1: grain: unknown key."))
        #expect(message.contains("grains"))
    }

    @Test("a missing key is an error that names it")
    func missingKey() throws {
        #expect(try complaint(replacing: "seed: 20\n", with: "\n").contains("the key 'seed' is missing"))
    }

    @Test(
        "a wrong type or a value out of range is an error that says what was expected",
        arguments: [
            ("image_size: 64", "image_size: big", "image_size: expected a whole number from 32 to 2048, found 'big'"),
            ("image_size: 64", "image_size: '64'", "image_size: expected a whole number"),
            ("image_size: 64", "image_size: 64.5", "image_size: expected a whole number"),
            ("grains: 8", "grains: 0", "grains: expected a whole number from 1 to 64, found '0'"),
            ("gamma: 1/2", "gamma: 1/0", "gamma: expected a number"),
            ("gamma: 1/2", "gamma: 1/2/3", "gamma: expected a number"),
            ("gamma: 1/2", "gamma: .nan", "gamma: expected a number"),
            ("repair_wrapped_pixels: false", "repair_wrapped_pixels: no", "expected true or false, found 'no'"),
            ("snapshot: 4", "snapshot: 5", "folds[0].snapshot: expected one of the 5 epochs 0 to 4, found 5"),
            ("milestones: [1, 2]", "milestones: [2, 1]", "milestones: expected epochs in ascending order"),
            ("efficientnet-b3: 0.35", "efficientnet-b3: 0.3", "weights: expected weights that add up to 1"),
            (
                "efficientnet-b3: 0.35", "resnet50: 0.35",
                "expected one of resnet34, se_resnext50_32x4d, efficientnet-b3"
            ),
            ("  - {center: 40, width: 380}\n", "", "windows: expected 3 windows"),
            (
                "folds: [*fold, *fold, *fold, *fold, *fold]", "folds: [*fold]",
                "folds: expected 5 entries, one a fold, found 1"
            ),
            ("name: blend-30-40-30", "name: blend-15-50-35", "is the name of an earlier blend"),
            ("name: demo", "name: ../demo", "only letters, digits"),
            (
                "folds: {count: 5, seed: 10}", "folds: {count: 61, seed: 10}",
                "folds: 61 folds are more than the 60 patients"
            ),
            ("name: blend-30-40-30", "name: resnet34", "blends[1].name: 'resnet34' is the name of a backbone"),
            ("score: 1e-5", "score: 0", "clip.score: expected a number from 1e-15 to 0.1, found '0'"),
            ("center: 40, width: 380", "center: 40, width: 1.5", "windows[2].width: expected a number from 2.0"),
            (
                "any: 2, epidural: 1, subdural: 1, subarachnoid: 1, intraventricular: 1, intraparenchymal: 1",
                "any: 0, epidural: 0, subdural: 0, subarachnoid: 0, intraventricular: 0, intraparenchymal: 1e-50",
                "loss_weights: at least one weight has to be 1e-6 or more"
            ),
        ])
    func wrongValue(old: String, new: String, expected: String) throws {
        let message = try complaint(replacing: old, with: new)
        #expect(message.contains(expected), "\(message)")
        #expect(message.firstMatch(of: #/^mine\.yaml:\d+:\d+: /#) != nil)
    }

    @Test("a repeated key and broken YAML are errors that name the file")
    func brokenYAML() throws {
        #expect(try complaint(replacing: "grains: 8", with: "seed: 8").contains("mine.yaml"))
        #expect(try complaint(replacing: "grains: 8", with: "grains: [8").contains("mine.yaml"))
        #expect(throws: Failure.self) { try Recipe(yaml: "", name: "empty.yaml") }
    }

    @Test("a recipe survives being written to and read from run.json")
    func roundTrip() throws {
        for (name, _) in RecipeLibrary.builtIn {
            let recipe = try RecipeLibrary.recipe(name)
            let json = try JSON.encode(recipe)
            #expect(try JSON.decode(Recipe.self, from: Data(json.utf8), name: "run.json") == recipe)
        }
    }

    @Test("a name that is no recipe is bad usage, a missing file is missing input")
    func unknownRecipe() throws {
        #expect(try #require(throws: Failure.self) { try RecipeLibrary.recipe("none") }.status == .badUsage)
        #expect(try #require(throws: Failure.self) { try RecipeLibrary.recipe("/none.yaml") }.status == .inputMissing)
    }
}
