import Foundation
import Synchronization
import Testing

@testable import Repro
@testable import TestSupport

/// The training loop on a training whose state is a text of the steps that it has done.
@Suite struct PipelineCheckpointTests {
    private let work: TemporaryWork

    init() throws { work = try TemporaryWork() }

    private struct Killed: Error {}

    private var folder: String { work.path + "/fold0" }
    private func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

    /// Trains until the end, or dies before a step; returns the final state and how many steps this process did.
    private func train(key: String = "k", dyingAt death: Int = .max, interval: Double = 10) throws -> (
        state: String, steps: Int
    ) {
        var checkpoints = try CheckpointFolder(folder: folder, key: key)
        let newest = checkpoints.newest()
        var state = newest.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        var (now, done) = (newest?.steps ?? 0, 0)
        #expect(newest?.losses.losses ?? [] == (1..<(now + 1)).map { 1 / Double($0) })
        // A step takes a second: four make an epoch, so that its end is worth a checkpoint and nothing between.
        let clock = Mutex(0.0)
        let loop = TrainingLoop(
            stepsPerEpoch: 4, lastEpoch: 2, checkpointInterval: interval, clock: { clock.withLock { $0 } })
        try loop.run(
            after: newest?.losses ?? LossLog(), checkpoints: &checkpoints,
            step: {
                now += 1
                clock.withLock { $0 += 1 }
                guard now != death else { throw Killed() }
                done += 1
                state += "\(now),"
                return 1 / Double(now)
            }, snapshot: { Data(state.utf8) }, report: { _ in })
        return (state, done)
    }

    private let whole = (1...12).map { "\($0)," }.joined()

    @Test("a training that was killed before any step and run again ends in the same state", arguments: 1...12)
    func killed(step: Int) throws {
        #expect(throws: Killed.self) { try train(dyingAt: step) }
        let resumed = try train()
        #expect(resumed.state == whole)
        // It went on from the last whole epoch.
        #expect(resumed.steps == 12 - (step - 1) / 4 * 4)
    }

    @Test("checkpoints inside an epoch lose no step", arguments: 1...12)
    func midEpoch(step: Int) throws {
        #expect(throws: Killed.self) { try train(dyingAt: step, interval: 0) }
        let resumed = try train(interval: 0)
        #expect(resumed.state == whole)
        #expect(resumed.steps == 13 - step)
    }

    @Test("epochs too short to be worth a checkpoint leave none but the last")
    func shortEpochs() throws {
        #expect(throws: Killed.self) { try train(dyingAt: 12, interval: 1000) }
        #expect(try train(interval: 1000).steps == 12)
        #expect(try names() == ["checkpoints.json", "epoch2.safetensors", "losses.csv"])
    }

    @Test("only the checkpoint that predicts is left at the end")
    func cleanUp() throws {
        _ = try train(interval: 0)
        #expect(try names() == ["checkpoints.json", "epoch2.safetensors", "losses.csv"])
        #expect(try work.read("fold0/epoch2.safetensors") == whole)
    }

    @Test("a finished training that lost its record does no step again")
    func alreadyDone() throws {
        _ = try train()
        #expect(try train().steps == 0)
    }

    @Test("a damaged checkpoint is not gone on from")
    func damaged() throws {
        #expect(throws: Killed.self) { try train(dyingAt: 7) }
        try work.write("1,2,3,9,", to: "fold0/epoch0.safetensors")
        #expect(try train().state == whole)
    }

    @Test("the losses of a training that was killed before any step are those of one that was not", arguments: 1...12)
    func losses(step: Int) throws {
        for interval in [0.0, 10] {
            #expect(throws: Killed.self) { try train(key: "\(interval)", dyingAt: step, interval: interval) }
            _ = try train(key: "\(interval)", interval: interval)
            let lines = (1...12).map { "\($0),\(1 / Double($0))\n" }.joined()
            #expect(try work.read("fold0/losses.csv") == "step,loss\n" + lines)
        }
    }

    @Test("a checkpoint whose steps' losses were damaged is not gone on from")
    func damagedLosses() throws {
        for damage in ["", "step,loss\n1,1.0\n", "step,loss\n1,1.0\n2,0.25\n3,0.3333333333333333\n4,0.25\n"] {
            #expect(throws: Killed.self) { try train(key: damage, dyingAt: 7) }
            try work.write(damage, to: "fold0/losses.csv")
            #expect(try train(key: damage).steps == 12)
        }
    }

    @Test("checkpoints of other settings or inputs are not gone on from")
    func otherKey() throws {
        #expect(throws: Killed.self) { try train(dyingAt: 7) }
        #expect(try train(key: "other").steps == 12)
    }
}
