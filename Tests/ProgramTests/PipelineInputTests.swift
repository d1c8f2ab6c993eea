import Foundation
import Synchronization
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

/// The stages before the networks, on a competition of ten patients.
@Suite struct PipelineInputTests {
    private let files: TableFolder
    private let archive: String

    init() throws {
        files = try TableFolder()
        let demo = DemoCompetition(settings: DemoSettings(patients: 10, size: 32, seed: 1, threads: 1))
        archive = try demo.write(to: files["source"]).archive
    }

    /// Brings the input stages of a work directory up to date; returns which were made, all hashes, and the log.
    private func run(_ work: String, archive: String) throws -> (made: [String], hashes: [String: String], log: String)
    {
        let log = Mutex("")
        let reproduction = Reproduction(
            folder: try WorkFolder.open(files[work]), recipe: try RecipeLibrary.recipe("demo"),
            options: .init(archive: archive, threads: 1),
            progress: ProgressMeter(style: .lines, write: { text in log.withLock { $0 += text } }))
        let outcomes = try reproduction.run(try reproduction.inputStages())
        return (
            outcomes.filter { $0.seconds != nil }.map(\.name),
            Dictionary(uniqueKeysWithValues: outcomes.map { ($0.name, $0.hash) }), log.withLock { $0 }
        )
    }

    @Test("an archive and the folder that it unpacks to give the same catalog, and the folder is left as it is")
    func folderInsteadOfArchive() throws {
        let fromArchive = try run("first", archive: archive)
        #expect(fromArchive.made == ["unpack", "catalog"])
        let folder = files["first/inputs"]
        let before = try Fingerprint.manifest(of: [folder], threads: 1)
        let fromFolder = try run("second", archive: folder)
        #expect(fromFolder.hashes == fromArchive.hashes)
        #expect(try run("second", archive: folder).made == [])
        #expect(try Fingerprint.manifest(of: [folder], threads: 1) == before)
    }

    @Test("a folder of the user's that has changed is noticed, named and never written to")
    func changedFolder() throws {
        _ = try run("first", archive: archive)
        let folder = files["first/inputs"]
        _ = try run("second", archive: folder)
        try Data("a note".utf8).write(to: URL(fileURLWithPath: folder + "/note.txt"))
        let again = try run("second", archive: folder)
        #expect(again.made == ["unpack", "catalog"])
        #expect(again.log.contains("\(folder) is not what it was"))
        #expect(FileManager.default.fileExists(atPath: folder + "/note.txt"))
    }

    @Test(
        "a slice that is lost, shortened or added in the work directory makes its inputs again from the archive",
        arguments: 0..<3)
    func damagedInputs(kind: Int) throws {
        let first = try run("work", archive: archive)
        let input = try #require(try CompetitionFolder.locate(in: files["work/inputs"]).trainFolder)
        let slice = try #require(try FileManager.default.contentsOfDirectory(atPath: input).min())
        switch kind {
        case 0: try FileManager.default.removeItem(atPath: "\(input)/\(slice)")
        case 1: #expect(truncate("\(input)/\(slice)", 500) == 0)
        default: try FileManager.default.copyItem(atPath: "\(input)/\(slice)", toPath: "\(input)/ID_fffffffff.dcm")
        }
        let second = try run("work", archive: archive)
        #expect(second.made == ["unpack"])
        #expect(second.hashes == first.hashes)
    }

    @Test("another archive in the same work directory leaves nothing of the one before")
    func otherArchive() throws {
        _ = try run("work", archive: archive)
        let other = try DemoCompetition(settings: DemoSettings(patients: 10, size: 32, seed: 2, threads: 1))
            .write(to: files["other"]).archive
        let alone = try run("fresh", archive: other)
        let after = try run("work", archive: other)
        #expect(after.made == ["unpack", "catalog"] && after.hashes == alone.hashes)
        #expect(after.log.contains("files that are not the archive's"))
        #expect(
            try Fingerprint.manifest(of: [files["work/inputs"]], threads: 1)
                == Fingerprint.manifest(of: [files["fresh/inputs"]], threads: 1))
    }

    @Test("what has been hashed is not read again as long as its size and time stay", arguments: [true, false])
    func notHashedAgain(isArchive: Bool) throws {
        _ = try run("first", archive: archive)
        let source = isArchive ? archive : files["first/inputs"]
        let work = isArchive ? "first" : "second"
        let first = try run(work, archive: source)
        let slices = try #require(try CompetitionFolder.locate(in: files["first/inputs"]).trainFolder)
        let path = try #require(
            try FileManager.default.contentsOfDirectory(atPath: slices).min().map { "\(slices)/\($0)" })
        var status = stat()
        #expect(stat(path, &status) == 0)
        // A byte changes and the time is put back: reading it would tell, and nothing reads it.
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.write(contentsOf: [1])
        try handle.close()
        #expect(utimensat(AT_FDCWD, path, [status.st_atim, status.st_mtim], 0) == 0)
        let second = try run(work, archive: source)
        #expect(second.made == [] && second.hashes == first.hashes)
        let manifest = files["first/inputs/manifest.sha256"]
        #expect(try ProgramRun("fingerprint", files["first/inputs"], "--check", manifest).status == 1)
    }

    @Test("what was skipped is said with its reason")
    func skipped() throws { #expect(try run("work", archive: archive).log.contains("the file ends too early")) }

    @Test("an archive that is not there is missing input, one that is none is bad input, and nothing is recorded of it")
    func badArchives() throws {
        #expect(
            try #require(throws: Failure.self) { try run("work", archive: files["none.zip"]) }.status == .inputMissing)
        try Data("not an archive".utf8).write(to: URL(fileURLWithPath: files["bad.zip"]))
        #expect(try #require(throws: Failure.self) { try run("work", archive: files["bad.zip"]) }.status == .badInput)
        #expect(try #require(try RunRecord.load(from: files["work"])).stages.isEmpty)
    }
}
