import Foundation
import Testing

@testable import Basics
@testable import Program
@testable import TestSupport

@Suite("Destinations of results")
struct DestinationTests {
    private let files: TableFolder
    private let table = "ID,Label\nID_a_any,0.5\n"

    init() throws { files = try TableFolder(["a.csv": table]) }

    private func destination(
        _ name: String, _ content: Destination.Content = .table, inputs: [String] = [], force: Bool = false
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

    @Test("a file of another kind is replaced by force only; one of the same kind, and an empty one, is replaced")
    func kinds() throws {
        let contents: [(name: String, bytes: [UInt8], content: Destination.Content?)] = [
            ("t.csv", Array("ID,fold\n".utf8), .table),
            ("w.safetensors", [2, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D], .weights),
            ("w.pt", [0x50, 0x4B, 3, 4, 20], .weights), ("old.pth", [0x80, 2, 0x8A], .weights),
            ("p.png", [0x89, 0x50, 0x4E, 0x47, 13], .picture), ("notes.md", Array("# Notes\nof, mine".utf8), nil),
            ("catalog.sqlite", Array("SQLite format 3\0,".utf8), nil), ("t.csv.gz", [0x1F, 0x8B, 8, 0], .table),
            ("t.gzip", [0x1F, 0x8B, 8, 0], nil),
        ]
        for (name, bytes, kind) in contents {
            try InputFixtures.write(bytes, to: files[name])
            for content in [Destination.Content.table, .weights, .picture] {
                let failure = InputFixtures.failure { _ = try destination(name, content) }
                #expect(failure?.status == (content == kind ? nil : .badUsage), "\(content) over \(name)")
                #expect(failure?.message.contains("--force") ?? true)
                _ = try destination(name, content, force: true)
            }
        }
        try InputFixtures.write([], to: files["empty"])
        for content in [Destination.Content.table, .weights, .picture] { _ = try destination("empty", content) }
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
            InputFixtures.failure { _ = try Destination("", .table, inputs: [], force: false) }?.status == .badUsage)
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
