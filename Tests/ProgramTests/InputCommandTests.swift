import Foundation
import Testing

@testable import Basics
@testable import Catalog
@testable import Repro
@testable import TestSupport

/// The commands about inputs as a user runs them: exit codes, stdout and stderr.
@Suite("Input commands")
struct InputCommandTests {
    @Test("from demo data to an exported data set")
    func wholeWay() throws {
        try InputFixtures.withFolder { folder in
            let demo = try ProgramRun("demo-data", "--out", folder, "--patients", "10", "--size", "32", "--json")
            #expect(demo.status == 0)
            let report = try JSONDecoder().decode(DemoCompetition.Report.self, from: Data(demo.output.utf8))
            let unpack = try ProgramRun("unpack", report.archive, "--into", folder + "/in")
            #expect(unpack.status == 0 && unpack.output.contains("root "))
            let manifest = folder + "/in/manifest.sha256"
            #expect(try ProgramRun("fingerprint", folder + "/in", "--check", manifest).status == 0)
            let catalog = try ProgramRun("catalog", "--input", folder + "/in", "--work", folder + "/work")
            #expect(catalog.status == 0)
            #expect(catalog.errors.contains("skipped stage_2_train/ID_6431af929.dcm"))
            #expect(catalog.output.contains("skipped, truncated: 1"))
            let out = folder + "/train.csv"
            #expect(
                try ProgramRun("catalog", "export", "--work", folder + "/work", "--split", "train", "--out", out).status
                    == 0)
            #expect(try String(contentsOfFile: out, encoding: .utf8).hasPrefix("ID,labels,PatientID,"))
        }
    }

    @Test("a changed folder fails the check with exit code 1 and names the files")
    func check() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("a", to: folder + "/in/a")
            try InputFixtures.write("b", to: folder + "/in/b")
            let listing = try ProgramRun("fingerprint", folder + "/in")
            try InputFixtures.write(listing.output, to: folder + "/manifest")
            try InputFixtures.write("changed", to: folder + "/in/a")
            try FileManager.default.removeItem(atPath: folder + "/in/b")
            try InputFixtures.write("c", to: folder + "/in/c")
            let check = try ProgramRun("fingerprint", folder + "/in", "--check", folder + "/manifest")
            #expect(check.status == 1)
            #expect(check.output == "missing b\nextra   c\nchanged a\n")
            #expect(try ProgramRun("fingerprint", folder + "/in", "--check", folder + "/none").status == 66)
        }
    }

    @Test("bad usage is 64, missing input 66, bad input 65")
    func exitCodes() throws {
        try InputFixtures.withFolder { folder in
            #expect(try ProgramRun("unpack", folder + "/none.zip", "--into", folder + "/x").status == 66)
            try InputFixtures.write("no archive", to: folder + "/a.zip")
            #expect(try ProgramRun("unpack", folder + "/a.zip", "--into", folder + "/x").status == 65)
            #expect(try ProgramRun("unpack").status == 64)
            #expect(try ProgramRun("catalog", "--input", folder, "--work", folder + "/w").status == 66)
            #expect(try ProgramRun("catalog", "--input", folder, "--work", folder, "--folds", "1").status == 64)
            #expect(
                try ProgramRun("catalog", "export", "--work", folder, "--split", "train", "--out", "x").status == 66)
            #expect(try ProgramRun("demo-data", "--out", folder, "--patients", "2").status == 64)
        }
    }

    @Test("a pipe is no archive, and nobody waits for it; one that takes output is written to, not replaced")
    func pipes() throws {
        try InputFixtures.withFolder { folder in
            let pipe = folder + "/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            for arguments in [["unpack", pipe, "--into", folder + "/out"], ["fingerprint", "--members", pipe]] {
                let run = try ProgramRun(arguments)
                #expect(run.status == 65 && run.errors.contains("not a file"), "\(run.errors)")
            }
            let reading = Background {
                let descriptor = open(pipe, O_RDONLY)
                defer { close(descriptor) }
                var bytes = [UInt8](repeating: 0, count: 100)
                let count = read(descriptor, &bytes, bytes.count)
                return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
            }
            try AtomicFile.write("what was written", to: pipe)
            #expect(reading.value() == "what was written")
            var status = stat()
            #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["pipe"])
        }
    }
}
