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

    @Test(
        "in a run's work directory the catalog is made with the recipe's settings and of the same input, or not at all")
    func catalogOfARun() throws {
        try InputFixtures.withFolder { folder in
            for name in ["in", "other"] {
                try InputFixtures.write(
                    InputFixtures.slice().encoded(), to: "\(folder)/\(name)/ID_dd37ba3adb.dcm")
            }
            let (work, recipe) = (folder + "/work", try RecipeLibrary.recipe("mini"))
            let catalog = work + "/catalog.sqlite"
            try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: true)
            try RunRecord(program: "", recipe: recipe, machine: .current, threads: 1).save(to: work)
            func make(_ input: String, folds: Int) throws -> ProgramRun {
                try ProgramRun(
                    "catalog", "--input", "\(folder)/\(input)", "--work", work, "--folds", "\(folds)", "--fold-seed",
                    "\(recipe.folds.seed)", "--repair-wrap")
            }
            let refused = try make("in", folds: recipe.folds.count + 1)
            #expect(refused.status == 64 && refused.errors.contains("of the recipe mini"), "\(refused.errors)")
            #expect(!FileManager.default.fileExists(atPath: catalog))
            #expect(try make("in", folds: recipe.folds.count).status == 0)
            let made = try Digest.sha256(file: catalog)
            #expect(try make("other", folds: recipe.folds.count).status == 64)
            #expect(try Digest.sha256(file: catalog) == made)
            try FileManager.default.moveItem(atPath: folder + "/in", toPath: work + "/inputs")
            #expect(try make("work/inputs", folds: recipe.folds.count).status == 0)
        }
    }

    @Test("what is not unpacked into the folder that was named is said, and nothing is left there")
    func notUnpacked() throws {
        try InputFixtures.withFolder { folder in
            let into = folder + "/into"
            func unpack(_ name: String, _ status: Int32, _ said: String) throws {
                let run = try ProgramRun("unpack", "\(folder)/\(name)", "--into", into)
                #expect(run.status == status && run.errors.contains(said), "\(name): \(run.errors)")
                #expect(!FileManager.default.fileExists(atPath: into), "\(name)")
            }
            try InputFixtures.write("text", to: folder + "/files/a.txt")
            try unpack("files", 0, "nothing is unpacked into \(into)")
            for name in ["ok.zip.aa", "ok.zip.ab"] { try InputFixtures.write("half", to: "\(folder)/parts/\(name)") }
            try unpack("parts", 65, "cat NAME.001")
            try InputFixtures.write("half", to: folder + "/volumes/ok.z02")
            try unpack("volumes", 65, "zip -s 0")
            try unpack("volumes/ok.z02", 65, "zip -s 0")
            try InputFixtures.write("text\n", to: folder + "/text")
            try unpack("text", 65, "not an archive that can be read")
            try InputFixtures.write([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], to: folder + "/cut.tar.gz")
            try unpack("cut.tar.gz", 65, "damaged or truncated near its start")
            try InputFixtures.write("text\n", to: folder + "/archives/text.tar")
            try unpack("archives", 65, "not an archive that can be read")
            #expect(try ProgramRun("unpack", folder + "/text", "--into", "-").status == 64)
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

    @Test("a manifest from elsewhere is checked whatever its paths begin with, and where it lies in the folder itself")
    func foreignManifest() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("a", to: folder + "/in/a")
            try InputFixtures.write("b", to: folder + "/in/sub/b")
            let lines = ["a", "sub/b"].map { (Digest.sha256(String($0.suffix(1))), $0) }
            for (place, prefix) in [("m", "./"), ("m", folder + "/in/"), ("in/SUMS", "")] {
                try InputFixtures.write(lines.map { "\($0)  \(prefix)\($1)\r\n" }.joined(), to: "\(folder)/\(place)")
                let check = try ProgramRun("fingerprint", folder + "/in", "--check", "\(folder)/\(place)")
                #expect(check.status == 0, "\(prefix): \(check.output)\(check.errors)")
            }
            // The folder's own manifest is no part of it, and is checked where another one names it.
            try FileManager.default.removeItem(atPath: folder + "/in/SUMS")
            try InputFixtures.write("own", to: folder + "/in/manifest.sha256")
            let all = lines + [(Digest.sha256("own"), "manifest.sha256")]
            try InputFixtures.write(all.map { "\($0)  ./\($1)\n" }.joined(), to: folder + "/m")
            #expect(try ProgramRun("fingerprint", folder + "/in", "--check", folder + "/m").status == 0)
            try InputFixtures.write("other", to: folder + "/in/manifest.sha256")
            #expect(
                try ProgramRun("fingerprint", folder + "/in", "--check", folder + "/m").output
                    == "changed manifest.sha256\n")
        }
    }

    @Test(
        "a fingerprint covers names of any bytes; pipes, sockets and links that lead nowhere are named, and nobody waits for them"
    )
    func passedOver() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("a", to: folder + "/in/a")
            let odd = "\(folder)/in/\(String(path: [0x62, 0xFF]))".withPath { open($0, O_CREAT | O_WRONLY, 0o644) }
            close(odd)
            #expect(mkfifo(folder + "/in/pipe", 0o600) == 0)
            try FileManager.default.createSymbolicLink(atPath: folder + "/in/broken", withDestinationPath: "nowhere")
            try FileManager.default.createSymbolicLink(atPath: folder + "/in/up", withDestinationPath: "..")
            let run = try ProgramRun("fingerprint", folder + "/in")
            #expect(run.status == 0 && run.output.contains("manifest 1: 2 files"))
            for text in [
                "broken: a link that leads nowhere", "pipe: a pipe", "up/in: a link to a folder that it lies in",
            ] {
                #expect(run.errors.contains("passed over \(folder)/in/\(text)"), "\(run.errors)")
            }
            let unpack = try ProgramRun("unpack", folder + "/in", "--into", folder + "/out")
            #expect(unpack.status == 0 && unpack.errors.contains("in/pipe: a pipe"))
            for name in ["a", String(path: [0x62, 0xFF])] { "\(folder)/in/\(name)".withPath { _ = unlink($0) } }
            for arguments in [["fingerprint", folder + "/in"], ["unpack", folder + "/in", "--into", folder + "/out"]] {
                let run = try ProgramRun(arguments)
                #expect(run.status == 65 && run.errors.contains("in/pipe: a pipe"), "\(run.errors)")
            }
        }
    }

    @Test("of a folder of archives, what is neither file nor archive is named each time")
    func besideArchives() throws {
        try InputFixtures.withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/in/more", withIntermediateDirectories: true)
            try ZipFixture(members: [.init(name: "a.dcm", bytes: [1])]).write(to: folder + "/in/z.zip")
            #expect(mkfifo(folder + "/in/p.zip", 0o600) == 0)
            for _ in 0..<2 {
                let run = try ProgramRun("unpack", folder + "/in", "--into", folder + "/out")
                #expect(run.status == 0 && run.output.contains("1 files"))
                #expect(
                    run.errors.contains("in/more: a folder beside archives") && run.errors.contains("in/p.zip: no file")
                )
            }
        }
    }

    @Test("bad usage is 64, missing input 66, bad input 65")
    func exitCodes() throws {
        try InputFixtures.withFolder { folder in
            #expect(try ProgramRun("unpack", folder + "/none.zip", "--into", folder + "/x").status == 66)
            try InputFixtures.write("no archive", to: folder + "/a.zip")
            #expect(try ProgramRun("unpack", folder + "/a.zip", "--into", folder + "/x").status == 65)
            #expect(try ProgramRun("unpack").status == 64)
            #expect(try ProgramRun("catalog", "--input", folder, "--work", folder + "/w").status == 65)
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
