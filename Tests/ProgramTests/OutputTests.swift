import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import Repro
@testable import TestSupport

/// What the program does with its outputs, however odd the place.
@Suite("Outputs")
struct OutputTests {
    private let files: TableFolder
    private let table = TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.5"))

    init() throws { files = try TableFolder(["a.csv": table, "b.csv": table]) }

    /// Runs a line of a shell in the folder, where `$R` is the program.
    private func shell(_ line: String) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = URL(fileURLWithPath: files.path)
        process.environment = ProcessInfo.processInfo.environment.merging([
            "R": Bundle.main.bundleURL.appendingPathComponent("repro").path
        ]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test(
        "full and closed streams are no crash: 74 for a result that is lost, nothing for lost talk, 141 for a reader that left",
        arguments: [
            ("$R recipes >/dev/full 2>/dev/null", 74), ("$R recipes >&- 2>/dev/null", 74),
            ("$R recipes 2>&- >/dev/null", 0),
            ("$R recipes <&- >/dev/null", 0), ("$R none 2>/dev/full", 64), ("$R none 2>&-", 64),
            ("$R blend a.csv b.csv --out x 2>/dev/full >/dev/full", 74),
            ("$R blend a.csv b.csv --out /dev/full 2>/dev/null", 74),
            ("$R blend a.csv b.csv --out - >/dev/full 2>/dev/null", 74),
            ("(sleep 0.2; $R recipes --help; echo $? >&2) 2>status | true; sleep 0.5; exit $(cat status)", 141),
            ("$R blend - b.csv --out x <&- 2>/dev/null", 66), ("$R --help >/dev/full 2>/dev/null", 74),
            ("$R --version >&- 2>/dev/null", 74), ("$R score --help >/dev/full 2>/dev/null", 74),
            ("ulimit -f 0; $R blend a.csv b.csv --out x 2>/dev/null", 74),
            ("$R fingerprint '' 2>/dev/null", 64), ("$R fingerprint $'a\\xff' 2>/dev/null", 64),
            ("$R blend a.csv b.csv --out $'x\\xfe.csv' 2>/dev/null", 64),
        ])
    func streams(line: String, status: Int32) throws {
        let run = try shell(line)
        #expect(run.status == status, "\(line)")
    }

    @Test("with a stream closed, no file that is written gets the output of another one")
    func closedStream() throws {
        _ = try shell("$R blend a.csv b.csv --out x >&- 2>&-")
        #expect(try files.text("x") == table)
    }

    @Test("- and /dev/stdout are standard output for every table, and then nothing else is printed there")
    func standardOutput() throws {
        for out in ["-", "/dev/stdout"] {
            #expect(try shell("$R blend a.csv b.csv --out \(out)").output == table)
            #expect(try shell("$R blend a.csv b.csv --out \(out) > file; cat file").output == table)
            #expect(try shell("$R postprocess a.csv --any-at-least-largest --out \(out) | cat").output == table)
        }
        #expect(try shell("mkfifo p; $R blend a.csv b.csv --out p >/dev/null & cat \(files["p"])").output == table)
    }

    @Test("a command that would overwrite its own input is refused, and the input is as it was")
    func inputs() throws {
        for line in [
            "blend a.csv b.csv --out b.csv", "postprocess a.csv --clip 0.1 --out a.csv",
            "blend a.csv,b.csv --out a.csv --force",
        ] {
            #expect(try shell("$R \(line) 2>/dev/null").status == 64, "\(line)")
        }
        #expect(try files.text("a.csv") == table && files.text("b.csv") == table)
        try InputFixtures.write("weights", to: files["w.pt"])
        #expect(try shell("$R export --weights w.pt --backbone resnet34 --out w.pt 2>/dev/null").status == 64)
        #expect(
            try shell("$R predict --weights w.pt --backbone resnet34 --input . --out w.pt --no-augment 2>/dev/null")
                .status == 64)
        #expect(try shell("$R show a.csv --out a.csv 2>/dev/null").status == 64)
        #expect(try files.text("w.pt") == "weights" && files.text("a.csv") == table)
    }

    @Test("a file that comes through standard input is an input")
    func standardInput() throws {
        for line in ["postprocess - --clip 0.3 --out a.csv < a.csv", "blend - b.csv --out a.csv --force < a.csv"] {
            #expect(try shell("$R \(line) 2>/dev/null").status == 64, "\(line)")
        }
        #expect(try files.text("a.csv") == table)
        #expect(try shell("cat a.csv | $R blend - b.csv --out a.csv").status == 0)
    }

    @Test("demo data replaces demo data; an archive of that name that is something else only by force")
    func demoData() throws {
        let make = "$R demo-data --out d --patients 10 --size 32"
        let archive = "d/\(DemoCompetition.archiveName)"
        #expect(try shell("\(make) >/dev/null 2>&1 && \(make) >/dev/null 2>&1").status == 0)
        #expect(ArchiveWriter.isItsOwn(files[archive]))
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: files[archive])))
        // Another archive: the same, but for the time of its members.
        bytes[bytes.indices.first { bytes[$0...].starts(with: [0x55, 0x54]) } ?? 0] = 0x56
        try InputFixtures.write(bytes, to: files[archive])
        #expect(!ArchiveWriter.isItsOwn(files[archive]))
        let before = try Digest.sha256(file: files[archive])
        #expect(try shell("\(make) 2>/dev/null").status == 64)
        #expect(try Digest.sha256(file: files[archive]) == before)
        #expect(try shell("\(make) --force >/dev/null 2>&1").status == 0)
        let truth = "d/\(DemoCompetition.truthName)"
        for text in ["mine", "Image,kfold\n"] {
            try InputFixtures.write(text, to: files[truth])
            #expect(try shell("\(make) 2>/dev/null").status == 64 && files.text(truth) == text)
        }
        // A table without the archive is somebody's.
        #expect(try shell("mkdir f; cp a.csv f/\(DemoCompetition.truthName)").status == 0)
        #expect(try shell("$R demo-data --out f --patients 10 --size 32 2>/dev/null").status == 64)
        #expect(try shell("$R demo-data --out - 2>/dev/null").status == 64 && !isFolder(files["-"]))
        #expect(try shell("$R demo-data --out e --patients 99999999999 2>/dev/null").status == 64)
    }

    @Test("a report as JSON and a result do not share standard output")
    func reportAndResult() throws {
        for out in ["-", "/dev/stdout"] {
            let run = try shell("$R blend a.csv b.csv --out \(out) --json 2>/dev/null")
            #expect(run.status == 64 && run.output == "")
        }
        let predict = "$R predict --weights a.csv --backbone resnet34 --input . --out - --no-augment --json"
        #expect(try shell("\(predict) 2>&1").output.contains("--json prints to standard output"))
    }

    @Test("a file where a folder is wanted is named, by every command that makes one")
    func folders() throws {
        for line in ["demo-data --out a.csv", "demo-data --out a.csv/b/c", "reproduce --work a.csv --recipe mini"] {
            let run = try shell("$R \(line) 2>&1")
            #expect(run.status == 74 && run.output.contains("a.csv: is a file; expected a folder"), "\(run.output)")
        }
    }

    @Test("demo data made twice at once in one folder is whole, and a signal leaves nothing half-written")
    func demoDataAtOnce() throws {
        let make = "$R demo-data --out d --patients 10 --size 32 >/dev/null 2>&1"
        let archive = "d/\(DemoCompetition.archiveName)"
        #expect(try shell("\(make) & \(make); one=$?; wait $! && exit $one").status == 0)
        #expect(try shell("$R fingerprint --members \(archive) >/dev/null").status == 0)
        let long = "$R demo-data --out s --patients 400 --size 512 2>/dev/null"
        for (signal, status) in [("INT", 130), ("TERM", 143)] {
            let line =
                "\(long) & until compgen -G 's/*.tmp' >/dev/null; do sleep 0.01; done; kill -\(signal) $!; wait $!"
            #expect(try shell(line).status == Int32(status))
            #expect(try FileManager.default.contentsOfDirectory(atPath: files["s"]) == [])
        }
    }

    @Test("messages begin with 'repro: error:', name the option that is wrong and suggest the nearest word")
    func messages() throws {
        let said = [
            ("blend a.csv b.csv --out x --clip -1", "--clip"), ("postprocess a.csv --clip -1e-3 --out x", "--clip"),
            ("scroe a.csv", "'score'"), ("reproduce --recipe mnii", "mini"),
            ("score a.csv --truth a.csv --bootstarp 3", "'--bootstrap'"),
            ("blend a.csv b.csv --out x --mean gemetric", "'geometric'"), ("demo-data --out e --size -5", "--size"),
        ]
        for (line, word) in said {
            let run = try ProgramRun(line.split(separator: " ").map(String.init), in: files.path)
            #expect(
                run.status == 64 && run.errors.hasPrefix("repro: error: ") && run.errors.contains(word),
                "\(line): \(run.errors)")
        }
    }
}
