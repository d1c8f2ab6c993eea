import Foundation
import Testing

@testable import TestSupport

@Suite("documented examples")
struct DocumentedExamplesTests {
    private let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs").standardizedFileURL

    @Test("the commands of docs/predictions.md print what the page shows")
    func predictions() throws {
        let page = try String(contentsOf: docs.appendingPathComponent("predictions.md"), encoding: .utf8)
        let examples = page.components(separatedBy: "```\n").filter { $0.hasPrefix("$ repro ") }
        #expect(examples.count == 10)
        let files = try TableFolder()
        let folder = files["examples"]
        try FileManager.default.copyItem(atPath: docs.appendingPathComponent("examples").path, toPath: folder)
        for example in examples {
            let lines = example.split(separator: "\n", maxSplits: 1).map(String.init)
            let arguments = lines[0].split(separator: " ").dropFirst(2).map(String.init)
            let run = try ProgramRun(arguments, in: folder)
            #expect(run.output + run.errors == lines[1], "\(lines[0])")
        }
    }
}
