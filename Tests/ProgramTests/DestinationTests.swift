import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import Nets
@testable import Program
@testable import TestSupport

@Suite("Destinations of results")
struct DestinationTests {
    private let files: TableFolder
    private let table = "ID,Label\nID_a_any,0.5\n"

    init() throws { files = try TableFolder(["a.csv": table]) }

    private func destination(
        _ name: String, _ content: Destination.Content = .predictions, inputs: [String] = [], force: Bool = false
    ) throws -> Destination {
        try Destination(files[name], content, inputs: inputs.map { files[$0] }, force: force)
    }

    @Test("an input is never an output: by its name, through a link, under another name of the same file, by force")
    func inputs() throws {
        try FileManager.default.createSymbolicLink(atPath: files["link.csv"], withDestinationPath: "a.csv")
        try FileManager.default.linkItem(atPath: files["a.csv"], toPath: files["hard.csv"])
        for name in ["a.csv", "link.csv", "hard.csv", "./a.csv"] {
            for force in [false, true] {
                let failure = InputFixtures.failure {
                    _ = try destination(name, inputs: ["b.csv", "a.csv"], force: force)
                }
                #expect(failure?.status == .badUsage && failure?.message.contains("--out") == true, "\(name)")
            }
        }
        #expect(try files.text("a.csv") == table)
        _ = try destination("a.csv", inputs: ["b.csv"])
    }

    @Test("what is in a folder that is read is an input, also behind a link; a result of before in it is replaced")
    func inputFolders() throws {
        for (name, text) in [
            ("d/deep/ID_1.dcm", "slice"), ("d/old.csv", table), ("d/stage_2_train.csv", table),
            ("else/ID_2.dcm", "slice"),
            ("else/free.txt", "text"),
        ] {
            try FileManager.default.createDirectory(
                atPath: folderName(files[name]), withIntermediateDirectories: true)
            try InputFixtures.write(text, to: files[name])
        }
        try FileManager.default.createSymbolicLink(
            atPath: files["d/ID_3.dcm"], withDestinationPath: "../else/ID_2.dcm")
        for name in ["d/deep/ID_1.dcm", "d/deep/../stage_2_train.csv", "d/ID_3.dcm", "else/ID_2.dcm"] {
            let failure = InputFixtures.failure { _ = try destination(name, inputs: ["d"], force: true) }
            #expect(failure?.status == .badUsage && failure?.message.contains(" in ") == true, "\(name)")
        }
        _ = try destination("d/old.csv", inputs: ["d"])
        _ = try destination("d/new.csv", inputs: ["d"])
        _ = try destination("else/free.txt", inputs: ["d"], force: true)
    }

    @Test(
        "a work directory's own files are no output, by force or through links; without a run, only the catalog and inputs"
    )
    func workDirectories() throws {
        for folder in ["w/models/resnet34", "c/inputs", "c/models"] {
            try FileManager.default.createDirectory(atPath: files[folder], withIntermediateDirectories: true)
        }
        try InputFixtures.write("{}", to: files["w/run.json"])
        try InputFixtures.write("", to: files["c/catalog.sqlite"])
        try FileManager.default.createSymbolicLink(atPath: files["l"], withDestinationPath: "w/models")
        try FileManager.default.createSymbolicLink(atPath: files["l.csv"], withDestinationPath: "w/submission.csv")
        let own = [
            "w/run.json", "w/catalog.sqlite", "w/models/resnet34/x.csv", "w/./models/../models/x.csv", "l/x.csv",
            "l.csv", "w/submission.csv", "w/report.html", "c/catalog.sqlite", "c/catalog.sqlite.partial",
            "c/inputs/x.csv",
        ]
        for name in own {
            let failure = InputFixtures.failure { _ = try destination(name, force: true) }
            #expect(failure?.status == .badUsage && failure?.message.contains("work directory") == true, "\(name)")
        }
        for name in ["w/mine.csv", "c/models/x.csv", "c/submission.csv", "c/inputs.csv", "catalog.sqlite"] {
            _ = try destination(name)
        }
    }

    @Test("a file of another kind is replaced by force only; one of the same kind, and an empty one, is replaced")
    func kinds() throws {
        let packed = try Array(table.utf8).withUnsafeBytes { try CompressedOutput.gz.packed($0) }
        let contents: [(name: String, bytes: [UInt8], content: Destination.Content?)] = [
            ("p.csv", Array(table.utf8), .predictions),
            ("bom.csv", [0xEF, 0xBB, 0xBF] + Array("\"ID\",\"Label\"\r\n".utf8), .predictions),
            ("p.csv.gz", [UInt8](packed), .predictions), ("p.gzip", [UInt8](packed), nil),
            ("cut.csv.gz", [0x1F, 0x8B, 8, 0], nil), ("folds.csv", Array("Image,kfold\nID_a,0\n".utf8), nil),
            ("leaderboard.csv", Array("TeamId,TeamName,Score\n1,a,0.5\n".utf8), nil),
            ("train.csv", Array("ID,labels,PatientID,WindowCenter\n".utf8), .slices),
            ("manifest", Array("# root 00, of a, b\n00  a,b\n".utf8), nil),
            ("w.safetensors", [2, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D], .weights),
            ("w.pt", TorchCheckpoint.encoded([]), .weights),
            (
                "old.pth", [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E],
                .weights
            ),
            ("predictions.pkl", [0x80, 2, 0x5D, 0x2E], nil), ("slices.bin", [0x50, 0x4B, 3, 4, 20], nil),
            ("p.png", [0x89, 0x50, 0x4E, 0x47, 13], .picture), ("notes.md", Array("# Notes\nof, mine".utf8), nil),
            ("mine.sqlite", Array("SQLite format 3\0,".utf8), nil),
        ]
        for (name, bytes, kind) in contents {
            try InputFixtures.write(bytes, to: files[name])
            for content in [Destination.Content.predictions, .slices, .weights, .picture] {
                let failure = InputFixtures.failure { _ = try destination(name, content) }
                #expect(failure?.status == (content == kind ? nil : .badUsage), "\(content) over \(name)")
                #expect(failure?.message.contains("--force") ?? true)
                _ = try destination(name, content, force: true)
            }
        }
        try InputFixtures.write([], to: files["empty"])
        for content in [Destination.Content.predictions, .slices, .weights, .picture] {
            _ = try destination("empty", content)
        }
    }

    @Test("what cannot be written is said before the work: a read-only file, a folder, a folder that is not there")
    func unwritable() throws {
        try InputFixtures.write(table, to: files["locked.csv"])
        chmod(files["locked.csv"], 0o444)
        for name in ["locked.csv", "", "none/x.csv"] {
            let failure = InputFixtures.failure { _ = try destination(name, force: true) }
            #expect(failure?.status == .inputOutput, "\(name): \(String(describing: failure))")
        }
        #expect(InputFixtures.failure { try AtomicFile.write("x", to: files["locked.csv"]) }?.status == .inputOutput)
        #expect(try files.text("locked.csv") == table)
        #expect(
            InputFixtures.failure { _ = try Destination("", .predictions, inputs: [], force: false) }?.status
                == .badUsage)
    }

    @Test("a link is written through: it stays a link, and the file that it leads to has the new content")
    func links() throws {
        try FileManager.default.createDirectory(atPath: files["data"], withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: files["one"], withDestinationPath: "data/two")
        try FileManager.default.createSymbolicLink(atPath: files["data/two"], withDestinationPath: "../three.csv")
        for text in ["first", "second"] {
            try AtomicFile.write(text, to: files["one"])
            #expect(try files.text("three.csv") == text)
        }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: files["one"]) == "data/two")
        try FileManager.default.createSymbolicLink(atPath: files["loop"], withDestinationPath: "loop")
        #expect(InputFixtures.failure { try AtomicFile.write("x", to: files["loop"]) }?.status == .inputOutput)
    }

    @Test("a file that is replaced keeps its permissions, a new one has the usual ones; root keeps its owner too")
    func attributes() throws {
        var status = stat()
        for mode: mode_t in [0o600, 0o640, 0o755] {
            chmod(files["a.csv"], mode)
            if geteuid() == 0 { chown(files["a.csv"], 1234, 1235) }
            try AtomicFile.write("new", to: files["a.csv"])
            #expect(stat(files["a.csv"], &status) == 0 && status.st_mode & 0o7777 == mode)
            #expect(geteuid() != 0 || status.st_uid == 1234 && status.st_gid == 1235)
        }
        let mask = umask(0o022)
        umask(mask)
        try AtomicFile.write("new", to: files["b.csv"])
        #expect(stat(files["b.csv"], &status) == 0 && status.st_mode & 0o7777 == 0o644 & ~mask)
    }

    @Test("a lock is a file of this program's: a link, another file and a pipe of its name are refused and untouched")
    func locks() throws {
        let place = files["w"]
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for make in [
            { try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "../a.csv") },
            { try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "../new") },
            { try InputFixtures.write("notes", to: $0) }, { mkfifo($0, 0o644) },
        ] as [(String) throws -> Void] {
            try make(place + "/run.lock")
            #expect(InputFixtures.failure { _ = try WorkLock(folder: place) }?.status == .inputOutput)
            #expect(unlink(place + "/run.lock") == 0)
        }
        #expect(try files.text("a.csv") == table && !FileManager.default.fileExists(atPath: files["new"]))
        for _ in 0..<2 { _ = try WorkLock(folder: place) }
        #expect(try files.text("w/run.lock") == "\(getpid())")
    }

    @Test("names of one byte and of 255 bytes are written; of 256, refused; nothing is left beside them")
    func names() throws {
        let longest = String(repeating: "ä", count: 127) + "x"
        for name in ["x", longest] {
            try AtomicFile.write(table, to: files[name])
            #expect(try files.text(name) == table)
        }
        let failure = InputFixtures.failure { try AtomicFile.write(table, to: files[longest + "y"]) }
        #expect(failure?.status == .inputOutput)
        let left = try FileManager.default.contentsOfDirectory(atPath: files.path)
        #expect(Set(left) == ["a.csv", "x", longest])
    }

    @Test("folder and name of a path")
    func paths() {
        let parts = [
            ("a", ".", "a"), ("/", "/", ""), ("/a", "/", "a"), ("a/b", "a", "b"), ("/a/ä.csv", "/a", "ä.csv"),
            ("", ".", ""),
            ("a/", "a", ""),
        ]
        for (path, folder, name) in parts {
            #expect(folderName(path) == folder && fileName(path) == name, "\(path)")
        }
    }

    @Test("the nearest word is the one that was meant, and none where nothing is near")
    func nearest() {
        let words = ["score", "show", "audit", "blend", "reproduce"]
        #expect(nearestWord(to: "scroe", in: words) == "score")
        #expect(nearestWord(to: "audt", in: words) == "audit")
        #expect(nearestWord(to: "Blend", in: words) == "blend")
        #expect(nearestWord(to: "reproduction", in: words) == "reproduce")
        #expect(nearestWord(to: "xyz", in: words) == nil)
        #expect(nearestWord(to: "", in: words) == nil)
    }
}
