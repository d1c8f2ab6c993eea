import Foundation
import Nets
import Submit
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

/// Predictions of slices where they are, without a work directory.
@Suite("repro predict without a work directory")
struct DirectPredictionTests {
    private let files: TableFolder

    /// Made once for all tests.
    private static let weights = Result {
        TorchCheckpoint.encoded(
            try Backbone.efficientNetB3.stateDict(of: StartingWeights.snapshot(.efficientNetB3).tensors))
    }

    init() throws {
        files = try TableFolder()
        try InputFixtures.write(Self.weights.get(), to: files["w.pt"])
    }

    private static func slice(_ number: Int32) -> DICOMSlice {
        InputFixtures.slice(rows: 40, columns: 36, step: number)
    }

    private func predict(_ input: String, _ more: String..., size: String? = "32") throws -> ProgramRun {
        try predict(input, more, size: size)
    }

    private func predict(_ input: String, _ more: [String], size: String? = "32") throws -> ProgramRun {
        let size = size.map { ["--size", $0] } ?? []
        return try ProgramRun(
            ["predict", "--weights", files["w.pt"], "--backbone", "efficientnet-b3", "--input", files[input]]
                + ["--out", files["p.csv"], "--threads", "1"] + size + more)
    }

    private func table() throws -> PredictionTable {
        try PredictionTable(parsing: Array(files.text("p.csv").utf8), name: "p.csv")
    }

    @Test(
        "every readable slice of a folder or an archive is predicted, the others are named and counted, and only the table is left"
    )
    func folderAndArchive() throws {
        let zip = try ArchiveWriter(path: files["slices.zip"])
        // 9 before 10: IDs are sorted in the table, whatever the order of the files.
        for number in [9, 10, 2] as [Int32] {
            let bytes = try Self.slice(number).encoded()
            try InputFixtures.write(bytes, to: files["slices/study \(number)/\(number).dcm"])
            try zip.add("study \(number)/\(number).dcm", bytes: bytes)
        }
        for (name, bytes) in [
            ("cut.dcm", Array(try Self.slice(3).encoded().prefix(900))), ("text.dcm", Array("text".utf8)),
            ("a name.dcm", try Self.slice(4).encoded()), (".hidden.dcm", []), ("readme.txt", []),
        ] {
            try InputFixtures.write(bytes, to: files["slices/\(name)"])
            try zip.add(name, bytes: bytes)
        }
        try zip.close()
        let before = try FileManager.default.subpathsOfDirectory(atPath: files.path).sorted()

        let fromFolder = try predict("slices", "--no-augment")
        #expect(fromFolder.status == 0 && fromFolder.output.contains("3 slices in 0:0"), "\(fromFolder.errors)")
        #expect(fromFolder.output.contains(", 3 unreadable"))
        for name in ["cut.dcm: the file ends too early", "text.dcm: not a DICOM file", "a name.dcm: a slice's ID has"] {
            #expect(fromFolder.errors.contains(name))
        }
        #expect(fromFolder.output.contains(", 2 passed over"))
        for name in ["passed over: .hidden.dcm: a hidden file", "passed over: readme.txt: no slice by its ending"] {
            #expect(fromFolder.errors.contains(name))
        }
        let text = try files.text("p.csv")
        #expect(try table().sliceIDs == ["10", "2", "9"])

        let fromArchive = try predict("slices.zip", "--no-augment", "--batch", "2")
        #expect(
            fromArchive.status == 0 && fromArchive.output.contains(", 3 unreadable, 2 passed over"),
            "\(fromArchive.errors)")
        #expect(try files.text("p.csv") == text)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: files.path).sorted() == (before + ["p.csv"]).sorted())
    }

    @Test("slices of zips inside a zip, stored or compressed, of a folder of zips and of a tar are predicted")
    func nestedArchives() throws {
        try FileManager.default.createDirectory(atPath: files["zips"], withIntermediateDirectories: true)
        var members: [(name: String, bytes: [UInt8])] = []
        for (name, numbers) in [("zips/stage_2_test.zip", [1, 2]), ("zips/more.zip", [3, 4])] as [(String, [Int32])] {
            let zip = try ArchiveWriter(path: files[name])
            for number in numbers {
                let bytes = try Self.slice(number).encoded()
                try InputFixtures.write(bytes, to: files["folder/\(number).dcm"])
                try zip.add("\(number).dcm", bytes: bytes)
            }
            try zip.close()
            members.append((name, Array(try Data(contentsOf: URL(fileURLWithPath: files[name])))))
        }
        try ZipFixture(members: members.map { .init(name: $0.name, bytes: $0.bytes) }).write(to: files["stored.zip"])
        let compressed = try ArchiveWriter(path: files["compressed.zip"])
        for member in members { try compressed.add(member.name, bytes: member.bytes) }
        try compressed.close()
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-czf", files["a.tar.gz"], "-C", files["folder"], "."]
        try tar.run()
        tar.waitUntilExit()

        #expect(try predict("folder", "--no-augment").status == 0)
        let expected = try files.text("p.csv")
        for input in ["stored.zip", "compressed.zip", "zips", "a.tar.gz"] {
            let run = try predict(input, "--no-augment")
            #expect(run.status == 0, "\(input): \(run.errors)")
            #expect(try files.text("p.csv") == expected, "\(input)")
        }

        // A flipped bit in the second slice of the first zip.
        var damaged = members[0].bytes
        damaged[damaged.count / 2 + 40] ^= 1
        try InputFixtures.write(damaged, to: files["damaged.zip"])
        let run = try predict("damaged.zip", "--no-augment")
        #expect(run.status == 0 && run.output.contains(", 1 unreadable"), "\(run.errors)\(run.output)")
        #expect(run.errors.contains("2.dcm: is damaged"), "\(run.errors)")
        #expect(try table().sliceIDs == ["1"])
    }

    @Test("predict, catalog and show agree on what is a slice, of a folder and of archives, and name what is not")
    func oneRule() throws {
        try SliceFolderFixture.make(files["in"])
        func expectPassedOver(_ run: ProgramRun) {
            #expect(run.status == 0, "\(run.errors)")
            for path in ["DICOMDIR", "readme", "pipe", "gone.dcm", "deep/up", "m\\xe9"] {
                #expect(run.errors.contains("passed over") && run.errors.contains(path), "\(path): \(run.errors)")
            }
        }
        let predicted = try predict("in", "--no-augment")
        expectPassedOver(predicted)
        #expect(predicted.output.contains(", \(SliceFolderFixture.passedOver.count) passed over"))
        #expect(try table().sliceIDs == SliceFolderFixture.slices)
        let catalog = try ProgramRun("catalog", "--input", files["in"], "--work", files["work"], "--json")
        expectPassedOver(catalog)
        let report = try JSONDecoder().decode(CatalogReport.self, from: Data(catalog.output.utf8))
        #expect(report.splits["test"]?.read == SliceFolderFixture.slices.count)
        #expect(catalog.errors.contains("no slices: \(SliceFolderFixture.passedOver.count) ("))
        #expect(report.splits["test"]?.quirks[SliceQuirk.noPreamble.rawValue] == 1)
        let records = try SliceCatalog(path: files["work"] + "/catalog.sqlite").records(in: .test)
        #expect(records.map(\.id) == SliceFolderFixture.slices)
        let shown = try ProgramRun("show", files["in"], "--size", "16", "--out", files["p.png"])
        expectPassedOver(shown)
        #expect(shown.output.split(separator: "\n").count == SliceFolderFixture.slices.count + 1)

        let zip = try ArchiveWriter(path: files["in.zip"])
        let names = ["x/b.DCM", "c.ima", "e", "g", "readme", "DICOMDIR", ".hidden.dcm", "__MACOSX/._b.DCM", "empty"]
        for name in names {
            let source = ["x/b.DCM": "b.DCM", "c.ima": "c.IMA", "__MACOSX/._b.DCM": "readme"][name] ?? name
            let bytes = FileManager.default.contents(atPath: files["in/\(source)"]) ?? Data()
            try zip.add(name, bytes: Array(bytes))
        }
        try zip.close()

        let extracted = try ProgramRun("unpack", files["in.zip"], "--into", files["t/in"])
        #expect(extracted.status == 0, "\(extracted.errors)")
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-czf", files["in.tgz"], "-C", files["t/in"]] + names
        try tar.run()
        tar.waitUntilExit()
        for input in ["in.zip", "in.tgz", "t/in"] {
            let run = try predict(input, "--no-augment")
            #expect(run.status == 0 && run.output.contains(", 5 passed over"), "\(input): \(run.output)\(run.errors)")
            #expect(try table().sliceIDs == ["b", "c", "e", "g"])
        }
        // A file by itself is a slice too.
        #expect(try predict("in/e", "--no-augment").status == 0)
        #expect(try table().sliceIDs == ["e"])
    }

    @Test("the predictions are those of the network on the slices' pixels")
    func values() throws {
        for number in 1...3 as ClosedRange<Int32> {
            try InputFixtures.write(try Self.slice(number).encoded(), to: files["s/\(number).dcm"])
        }
        #expect(try predict("s", "--no-augment").status == 0)
        let predictor = try Predictor(
            settings: .init(
                backbone: .efficientNetB3, imageSize: 32, augmentation: nil, seed: 0, batchSize: 1),
            weights: WeightsFile.read(files["w.pt"]).tensors, pool: ThreadPool(threads: 1))
        let expected = try predictor.predict(["1", "2", "3"]) { id in
            HounsfieldImage(Self.slice(Int32(id) ?? 0), repairingWrap: false)
        }
        #expect(try table().values == NetworkOrder.fileOrder(expected))
        // With augmentation they differ, and 2 draws are the recipe's own number.
        let plain = try table().values
        #expect(try predict("s", "--recipe", "demo").status == 0)
        let augmented = try table().values
        #expect(augmented != plain)
        #expect(try predict("s", "--recipe", "demo", "--tta", "2").status == 0)
        #expect(try table().values == augmented)
    }

    private struct Report: Decodable {
        struct Settings: Decodable {
            let size: Int
            let windows: [Window]
            let draws: Int
            let seed: UInt64
        }
        let settings: Settings
    }

    @Test(
        "without a recipe nothing comes from one: what the weights do not say is asked for, what they say is taken, and differences are said"
    )
    func nothingUnnamed() throws {
        try InputFixtures.write(try Self.slice(1).encoded(), to: files["s/1.dcm"])
        for (missing, option) in [(["--size", "32"], "--tta"), (["--no-augment"], "--size")] {
            let run = try predict("s", missing, size: nil)
            #expect(run.status == 64 && run.errors.contains(option), "\(run.errors)")
        }
        func report(_ more: String..., size: String? = "32") throws -> (Report.Settings, errors: String) {
            let run = try predict("s", more + ["--json"], size: size)
            #expect(run.status == 0, "\(run.errors)")
            return (try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).settings, run.errors)
        }
        let plain = try report("--no-augment").0
        #expect(plain.size == 32 && plain.draws == 1 && plain.windows == Window.original)
        let other = try report("--tta", "3", "--windows", "40:80,60:100,30.5:300").0
        #expect(other.draws == 3)
        #expect(
            other.windows == [
                .init(center: 40, width: 80), .init(center: 60, width: 100), .init(center: 30.5, width: 300),
            ])
        for windows in ["40:80", "40:80,1:2,x:3", "40:80,1:2,3:1", "40:80,,1:2", "nan:80,1:2,3:4", "1e30:80,1:2,3:4"] {
            #expect(try predict("s", ["--no-augment", "--windows", windows]).status == 64, "\(windows)")
        }

        var weights = try SafeTensors(metadata: [:], tensors: WeightsFile.read(files["w.pt"]).tensors)
        let training = TrainingSettings(
            backbone: .efficientNetB3, imageSize: 48, batchSize: 4, learningRate: 1, seed: 7,
            windows: [Window](repeating: .init(center: 1, width: 20), count: 3))
        weights.metadata["settings"] = String(decoding: try JSONEncoder().encode(training), as: UTF8.self)
        try InputFixtures.write(weights.encoded(), to: files["w.pt"])
        try FileManager.default.moveItem(atPath: files["w.pt"], toPath: files["w.safetensors"])
        func trained(_ more: String...) throws -> (Report.Settings, errors: String) {
            let run = try ProgramRun(
                [
                    "predict", "--weights", files["w.safetensors"], "--backbone", "efficientnet-b3", "--input",
                    files["s"],
                ]
                    + ["--out", files["p.csv"], "--threads", "1", "--quiet", "--json"] + more)
            #expect(run.status == 0, "\(run.errors)")
            return (try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).settings, run.errors)
        }
        let (said, quiet) = try trained("--tta", "2")
        #expect(said.size == 48 && said.seed == 7 && said.windows == training.windows && quiet.isEmpty)
        let (asked, noted) = try trained("--no-augment", "--size", "64", "--windows", "40:80,80:200,40:380")
        #expect(asked.size == 64 && asked.windows == Window.original)
        #expect(noted.contains("size 64, trained with 48") && noted.contains("trained with 1:20,1:20,1:20"), "\(noted)")
    }

    @Test("a batch that does not fit the memory is refused with what fits")
    func memory() throws {
        try InputFixtures.write(try Self.slice(1).encoded(), to: files["s/1.dcm"])
        let run = try predict("s", "--no-augment", "--batch", "4096", size: "2048")
        #expect(run.status == 64 && run.errors.contains("at most"), "\(run.errors)")
    }

    @Test("a slice outside the head, or without patient and position, is predicted too")
    func anySlice() throws {
        var air = Self.slice(0)
        (air.header.patientID, air.header.studyInstanceUID, air.header.seriesInstanceUID) = ("", "", "")
        try InputFixtures.write(try air.encoded(), to: files["s/air.dcm"])
        let run = try predict("s", "--no-augment")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try table().sliceIDs == ["air"])
    }

    @Test("in the competition's layout the slices are those of the split", arguments: ["", "_images"])
    func competition(suffix: String) throws {
        for split in ["train", "test"] {
            try InputFixtures.write(
                try Self.slice(split == "train" ? 1 : 2).encoded(),
                to: files["in/rsna/stage_2_\(split)\(suffix)/ID_\(split).dcm"])
        }
        #expect(try predict("in", "--no-augment").status == 0)
        #expect(try table().sliceIDs == ["ID_test"])
        #expect(try predict("in", "--no-augment", "--split", "train").status == 0)
        #expect(try table().sliceIDs == ["ID_train"])
        // Asked for by its own name, a folder is what it is.
        #expect(try predict("in/rsna/stage_2_train\(suffix)", "--no-augment").status == 0)
        #expect(try table().sliceIDs == ["ID_train"])
    }

    @Test("names that come twice, no slices, none readable, and what the command line lacks end with their exit codes")
    func failures() throws {
        try InputFixtures.write(try Self.slice(1).encoded(), to: files["twice/a/1.dcm"])
        try InputFixtures.write(try Self.slice(2).encoded(), to: files["twice/b/1.dcm"])
        let twice = try predict("twice", "--no-augment")
        #expect(twice.status == 65 && twice.errors.contains("a/1.dcm") && twice.errors.contains("b/1.dcm"))
        try InputFixtures.write("text", to: files["empty/readme.txt"])
        #expect(try predict("empty", "--no-augment").status == 65)
        #expect(try predict("none", "--no-augment").status == 66)
        try InputFixtures.write("text", to: files["bad/1.dcm"])
        #expect(try predict("bad", "--no-augment").status == 65)
        #expect(try predict("w.pt", "--no-augment").status == 65)
        #expect(try predict("bad/1.dcm", "--no-augment").status == 65)
        #expect(try predict("twice", size: nil).status == 64)
        let fold = try ProgramRun(
            "predict", "--fold", "0", "--backbone", "resnet34", "--input", files["twice"], "--size", "32", "--out",
            files["p.csv"])
        #expect(fold.status == 64 && fold.errors.contains("--work"))
        #expect(!FileManager.default.fileExists(atPath: files["p.csv"]))
    }

    @Test("an interrupted prediction leaves nothing behind")
    func interrupted() throws {
        for number in 1...64 as ClosedRange<Int32> {
            try InputFixtures.write(try Self.slice(number).encoded(), to: files["s/\(number).dcm"])
        }
        let before = try FileManager.default.subpathsOfDirectory(atPath: files.path).sorted()
        let process = Process()
        process.executableURL = Bundle.main.bundleURL.appendingPathComponent("repro")
        process.arguments = [
            "predict", "--weights", files["w.pt"], "--backbone", "efficientnet-b3", "--input", files["s"], "--size",
            "1024", "--no-augment",
            "--out", files["p.csv"], "--threads", "1", "--quiet",
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        usleep(500_000)
        #expect(process.isRunning)
        process.interrupt()
        process.waitUntilExit()
        #expect(process.terminationStatus != 0)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: files.path).sorted() == before)
    }

    @Test(
        "a slice in memory is the slice in its file, in every transfer syntax and cut short at any byte",
        arguments: ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
    func inMemory(syntax: String) throws {
        var slice = InputFixtures.slice()
        slice.header.transferSyntax = syntax
        let bytes = try slice.encoded()
        let path = files["a.dcm"]
        for length in Array(stride(from: 0, to: bytes.count, by: 7)) + [bytes.count] {
            let part = Array(bytes[..<length])
            try InputFixtures.write(part, to: path)
            func outcome(_ read: () throws -> DICOMSlice) -> String {
                do { return "\(try read().pixels)" } catch { return "\((error as? SliceError)?.kind.rawValue ?? "?")" }
            }
            let fromFile = outcome { try readImage(at: path) }
            #expect(outcome { try readImage(in: part, name: path) } == fromFile, "\(length) bytes")
        }
        #expect(try readImage(in: bytes, name: path).pixels == slice.pixels)
    }
}
