import Foundation
import Nets
import Testing

@testable import Basics
@testable import Inputs
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
            ("other.pt", "x.pt", 65 as Int32, "other.pt: the weights: these are none of resnet34"),
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

/// Files of weights as other people have them, through the program.
@Suite("other people's weights")
struct OtherWeightsTests {
    private let files: TableFolder

    /// A small checkpoint's bytes, made once for all tests; PyTorch's names with a wrapper's prefix.
    private static let stateDict = Result {
        try Backbone.efficientNetB3.stateDict(of: StartingWeights.snapshot(.efficientNetB3).tensors)
    }

    init() throws { files = try TableFolder() }

    private func write(_ bytes: some Sequence<UInt8>, _ name: String) throws {
        try InputFixtures.write(Array(bytes), to: files[name])
    }

    private func read(_ name: String, entry: String? = nil) throws -> [NamedTensor] {
        try WeightsFile.read(files[name], .init(.efficientNetB3, entry: entry)).tensors
    }

    private func failure(_ name: String, entry: String? = nil) -> String {
        let failure = InputFixtures.failure { _ = try read(name, entry: entry) }
        #expect(failure?.status == .badInput, "\(name)")
        return failure?.message ?? ""
    }

    @Test(
        "weights in a zip or gzip are read, of several the one that is named, and a checkpoint packed again as it was")
    func packed() throws {
        let expected = try Self.stateDict.get()
        let bytes = TorchCheckpoint.encoded(expected)
        let zip = try ArchiveWriter(path: files["w.zip"])
        try zip.add("readme.txt", bytes: Array("text".utf8))
        try zip.add("sub/best.pth", bytes: bytes)
        try zip.add("__MACOSX/sub/._best.pth", bytes: [0x80, 2])
        try zip.close()
        #expect(try read("w.zip") == expected)

        let two = try ArchiveWriter(path: files["two.zip"])
        try two.add("fold0.pth", bytes: bytes)
        try two.add("fold1.safetensors", bytes: SafeTensors(tensors: expected).encoded())
        try two.close()
        #expect(
            failure("two.zip").contains("2 files of weights: fold0.pth, fold1.safetensors. Say which: --entry NAME"))
        for entry in ["fold0.pth", "fold1.safetensors", "fold0.pth:."] {
            #expect(try Set(read("two.zip", entry: entry).map(\.name)) == Set(expected.map(\.name)), "\(entry)")
        }

        let again = try ArchiveWriter(path: files["again.zip"])
        try Packing.zip.forEachFile(in: Data(bytes), name: "x") { name, content in
            try again.add("mine/\(name)", bytes: Array(content()))
        }
        try again.close()
        #expect(try read("again.zip") == expected)

        let none = try ArchiveWriter(path: files["none.zip"])
        try none.add("a.txt", bytes: [1])
        try none.add("b.txt", bytes: [2])
        try none.close()
        #expect(failure("none.zip").contains("has no file of weights, but: a.txt, b.txt"))
    }

    @Test("what is no file of weights is called what it is")
    func notWeights() throws {
        for (name, text, words) in [
            ("lfs.pth", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 87319819\n", "git lfs pull"),
            ("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n", "git lfs pull"),
            ("page.pth", "\n<!DOCTYPE html><html><head><title>Quota exceeded</title>", "is a web page"),
            ("page2.pt", "<html>", "is a web page"),
            (
                "error.pt", "<?xml version='1.0'?><Error>AccessDenied</Error> and so on, at length",
                "is text, no weights"
            ),
            ("empty.pt", "", "is empty"),
            ("table.pth", "ID,Label\nx,0.5\n", "is text, no weights; it begins: ID,Label"),
        ] {
            try write(text.utf8, name)
            #expect(failure(name).contains(words), "\(failure(name))")
        }
        try write([0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A], "keras.h5")
        #expect(failure("keras.h5").contains("HDF5"))
        try FileManager.default.createDirectory(atPath: files["folder"], withIntermediateDirectories: true)
        let folder = #expect(throws: Failure.self) { try WeightsFile.read(files["folder"]) }
        #expect(folder?.status == .inputMissing && folder?.message.contains("is a folder") == true)
    }

    @Test("a safetensors file is known by its beginning, whatever its name is, and so is PyTorch's")
    func contents() throws {
        let expected = try Self.stateDict.get()
        let prefixed = expected.map {
            NamedTensor(name: "model.module.\($0.name)", shape: $0.shape, values: $0.values)
        }
        try write(SafeTensors(tensors: prefixed).encoded(), "w.bin")
        try write(TorchCheckpoint.encoded(prefixed), "w.safetensors")
        for name in ["w.bin", "w.safetensors"] {
            #expect(try read(name).sorted { $0.name < $1.name } == expected.sorted { $0.name < $1.name })
        }
    }

    @Test(
        "predict refuses weights that are no numbers in every format, by tensor and count",
        arguments: ["pt", "safetensors"])
    func noNumbers(format: String) throws {
        let tensors = try Self.stateDict.get().map { tensor in
            guard tensor.name == "_conv_stem.weight", case .float32(var values) = tensor.values else { return tensor }
            (values[7], values[8]) = (.nan, .infinity)
            return NamedTensor(name: tensor.name, shape: tensor.shape, values: .float32(values))
        }
        try write(
            format == "pt" ? TorchCheckpoint.encoded(tensors) : SafeTensors(tensors: tensors).encoded(), "w.\(format)")
        try InputFixtures.write(InputFixtures.slice(rows: 40, columns: 36, step: 1).encoded(), to: files["s/1.dcm"])
        let run = try ProgramRun(
            "predict", "--weights", files["w.\(format)"], "--backbone", "efficientnet-b3", "--input", files["s"],
            "--size", "32", "--no-augment", "--out", files["p.csv"])
        #expect(run.status == 65, "\(run.errors)")
        #expect(run.errors.contains("w.\(format): _conv_stem.weight has 2 of 1080 values that are NaN or infinite"))
        #expect(!FileManager.default.fileExists(atPath: files["p.csv"]))
    }

    @Test(
        "a training's start is found, refused by tensor and count, and chosen by --entry; without one nothing is trained"
    )
    func trainingStart() throws {
        let recipe = try String(
            contentsOfFile: InputFixtures.golden + "/../Sources/Repro/Resources/recipes/mini.yaml", encoding: .utf8
        ).replacing(
            "efficientnet-b3:\n    pretrained: null", with: "efficientnet-b3:\n    pretrained: start.safetensors")
        #expect(recipe.contains("start.safetensors"))
        try write(recipe.utf8, "mine.yaml")
        let good = try Self.stateDict.get().filter { !$0.name.hasPrefix("_fc.") }
        func renamed(_ prefix: String, _ change: (Float) -> Float = { $0 }) -> [NamedTensor] {
            good.map { tensor in
                guard case .float32(let values) = tensor.values else {
                    return NamedTensor(name: prefix + tensor.name, shape: tensor.shape, values: tensor.values)
                }
                let changed = tensor.name == "_bn0.weight" ? values.map(change) : values
                return NamedTensor(name: prefix + tensor.name, shape: tensor.shape, values: .float32(changed))
            }
        }
        func train(_ more: String...) throws -> ProgramRun {
            try ProgramRun(
                [
                    "train", "--recipe", files["mine.yaml"], "--backbone", "efficientnet-b3", "--fold", "0", "--work",
                    files["work"], "--pretrained", files.path, "--quiet",
                ] + more)
        }
        let both = renamed("student.") { _ in .nan } + renamed("teacher.")
        try write(SafeTensors(tensors: both).encoded(), "start.safetensors")
        let ambiguous = try train()
        #expect(ambiguous.status == 65 && ambiguous.errors.contains("student, teacher. Say which: --entry NAME"))
        let bad = try train("--entry", "student")
        #expect(bad.status == 65)
        #expect(bad.errors.contains("start.safetensors: _bn0.weight has 40 of 40 values that are NaN"), "\(bad.errors)")
        let trained = try train("--entry", "teacher")
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(try train("--entry", "teacher").output.contains("was trained already"))
    }
}
