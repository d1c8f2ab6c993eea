import Foundation
import Nets
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

/// Weights that start a training with some seed: small files that need no training.
enum StartingWeights {
    static func snapshot(_ backbone: Backbone, seed: UInt64 = 7) throws -> SafeTensors {
        let settings = TrainingSettings(backbone: backbone, imageSize: 32, batchSize: 1, learningRate: 1e-3, seed: seed)
        return try Trainer(
            settings: settings, samples: [TrainingSample(id: "ID_1", targets: [0, 0, 0, 0, 0, 0])],
            source: { _ in HounsfieldImage(rows: 1, columns: 1, values: [0]) }, pool: ThreadPool(threads: 1)
        ).snapshot()
    }
}

@Suite("repro export and import-predictions")
struct ExportCommandTests {
    private let files: TableFolder

    init() throws { files = try TableFolder() }

    private func write(_ bytes: [UInt8], _ name: String) throws { try InputFixtures.write(bytes, to: files[name]) }

    @Test("a training's checkpoint becomes the same weights in both formats, without the optimiser's state")
    func bothFormats() throws {
        let snapshot = try StartingWeights.snapshot(.efficientNetB3)
        try write(snapshot.encoded(), "epoch0.safetensors")
        var hashes: [String] = []
        for (source, out) in [
            ("epoch0.safetensors", "a.pt"), ("epoch0.safetensors", "a.safetensors"), ("a.pt", "b.safetensors"),
            ("a.safetensors", "b.pth"),
        ] {
            let run = try ProgramRun(
                "export", "--weights", files[source], "--backbone", "efficientnet-b3", "--out", files[out], "--json")
            #expect(run.status == 0, "\(run.errors)")
            let report = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
            #expect(report?["tensors"] as? Int == 574)
            hashes.append(try #require(report?["parametersHash"] as? String))
        }
        let own = try Engine.parametersHash(of: files["epoch0.safetensors"])
        #expect(hashes == [String](repeating: own, count: 4))
        let safe = try WeightsFile.read(files["a.safetensors"])
        #expect(safe.tensors == (try WeightsFile.read(files["a.pt"])).tensors)
        #expect(safe.metadata["format"] == "repro-weights-1" && safe.metadata["backbone"] == "efficientnet-b3")
        #expect(safe.metadata["settings"] == snapshot.metadata["settings"])
        #expect(
            try Data(contentsOf: URL(fileURLWithPath: files["a.pt"]))
                == Data(contentsOf: URL(fileURLWithPath: files["b.pth"])))
    }

    @Test("what cannot be exported is said with the file's name, and leaves no file")
    func failures() throws {
        try write(TorchCheckpoint.encoded([NamedTensor(name: "w", shape: [1], values: .float32([1]))]), "other.pt")
        for (weights, out, status, words) in [
            ("other.pt", "x.pt", 65 as Int32, "other.pt: these are no weights of resnet34"),
            ("none.pt", "x.pt", 66, "none.pt"),
            ("other.pt", "x.onnx", 64, "x.onnx"),
        ] {
            let run = try ProgramRun(
                "export", "--weights", files[weights], "--backbone", "resnet34", "--out", files[out])
            #expect(run.status == status && run.errors.contains(words), "\(run.errors)")
            #expect(!FileManager.default.fileExists(atPath: files[out]))
        }
    }

    @Test("an ImageNet file is held to its name's digits; digits in other names mean nothing")
    func modelZooNames() throws {
        let bytes = TorchCheckpoint.encoded([NamedTensor(name: "w", shape: [1], values: .float32([1]))])
        try write(bytes, "resnet34-333f7ec4.pth")
        let failure = InputFixtures.failure { _ = try WeightsFile.read(files["resnet34-333f7ec4.pth"]) }
        #expect(failure?.status == .badInput && failure?.message.contains("its name says 333f7ec4") == true)
        try write(bytes, "mine-20191113.pth")
        #expect(try WeightsFile.read(files["mine-20191113.pth"]).tensors.count == 1)
    }

    /// The values are NumPy's means of the five draws, here in the order of the label file.
    @Test("the original's pickle becomes a table of the means over its draws")
    func importPredictions() throws {
        let pickle = InputFixtures.golden + "/checkpoints/fold0_ep2_test_tta5.pkl"
        let run = try ProgramRun("import-predictions", pickle, "--out", files["p.csv"])
        #expect(run.status == 0 && run.output.contains("2 slices, mean of 5 draws"), "\(run.errors)")
        let expected = TableText.table(
            (
                "ID_0000000aa",
                "0.45337592959403994 0.5748512029647828 0.48533733040094373 0.34401821754872797 0.5553754173219204 0.4878201499581337"
            ),
            (
                "ID_0000000bb",
                "0.3056218072772026 0.33696756255812943 0.6850151062011719 0.4555355928838253 0.594880098104477 0.5806383848190307"
            ))
        #expect(try files.text("p.csv") == expected)
    }

    @Test("a pickle that is hostile, cut short or none is refused with its name, and leaves no table")
    func refusedPickles() throws {
        let golden = InputFixtures.golden + "/checkpoints/"
        let whole = try Data(contentsOf: URL(fileURLWithPath: golden + "fold0_ep2_test_tta5.pkl"))
        try write(Array(whole.dropLast(100)), "cut.pkl")
        for path in [golden + "hostile.pt", golden + "seed_snapshot_zip.pt", files["cut.pkl"]] {
            let run = try ProgramRun("import-predictions", path, "--out", files["p.csv"])
            #expect(run.status == 65 && run.errors.contains(path), "\(run.errors)")
        }
        #expect(try ProgramRun("import-predictions", files["none"], "--out", files["p.csv"]).status == 66)
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.path) == ["cut.pkl"])
    }
}
