import Foundation
import Submit
import Synchronization
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

@Suite struct StageTests {
    private let work: TemporaryWork
    private let made = Made()
    private let clock = Clock()

    /// Seconds, which only stages make pass.
    private final class Clock: Sendable {
        private let seconds = Mutex(0.0)
        func withLock<Result>(_ body: (inout sending Double) -> sending Result) -> sending Result {
            seconds.withLock(body)
        }
    }

    init() throws { work = try TemporaryWork() }

    /// Which stages did their work, in order.
    private final class Made {
        var names: [String] = []
    }

    private struct Interrupted: Error {}

    /// Three stages, each of which writes its settings and what the one before it wrote: a, b that reads a, c that reads b.
    private func stages(
        _ settings: [String: String] = [:], failing: String? = nil, revisions: [String: Int] = [:]
    ) -> [Stage] {
        ["a", "b", "c"].enumerated().map { index, name in
            let before = index == 0 ? nil : ["a", "b"][index - 1]
            let (folder, made, clock) = (work.path, made, clock)
            var stage = Stage(
                .score, name: name, needs: before.map { ["score/\($0)"] } ?? [], settings: [settings[name] ?? ""],
                outputs: [.init(path: "\(name).txt")]
            ) { session in
                // An hour in two pieces.
                for _ in 0..<2 {
                    clock.withLock { $0 += 1800 }
                    session.goesOn()
                    if name == failing { throw Interrupted() }
                }
                made.names.append(name)
                let input = try before.map { try String(contentsOfFile: "\(folder)/\($0).txt", encoding: .utf8) } ?? ""
                try AtomicFile.write("\(name) \(settings[name] ?? "") \(input)", to: "\(folder)/\(name).txt")
            }
            if let revision = revisions[name] { stage.revision = revision }
            return stage
        }
    }

    private func record() throws -> RunRecord {
        try RunRecord.load(from: work.path)
            ?? RunRecord(program: "1", recipe: RecipeLibrary.recipe("demo"), machine: .current, threads: 1)
    }

    /// Runs the stages as a new process would: from what is in the folder.
    @discardableResult private func run(
        _ stages: [Stage], progress: ProgressMeter = ProgressMeter(style: .quiet)
    ) throws -> [StageOutcome] {
        made.names = []
        var record = try record()
        let clock = clock
        return try StageRunner(folder: work.path, progress: progress, clock: { clock.withLock { $0 } }).run(
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

    @Test("another version of the program makes nothing again")
    func otherProgram() throws {
        try run(stages())
        var record = try record()
        record.program = "0.0.1"
        for name in record.stages.keys { record.stages[name]?.program = "0.0.1" }
        try record.save(to: work.path)
        try run(stages())
        #expect(made.names == [])
    }

    @Test("a new revision makes its stage again, and what depends on it only if the result changes")
    func newRevision() throws {
        try run(stages())
        try run(stages(revisions: ["b": 2]))
        #expect(made.names == ["b"])
        #expect(try record().stages["score/b"]?.revision == 2)
        try run(stages(["b": "other"], revisions: ["b": 3]))
        #expect(made.names == ["b", "c"])
    }

    @Test("an entry that was edited makes its stage again")
    func edited() throws {
        try run(stages())
        let hash = try #require(try record().stages["score/b"]?.hash)
        // The stage's hash stands in its outputs too: all of them are changed, as a forger would.
        try work.write(
            try work.read("run.json").replacingOccurrences(of: hash, with: Digest.sha256("x")), to: "run.json")
        try work.write("x", to: "b.txt")
        #expect(try record().editedStages.first == "score/b")
        #expect(try run(stages())[1].hash == hash)
        #expect(try record().editedStages == [])
    }

    @Test("the seconds of a stage are those of all its sessions")
    func sessions() throws {
        #expect(throws: Interrupted.self) { try run(stages(failing: "b")) }
        #expect(throws: Interrupted.self) { try run(stages(failing: "b")) }
        #expect(try record().unfinished["score/b"]?.seconds == 3600)
        try run(stages())
        let record = try record()
        #expect(record.stages["score/a"]?.seconds == 3600 && record.stages["score/a"]?.sessions == 1)
        #expect(record.stages["score/b"]?.seconds == 7200 && record.stages["score/b"]?.sessions == 3)
        #expect(record.unfinished.isEmpty)
        // What was interrupted with other settings does not count.
        #expect(throws: Interrupted.self) { try run(stages(["b": "other"], failing: "b")) }
        try run(stages(["b": "third"]))
        #expect(try self.record().stages["score/b"]?.seconds == 3600)
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
            let outcomes = try run(stages(), progress: progress)
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
        #expect(outcomes.map(\.name) == ["score/a", "score/b", "score/c"])
    }

    @Test("what an interrupted stage left is removed, unless the stage can go on from it")
    func leftovers() throws {
        for resumes in [false, true] {
            try work.write("left", to: "d.txt")
            let seen = Made()
            var stage = Stage(.score, name: "d-\(resumes)", needs: [], outputs: [.init(path: "d.txt")]) {
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
        var stage = Stage(.score, name: "e", needs: [], outputs: [.init(path: "e.txt")]) { [work] _ in
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

    @Test("a record of format 1 is refused by name, before anything is touched")
    func formerFormat() throws {
        try work.write("{\"format\": 1, \"program\": \"0.1.0\", \"stages\": {}}", to: "run.json")
        let failure = try #require(throws: Failure.self) { try run(stages()) }
        #expect(failure.status == .badInput)
        #expect(failure.message.contains("run.json: is of format 1 (of repro 0.1), this program knows format 2"))
        #expect(made.names == [])
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
