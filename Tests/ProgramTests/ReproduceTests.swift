import Foundation
import Testing

@testable import Basics
@testable import Catalog
@testable import Repro
@testable import TestSupport

/// Whole runs of the program on a competition of ten patients, with one small network on two folds.
@Suite(.serialized) struct ReproduceTests {
    private static let recipe = """
        name: tiny
        summary: one network for one epoch on two folds
        seed: 20
        grains: 4
        image_size: 32
        demo_data: {patients: 10, size: 32, seed: 1}
        folds: {count: 2, seed: 10}
        catalog: {repair_wrapped_pixels: false}
        windows: [{center: 40, width: 80}, {center: 80, width: 200}, {center: 40, width: 380}]
        augmentation:
          {crop_scale: [0.7, 1], crop_ratio: [3/4, 4/3], flip_probability: 0.5, rotate_degrees: 30, rotate_probability: 0.5}
        loss_weights: {any: 2, epidural: 1, subdural: 1, subarachnoid: 1, intraventricular: 1, intraparenchymal: 1}
        test_time_draws: 2
        clip: {score: 1e-5, submission: 1e-6}
        backbones:
          efficientnet-b3:
            folds:
              - &fold {epochs: 1, batch: 8, learning_rate: 1e-3, milestones: [], gamma: 1, snapshot: 0}
              - *fold
        blends:
          - {name: alone, weights: {efficientnet-b3: 1}}
        """

    private let files: TableFolder

    init() throws { files = try TableFolder(["tiny.yaml": Self.recipe]) }

    private struct Summary: Decodable {
        struct Stage: Decodable {
            let name: String
            let hash: String
            let verdict: GoldenVerdict
            let seconds: Double?
        }
        let stages: [Stage]
        let scores: RunScores

        var hashes: [String: String] { Dictionary(uniqueKeysWithValues: stages.map { ($0.name, $0.hash) }) }
        var made: [String] { stages.filter { $0.seconds != nil }.map(\.name) }
    }

    private func arguments(_ work: String, _ more: [String]) -> [String] {
        ["reproduce", "--recipe", files["tiny.yaml"], "--work", files[work], "--quiet", "--json"] + more
    }

    private func reproduce(_ work: String, _ more: String..., status: Int32 = 0) throws -> Summary {
        let run = try ProgramRun(arguments(work, more))
        #expect(run.status == status, "\(run.errors)")
        return try JSONDecoder().decode(Summary.self, from: Data(run.output.utf8))
    }

    /// Runs with a checkpoint after every step and kills the process as soon as `file` is in the work directory.
    private func killedWhen(_ file: String, in work: String) throws {
        let process = ProgramRun.process(arguments(work, ["--checkpoint-minutes", "0"]))
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        while process.isRunning && !FileManager.default.fileExists(atPath: files[work + "/" + file]) { usleep(1000) }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    @Test("a fold without slices and a batch larger than any fold's slices are refused before the first training")
    func slicesTooFew() throws {
        for (old, new, words) in [
            (
                "- *fold", "- {epochs: 1, batch: 4000, learning_rate: 1e-3, milestones: [], gamma: 1, snapshot: 0}",
                "/fold1: "
            ),
            ("- *fold", String(repeating: "- *fold\n      ", count: 9), " of 10 has no slice"),
        ] {
            var yaml = Self.recipe.replacingOccurrences(of: old, with: new)
            if words.hasPrefix(" of 10") { yaml = yaml.replacingOccurrences(of: "{count: 2,", with: "{count: 10,") }
            try Data(yaml.utf8).write(to: URL(fileURLWithPath: files["tiny.yaml"]))
            let run = try ProgramRun(arguments("few", []))
            #expect(run.status == 65 && run.errors.contains(words), "\(run.errors)")
            #expect(
                !FileManager.default.fileExists(atPath: files["few/models/efficientnet-b3/fold0/epoch0.safetensors"]))
        }
    }

    @Test(
        "a run's hashes do not depend on threads, nor on being killed in any stage and run again; a second run skips all"
    )
    func sameHashes() throws {
        let whole = try reproduce("whole", "--threads", "2")
        #expect(whole.made.count == whole.stages.count)
        #expect(try reproduce("whole").made == [])

        for file in [
            "demo/test_truth.csv", "inputs/manifest.sha256", "catalog.sqlite",
            "models/efficientnet-b3/fold0/step2.safetensors", "models/efficientnet-b3/fold1/epoch0.safetensors",
            "predictions/efficientnet-b3/fold1/oof.csv", "submission.csv",
        ] { try killedWhen(file, in: "killed") }
        let resumed = try reproduce("killed", "--threads", "1")
        #expect(resumed.hashes == whole.hashes)
        #expect(!resumed.made.contains("train/efficientnet-b3/fold0"))
        let left = try #require(FileManager.default.enumerator(atPath: files["killed"]))
        #expect(!left.contains { "\($0)".hasSuffix(".tmp") || "\($0)".hasSuffix(".partial") })

        try singleCommands(in: "whole")
        try damages(in: "whole", hashes: whole.hashes)
        try goldens(in: "whole", hashes: whole.hashes)
        try scores(of: whole, in: "whole")
    }

    /// `train` takes what the run trained as done; `predict` gives the run's own predictions, from the fold or from its file.
    private func singleCommands(in work: String) throws {
        let run = ["--recipe", files["tiny.yaml"], "--work", files[work], "--quiet", "--backbone", "efficientnet-b3"]
        let train = try ProgramRun(["train", "--fold", "1"] + run)
        #expect(train.status == 0 && train.output.contains("was trained already"), "\(train.errors)")
        let weights = files["\(work)/models/efficientnet-b3/fold1/epoch0.safetensors"]
        for source in [["--fold", "1"], ["--weights", weights]] {
            let predict = try ProgramRun(["predict", "--out", files["test.csv"], "--batch", "3"] + source + run)
            #expect(predict.status == 0, "\(predict.errors)")
            #expect(try files.text("test.csv") == files.text("\(work)/predictions/efficientnet-b3/fold1/test.csv"))
        }
        let plain = try ProgramRun(
            ["predict", "--out", files["plain.csv"], "--no-augment", "--weights", weights] + run)
        #expect(plain.status == 0, "\(plain.errors)")
        #expect(try files.text("plain.csv") != files.text("test.csv"))
    }

    /// Damaged results of a finished run are noticed and rebuilt to the same hashes.
    private func damages(in work: String, hashes: [String: String]) throws {
        let damaged = [
            ("models/efficientnet-b3/fold0/epoch0.safetensors", "train/efficientnet-b3/fold0"),
            ("predictions/efficientnet-b3/fold1/test.csv", "predict/efficientnet-b3/fold1"),
            ("catalog.sqlite", "catalog"), ("submission.csv", "submission"),
        ]
        for (file, _) in damaged {
            let handle = try #require(FileHandle(forUpdatingAtPath: files["\(work)/\(file)"]))
            let middle = try handle.seekToEnd() / 2
            try handle.seek(toOffset: middle)
            // Enough to hit something that counts in every format.
            try handle.write(contentsOf: Data(repeating: 0x5A, count: 4096))
            try handle.close()
        }
        let rebuilt = try reproduce(work)
        #expect(Set(rebuilt.made) == Set(damaged.map(\.1)))
        #expect(rebuilt.hashes == hashes)
    }

    /// Golden hashes that agree give status 0, one that does not gives 1 and is named.
    private func goldens(in work: String, hashes: [String: String]) throws {
        func golden(_ stages: [String: String]) throws -> String {
            let path = files["golden.json"]
            try JSON.encode(["about": "test"]).replacingOccurrences(
                of: "\"test\"", with: "\"test\", \"stages\": \(JSON.encode(stages))"
            ).write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
        let same = try reproduce(work, "--golden", golden(hashes))
        #expect(same.stages.allSatisfy { $0.verdict == .same })
        var wrong = hashes
        wrong["catalog"] = String(repeating: "0", count: 64)
        let differing = try reproduce(work, "--golden", golden(wrong), status: 1)
        #expect(differing.stages.filter { $0.verdict == .differs }.map(\.name) == ["catalog"])
    }

    /// The run's scores are what `repro score` gives for the files that it wrote.
    private func scores(of summary: Summary, in work: String) throws {
        let line = try #require(summary.scores.lines.first { $0.set == .test })
        let run = try ProgramRun(
            "score", files["\(work)/submission.csv"], "--truth", files["\(work)/demo/test_truth.csv"], "--json")
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("\(line.overall)"))
        #expect(try files.text("\(work)/report.html").contains("train/efficientnet-b3/fold1"))
    }

    @Test(
        "a recipe without its own data needs an archive, one with ImageNet weights needs those: both are said at once")
    func missingInputs() throws {
        let noArchive = try ProgramRun("reproduce", "--recipe", "rsna-2019-58th", "--work", files["real"])
        #expect(noArchive.status == 66)
        #expect(noArchive.errors.contains("--archive"))
        let noWeights = try ProgramRun(
            "reproduce", "--recipe", "rsna-2019-58th", "--archive", files.path, "--work", files["real"])
        #expect(noWeights.status == 66)
        #expect(noWeights.errors.contains("resnet34-333f7ec4.pth"))
        #expect(noWeights.errors.contains("--pretrained"))
        try Data("not weights".utf8).write(to: URL(fileURLWithPath: files["resnet34-333f7ec4.pth"]))
        let wrongWeights = try ProgramRun(
            "reproduce", "--recipe", "rsna-2019-58th", "--archive", files.path, "--work", files["real"], "--pretrained",
            files.path)
        #expect(wrongWeights.status == 65)
        #expect(wrongWeights.errors.contains("its name says 333f7ec4"))
    }

    @Test("wrong options are bad usage")
    func badUsage() throws {
        for arguments in [
            ["reproduce", "--recipe", "none"], ["reproduce", "--threads", "0"], ["reproduce", "--math", "fast"],
            ["train", "--backbone", "resnet50", "--fold", "0"],
            ["train", "--backbone", "resnet34", "--fold", "5", "--work", files["usage"]],
            ["predict", "--backbone", "resnet34", "--out", "x.csv"],
            ["bench", "--size", "16"],
        ] { #expect(try ProgramRun(arguments).status == 64, "\(arguments)") }
    }

    @Test("a plan counts steps and predictions from the recipe alone")
    func plan() throws {
        let run = try ProgramRun(
            "plan", "--recipe", "rsna-2019-58th", "--no-measure", "--json", "--work", files["none"])
        let plan = try JSONDecoder().decode(RunPlan.self, from: Data(run.output.utf8))
        // resnet34, fold 0: 752803 slices in five folds, the first three with one more; epochs 0 to 3 in batches of 48.
        let first = try #require(plan.trainings.first)
        #expect(first.steps == (752_803 - 150_561) / 48 * 4)
        #expect(first.predictImages == (150_561 + 121_232) * 5)
        #expect(plan.trainings.count == 15)
        #expect(plan.diskBytes > 459_000_000_000)
    }

    @Test("a benchmark's JSON has the promised keys for each backbone")
    func bench() throws {
        let run = try ProgramRun("bench", "--size", "32", "--batch", "2", "--seconds", "0", "--json")
        #expect(run.status == 0, "\(run.errors)")
        let results = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[String: Any]])
        #expect(results.map { $0["backbone"] as? String } == ["resnet34", "se_resnext50_32x4d", "efficientnet-b3"])
        let keys: Set = [
            "backbone", "size", "batch", "threads", "train_images_per_second", "predict_images_per_second",
            "input_images_per_second", "peak_memory_bytes", "planned_memory_bytes",
        ]
        #expect(results.allSatisfy { Set($0.keys) == keys })
    }

    @Test(
        "a training takes the memory that was planned for it, and a few MB for the program",
        arguments: ["resnet34", "se_resnext50_32x4d", "efficientnet-b3"])
    func plannedMemory(backbone: String) throws {
        struct Memory: Decodable {
            let peakMemoryBytes: Int
            let plannedMemoryBytes: Int
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        func memory(batch: Int) throws -> Memory {
            let run = try ProgramRun(
                "bench", "--backbone", backbone, "--size", "96", "--batch", "\(batch)", "--seconds", "0", "--json")
            #expect(run.status == 0, "\(run.errors)")
            return try #require(decoder.decode([Memory].self, from: Data(run.output.utf8)).first)
        }
        let (small, large) = (try memory(batch: 2), try memory(batch: 24))
        let program = small.peakMemoryBytes - small.plannedMemoryBytes
        #expect(program > 0 && program < 100_000_000, "\(program) bytes besides the plan")
        let grown = large.peakMemoryBytes - small.peakMemoryBytes
        let planned = large.plannedMemoryBytes - small.plannedMemoryBytes
        #expect(abs(grown - planned) < 8_000_000, "\(grown) bytes more where \(planned) were planned")
    }

    @Test("a profile has every layer of the backbone, forward and back, and Adam")
    func profile() throws {
        let run = try ProgramRun(
            "bench", "--profile", "--backbone", "resnet34", "--size", "32", "--batch", "2", "--seconds", "0", "--json")
        #expect(run.status == 0, "\(run.errors)")
        let costs = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[String: Any]])
        func operations(_ name: String, _ pass: String) -> Double? {
            costs.first { $0["name"] as? String == name && $0["pass"] as? String == pass }?["operations"] as? Double
        }
        // Two multiply-adds for each weight and output pixel: 64 x 64 x 9 weights on 8 x 8 pixels of 2 images.
        for pass in ["forward", "data gradient", "weight gradient"] {
            #expect(operations("layer1.0.conv1", pass) == Double(2 * 64 * 64 * 9 * 8 * 8 * 2))
        }
        #expect(operations("conv1", "data gradient") == nil, "an image needs no gradient")
        #expect(operations("parameters", "Adam") == 0)
        let refused = try ProgramRun("bench", "--profile")
        #expect(refused.status == 64 && refused.errors.contains("--backbone"))
    }
}
