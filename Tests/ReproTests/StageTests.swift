import Foundation
import Submit
import Synchronization
import Testing

@testable import Basics
@testable import Repro

/// A folder of its own for a test, gone when the test is.
final class TemporaryWork {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("repro-\(UUID().uuidString)").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func read(_ name: String) throws -> String { try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }
}

@Suite struct StageTests {
    private let work: TemporaryWork
    private let made = Made()

    init() throws { work = try TemporaryWork() }

    /// Which stages did their work, in order.
    private final class Made {
        var names: [String] = []
    }

    private struct Interrupted: Error {}

    /// Three stages, each of which writes its settings and what the one before it wrote: a, b that reads a, c that reads b.
    private func stages(_ settings: [String: String] = [:], failing: String? = nil) -> [Stage] {
        ["a", "b", "c"].enumerated().map { index, name in
            let before = index == 0 ? nil : ["a", "b"][index - 1]
            let (folder, made) = (work.path, made)
            return Stage(
                name: name, needs: before.map { [$0] } ?? [], settings: settings[name] ?? "",
                outputs: [.init(path: "\(name).txt")]
            ) { _ in
                if name == failing { throw Interrupted() }
                made.names.append(name)
                let input = try before.map { try String(contentsOfFile: "\(folder)/\($0).txt", encoding: .utf8) } ?? ""
                try AtomicFile.write("\(name) \(settings[name] ?? "") \(input)", to: "\(folder)/\(name).txt")
            }
        }
    }

    private func record() throws -> RunRecord {
        try RunRecord.load(from: work.path)
            ?? RunRecord(program: "1", recipe: RecipeLibrary.recipe("demo"), machine: .current, threads: 1)
    }

    /// Runs the stages as a new process would: from what is in the folder.
    @discardableResult private func run(_ stages: [Stage], program: String = "1") throws -> [StageRunner.Outcome] {
        made.names = []
        var record = try record()
        return try StageRunner(folder: work.path, program: program, progress: ProgressMeter(style: .quiet)).run(
            stages, record: &record)
    }

    @Test("a second run skips every stage and gives the same hashes")
    func secondRunSkips() throws {
        let first = try run(stages())
        #expect(made.names == ["a", "b", "c"])
        let second = try run(stages())
        #expect(made.names == [])
        #expect(second.allSatisfy { $0.seconds == nil })
        #expect(first.map(\.hash) == second.map(\.hash))
    }

    @Test("changed settings make their stage and what depends on it again, and nothing else")
    func changedSettings() throws {
        try run(stages())
        try run(stages(["b": "new"]))
        #expect(made.names == ["b", "c"])
    }

    @Test("a stage that is made again with the same result leaves later stages alone")
    func sameResult() throws {
        try run(stages())
        try work.write("damaged", to: "a.txt")
        try run(stages())
        #expect(made.names == ["a"])
    }

    @Test("another program version makes everything again")
    func otherProgram() throws {
        try run(stages())
        try run(stages(), program: "2")
        #expect(made.names == ["a", "b", "c"])
    }

    @Test("a damaged, truncated or deleted output is noticed, said and made again")
    func damage() throws {
        let hashes = try run(stages()).map(\.hash)
        let damages: [() throws -> Void] = [
            { try self.work.write("x", to: "b.txt") }, { try self.work.write("", to: "b.txt") },
            { try FileManager.default.removeItem(atPath: self.work.path + "/b.txt") },
        ]
        for damage in damages {
            try damage()
            let log = Mutex("")
            let progress = ProgressMeter(style: .lines, write: { text in log.withLock { $0 += text } })
            made.names = []
            var record = try record()
            let outcomes = try StageRunner(folder: work.path, program: "1", progress: progress).run(
                stages(), record: &record)
            #expect(made.names == ["b"])
            #expect(outcomes.map(\.hash) == hashes)
            #expect(log.withLock { $0 }.contains("b.txt"))
        }
    }

    @Test("a run that ends in a stage goes on with that stage, whichever it is", arguments: ["a", "b", "c"])
    func interrupted(stage: String) throws {
        #expect(throws: Interrupted.self) { try run(stages(failing: stage)) }
        let outcomes = try run(stages())
        #expect(made.names == Array(["a", "b", "c"].drop { $0 != stage }))
        #expect(outcomes.map(\.name) == ["a", "b", "c"])
    }

    @Test("what an interrupted stage left is removed, unless the stage can go on from it")
    func leftovers() throws {
        for resumes in [false, true] {
            try work.write("left", to: "d.txt")
            let seen = Made()
            var stage = Stage(name: "d-\(resumes)", needs: [], settings: "", outputs: [.init(path: "d.txt")]) {
                [work] _ in
                seen.names = FileManager.default.fileExists(atPath: work.path + "/d.txt") ? ["left"] : []
                try work.write("whole", to: "d.txt")
            }
            stage.resumes = resumes
            try run([stage])
            #expect(seen.names == (resumes ? ["left"] : []))
        }
    }

    @Test("a stage's golden hash may be that of its content rather than its bytes")
    func contentHash() throws {
        var stage = Stage(name: "e", needs: [], settings: "", outputs: [.init(path: "e.txt")]) { [work] _ in
            try work.write("bytes", to: "e.txt")
        }
        stage.contentHash = { "content" }
        #expect(try run([stage]).map(\.hash) == ["content"])
    }

    @Test("run.json is whole at any moment and an unreadable one is not thrown away silently")
    func unreadableRecord() throws {
        try run(stages())
        let text = try work.read("run.json")
        #expect(text.hasSuffix("}\n"))
        try work.write(String(text.dropLast(100)), to: "run.json")
        let failure = try #require(throws: Failure.self) { try RunRecord.load(from: work.path) }
        #expect(failure.status == .badInput)
        #expect(failure.message.contains("run.json"))
    }

    @Test("a second run in the same work directory is refused while the first one lives")
    func lock() throws {
        try withExtendedLifetime(WorkLock(folder: work.path)) { _ in
            let failure = try #require(throws: Failure.self) { try WorkLock(folder: work.path, patience: 0.1) }
            #expect(failure.message.contains("another run is working here (process \(getpid()))"))
        }
        _ = try WorkLock(folder: work.path)
    }

    @Test("trained stages are compared with the golden hashes only for exact arithmetic")
    func golden() {
        let golden = Golden(about: "", stages: ["a": "1", "b": "2"])
        func verdict(_ name: String, _ hash: String, trained: Bool = false, exact: Bool = true) -> GoldenVerdict {
            golden.verdict(on: .init(name: name, hash: hash, seconds: nil, isTrained: trained), exactMath: exact)
        }
        #expect(verdict("a", "1") == .same)
        #expect(verdict("a", "2") == .differs)
        #expect(verdict("c", "1") == .unknown)
        #expect(verdict("b", "1", trained: true, exact: false) == .notCompared)
        #expect(verdict("b", "1", trained: true) == .differs)
    }
}
