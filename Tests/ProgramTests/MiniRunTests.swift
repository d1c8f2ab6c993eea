import Foundation
import Nets
import Testing

@testable import Basics
@testable import Catalog
@testable import Repro
@testable import TestSupport

/// What a whole run leaves, and what it does not depend on.
@Suite struct MiniRunTests {
    @Test(
        "a run's hashes depend neither on the instruction set nor on the number of threads",
        arguments: zip(InstructionSet.available, ["2", "1", "3"]))
    func machines(instructionSet: InstructionSet, threads: String) throws {
        let files = try TableFolder()
        let run = try MiniRun.reproduce(
            files.path, "--threads", threads, environment: ["REPRO_ISA": instructionSet.rawValue])
        // Exit code 0: every hash is the golden one.
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test("a run that was killed again and again ends with the same hashes, losses and patients")
    func killed() throws {
        let whole = try MiniRun.shared.get()
        let files = try TableFolder()
        for file in [
            "demo/test_truth.csv", "inputs/manifest.sha256", "catalog.sqlite", "models/resnet34/fold0/checkpoints.json",
            "models/resnet34/fold1/losses.csv", "models/se_resnext50_32x4d/fold1/epoch0.safetensors",
            "predictions/efficientnet-b3/fold0/oof.csv", "submission.csv",
        ] {
            // Checkpoints every second or so.
            let run = ProgramRun.process([
                "reproduce", "--recipe", "mini", "--work", files.path, "--quiet", "--checkpoint-minutes", "0.02",
            ])
            (run.standardOutput, run.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
            try run.run()
            while run.isRunning && !FileManager.default.fileExists(atPath: files[file]) { usleep(1000) }
            kill(run.processIdentifier, SIGKILL)
            run.waitUntilExit()
        }
        #expect(try MiniRun.reproduce(files.path).status == 0)
        #expect(try MiniRun.hashes(in: files.path) == MiniRun.hashes(in: whole.path))
        for name in ["losses.csv", "patients.txt"] {
            let path = "models/resnet34/fold0/\(name)"
            #expect(try files.text(path) == whole.text(path))
        }
    }

    @Test("the record names the patients that each training learned from, and none of the fold that it leaves out")
    func patients() throws {
        let files = try MiniRun.shared.get()
        let record = try MiniRun.record(in: files.path)
        let slices = try Patients.catalog(at: files.path)?.slices(in: .train) ?? []
        for fold in 0..<2 {
            let labels = try #require(record.stages["train/efficientnet-b3/fold\(fold)"]?.labels)
            let listed = try files.text(labels.list).split(separator: "\n").map(String.init)
            #expect(listed.count == labels.patients && !listed.isEmpty)
            #expect(Set(listed) == Set(slices.filter { $0.fold != fold }.map(\.patientID)))
            #expect(Set(listed).isDisjoint(with: slices.filter { $0.fold == fold }.map(\.patientID)))
        }
        #expect(record.stages.filter { $0.value.labels != nil }.count == 6)
    }

    @Test("the loss of every step is recorded by its bits")
    func losses() throws {
        let files = try MiniRun.shared.get()
        let slices = try Patients.catalog(at: files.path)?.slices(in: .train).filter { $0.fold != 0 }.count ?? 0
        let lines = try files.text("models/resnet34/fold0/losses.csv").split(separator: "\n")
        // Two epochs of whole batches of 7.
        #expect(lines.count == 1 + slices / 7 * 2)
        #expect(lines.dropFirst().allSatisfy { Double($0.split(separator: ",")[1]).map { $0 > 0 } == true })
    }

    @Test("an audit finds nothing wrong with a run and its record")
    func audit() throws {
        let run = try ProgramRun("audit", "--work", try MiniRun.shared.get().path)
        #expect(run.status == 0, "\(run.output)")
        for check in ["outputs as recorded", "stages chain", "stages of this revision", "record unedited"] {
            #expect(run.output.contains("\(check)  ") && !run.output.contains("FAILED: \(check)"), "\(run.output)")
        }
    }
}
