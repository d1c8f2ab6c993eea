import Foundation
import Submit
import Testing

@testable import Repro

@Suite struct ReproduceReadmeTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardizedFileURL.path

    @Test("the hashes in the README's closing table are the golden ones")
    func hashes() throws {
        let readme = try String(contentsOfFile: "\(root)/README.md", encoding: .utf8)
        let golden = try Golden.load("\(root)/golden/demo.json")
        let lines = readme.matches(of: #/ {4}(?<stage>\S+) +(?<hash>[0-9a-f]{12}) /#)
        #expect(lines.count >= 5)
        for line in lines {
            guard let expected = golden.stages[String(line.stage)] else { continue }
            #expect(expected.hasPrefix(line.hash), "\(line.stage)")
        }
    }

    @Test("the golden hashes built into the program are those of golden/demo.json")
    func builtInGolden() throws {
        let recipe = try RecipeLibrary.recipe("demo")
        #expect(try Golden.builtIn(for: recipe) == Golden.load("\(root)/golden/demo.json"))
    }

    @Test("every page that the README links to is there")
    func links() throws {
        let readme = try String(contentsOfFile: "\(root)/README.md", encoding: .utf8)
        for link in readme.matches(of: #/\]\((?<path>[a-z][^):]*)\)/#) {
            #expect(FileManager.default.fileExists(atPath: "\(root)/\(link.path)"), "\(link.path)")
        }
    }
}
