import Foundation
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

/// What is in a work directory is not lost to a forgotten option.
@Suite("Work directories")
struct WorkDirectoryTests {
    private let files: TableFolder

    init() throws { files = try TableFolder() }

    /// A work directory whose record says that stages of the recipe `mini` took that long, with settings of another day.
    private func record(seconds: Double, of stage: String = "demo-data") throws -> RunRecord {
        var record = RunRecord(
            program: "0.2.0", recipe: try RecipeLibrary.recipe("mini"), machine: .current, threads: 1)
        record.stages[stage] = .init(
            needs: [], inputs: record.inputsHash(of: []) ?? "", settings: "another day's", revision: 1,
            program: "0.2.0",
            outputs: [.init(path: "demo", sha256: "x")], hash: "h", seconds: seconds, sessions: 1)
        try record.save(to: files.path)
        return record
    }

    private func everything() throws -> [String: Data] {
        var found: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: files.path) where name != "run.lock" {
            found[name] = FileManager.default.contents(atPath: files[name]) ?? Data()
        }
        return found
    }

    @Test(
        "the work directory of another recipe is refused by every command that works there, and nothing in it is touched"
    )
    func otherRecipe() throws {
        _ = try record(seconds: 1)
        try InputFixtures.write("trained for months", to: files["models/resnet34/fold0/epoch2.safetensors"])
        try InputFixtures.write("half", to: files["models/resnet34/fold1/step7.safetensors.1.tmp"])
        let before = try everything()
        for command in [
            ["reproduce"], ["train", "--backbone", "resnet34", "--fold", "0"],
            ["predict", "--backbone", "resnet34", "--fold", "0", "--out", files["p.csv"]],
        ] {
            let run = try ProgramRun(command + ["--work", files.path, "--remake"])
            #expect(
                run.status == 64 && run.errors.contains("recipe mini") && run.errors.contains("--recipe mini"),
                "\(run.errors)")
            #expect(try everything() == before)
        }
    }

    @Test("a folder that is no run's keeps what has a result's name; a catalog made beforehand is no result")
    func nobodysRun() throws {
        for name in ["submission.csv", "report.html", "models/mine.pt", "predictions/a.csv", "scores.json"] {
            try InputFixtures.write("somebody's", to: files["own/\(name)"])
            let run = try ProgramRun("reproduce", "--recipe", "mini", "--work", files["own"])
            #expect(run.status == 64 && run.errors.contains("but no run.json"), "\(run.errors)")
            #expect(try files.text("own/\(name)") == "somebody's")
            try FileManager.default.removeItem(atPath: files["own"])
        }
        let folder = WorkFolder(root: files.path)
        try InputFixtures.write("", to: files["catalog.sqlite"])
        try folder.checkBelongs(to: RecipeLibrary.recipe("mini"))
    }

    @Test("more than ten minutes of work are not made again without being asked; the stage and its time are said")
    func remake() throws {
        _ = try record(seconds: 3 * 3600)
        let before = try everything()
        let run = try ProgramRun("reproduce", "--recipe", "mini", "--work", files.path)
        #expect(run.status == 64 && run.errors.contains("--remake"), "\(run.errors)")
        #expect(run.errors.contains("demo-data: its settings have changed; 3:00:00"))
        #expect(try everything() == before)
    }

    private func stage(_ kind: StageKind, needs: [String] = [], setting: Int = 1) -> Stage {
        Stage(kind, needs: needs, settings: [setting], outputs: [.init(path: kind.rawValue)]) { [files] _ in
            try InputFixtures.write("made with \(setting)", to: files[kind.rawValue])
        }
    }

    @Test(
        "stages that rest on an outdated one count as lost, unfinished ones too; what is up to date or damaged does not"
    )
    func outdated() throws {
        let first = [
            stage(.unpack), stage(.catalog, needs: ["unpack"]), stage(.train, needs: ["catalog"]), stage(.score),
        ]
        var record = RunRecord(program: "", recipe: try RecipeLibrary.recipe("mini"), machine: .current, threads: 1)
        _ = try StageRunner(folder: files.path, progress: ProgressMeter(style: .quiet)).run(first, record: &record)
        #expect(record.outdated(among: first).isEmpty)
        try InputFixtures.write("damaged", to: files["unpack"])
        #expect(record.outdated(among: first).isEmpty)
        let changed = [first[0], stage(.catalog, needs: ["unpack"], setting: 2), first[2], first[3]]
        #expect(record.outdated(among: changed).map(\.name) == ["catalog", "train"])
        #expect(record.outdated(among: changed).last?.reason == "it rests on catalog")
        record.stages["train"] = nil
        record.unfinished["train"] = .init(key: "other", seconds: 7200, sessions: 3)
        #expect(record.outdated(among: first).map(\.name) == ["train"])
        #expect(record.outdated(among: first).first?.seconds == 7200)
    }

    @Test("who allows it gets the stages made again, and who does not keeps them")
    func allowed() throws {
        func run(setting: Int, mayRemake: Bool) throws -> [StageOutcome] {
            try Reproduction(
                folder: WorkFolder(root: files.path), recipe: try RecipeLibrary.recipe("mini"),
                options: .init(mayRemake: { _ in mayRemake }), progress: ProgressMeter(style: .quiet)
            ).run([stage(.unpack, setting: setting)])
        }
        _ = try run(setting: 1, mayRemake: false)
        var record = try #require(try RunRecord.load(from: files.path))
        record.stages["unpack"]?.seconds = 601
        try record.save(to: files.path)
        #expect(InputFixtures.failure { _ = try run(setting: 2, mayRemake: false) }?.status == .badUsage)
        #expect(try files.text("unpack") == "made with 1")
        #expect(try run(setting: 2, mayRemake: true).first?.seconds != nil)
        #expect(try files.text("unpack") == "made with 2")
        // A short one is made again without a word.
        #expect(try run(setting: 3, mayRemake: false).first?.seconds != nil)
    }
}
