import Foundation
import Submit
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

@Suite struct RevisionTests {
    private struct Known: Decodable {
        let revision: Int
        let inputs: String
        let settings: String
        let hash: String
    }

    private func known() throws -> [String: Known] {
        let ledger = try JSON.decode([String: [String: Known]].self, file: "\(InputFixtures.golden)/revisions.json")
        return try #require(ledger["mini"])
    }

    @Test("a stage that gives another result for the same inputs and settings has a new revision")
    func revisions() throws {
        let record = try MiniRun.record(in: MiniRun.shared.get().path)
        let known = try known()
        #expect(Set(known.keys) == Set(record.stages.keys))
        for (name, stage) in record.stages {
            let before = try #require(known[name])
            guard before.inputs == stage.inputs && before.settings == stage.settings else {
                Issue.record("\(name): other inputs or settings than golden/revisions.json has: run golden/make.py")
                continue
            }
            #expect(
                before.revision == stage.revision,
                "\(name): has a new revision: run golden/make.py, and say in the commit what changed and why")
            #expect(
                before.hash == stage.hash || before.revision != stage.revision,
                "\(name): gives another result with the same revision: raise it in StageKind.swift")
        }
    }

    @Test("golden/revisions.json and golden/mini.json are of the same run, and have a stage of every kind")
    func kinds() throws {
        let golden = try #require(try Golden.builtIn(for: RecipeLibrary.recipe("mini")))
        #expect(try golden.stages == known().mapValues(\.hash))
        let kinds = Set(golden.stages.keys.map { String($0.prefix { $0 != "/" }) })
        #expect(kinds == Set(StageKind.allCases.map(\.rawValue)))
    }

    /// What a recipe says and no result depends on: its name and summary, and epochs after the one that predicts. The number of
    /// folds cannot be changed alone.
    private static let idle = ["name", "summary", "epochs", "count"]

    @Test("every value of a recipe, whatever keys there will be, is among the settings of some stage")
    func everyValue() throws {
        let recipe = try RecipeLibrary.recipe("mini")
        let whole = try JSONSerialization.jsonObject(with: Data(JSON.encode(recipe).utf8))
        let before = try settings(recipe)
        var tried = 0
        for (path, changed) in changes(of: whole) {
            // Names of backbones and blends are choices; blends' are tried.
            guard let key = path.last(where: { Int($0) == nil }),
                !Self.idle.contains(key) || path.count > 1 && key == "name",
                key != "backbone"
            else { continue }
            let data = try JSONSerialization.data(withJSONObject: changed)
            let other = try JSONDecoder().decode(Recipe.self, from: data)
            #expect(try settings(other) != before, "\(path.joined(separator: "."))")
            tried += 1
        }
        #expect(tried > 60)
    }

    /// A JSON value with each of its numbers, texts and truths changed in turn, and where that is.
    private func changes(of value: Any) -> [(path: [String], value: Any)] {
        switch value {
        case let object as [String: Any]:
            object.sorted { $0.key < $1.key }.flatMap { key, inner in
                changes(of: inner).map { change in
                    ([key] + change.path, object.merging([key: change.value]) { $1 } as Any)
                }
            }
        case let list as [Any]:
            list.enumerated().flatMap { index, inner in
                changes(of: inner).map { change in
                    var other = list
                    other[index] = change.value
                    return (["\(index)"] + change.path, other as Any)
                }
            }
        case let text as String: [([], text + "-other")]
        case let number as NSNumber:
            if String(cString: number.objCType) == "c" {
                [([], !number.boolValue)]
            } else if number.doubleValue == number.doubleValue.rounded() {
                [([], number.intValue + 1)]
            } else {
                [([], number.doubleValue * 0.99)]
            }
        default: []
        }
    }

    private func settings(_ recipe: Recipe) throws -> [String: String] {
        let reproduction = Reproduction(
            folder: WorkFolder(root: "nowhere"), recipe: recipe, options: .init(),
            progress: ProgressMeter(style: .quiet))
        return Dictionary(uniqueKeysWithValues: try reproduction.stages().map { ($0.name, $0.settings.sha256) })
    }
}
