import Basics
import Foundation

/// Runs the stages of a run in order, skipping those whose result is there and proven to be the right one.
///
/// A stage is skipped only if its inputs, settings and program version hash to what `run.json` has for it and every
/// output still hashes to what was written. Anything else is said and the stage is made again.
package struct StageRunner {
    /// How one stage ended.
    package struct Outcome: Sendable, Equatable {
        package let name: String
        package let hash: String
        /// How long it took; nil if it was skipped.
        package let seconds: Double?
        package let isTrained: Bool
    }

    package let folder: String
    package let program: String
    package let progress: ProgressMeter
    package let clock: @Sendable () -> Double

    package init(
        folder: String, program: String = programVersion, progress: ProgressMeter,
        clock: @escaping @Sendable () -> Double = ProgressMeter.uptime
    ) {
        self.folder = folder
        self.program = program
        self.progress = progress
        self.clock = clock
    }

    /// Brings every stage up to date and returns how each ended; `record` is saved after each one that was made.
    package func run(_ stages: [Stage], record: inout RunRecord) throws -> [Outcome] {
        var outcomes: [Outcome] = []
        for stage in stages {
            guard let inputs = record.inputsHash(of: stage.needs) else {
                throw Failure(.bug, "the stage \(stage.name) needs \(stage.needs), one of which has not run.")
            }
            let settings = Digest.sha256(stage.settings)
            if let hash = try hashIfCurrent(stage, record.stages[stage.name], inputs: inputs, settings: settings) {
                outcomes.append(Outcome(name: stage.name, hash: hash, seconds: nil, isTrained: stage.isTrained))
                continue
            }
            try clear(stage, &record)
            let made = try make(stage, inputs: inputs, settings: settings)
            record.stages[stage.name] = made
            try record.save(to: folder)
            outcomes.append(
                Outcome(name: stage.name, hash: made.hash, seconds: made.seconds, isTrained: stage.isTrained))
        }
        return outcomes
    }

    /// The recorded hash of a stage that need not be made again, or nil after saying why it must be.
    private func hashIfCurrent(
        _ stage: Stage, _ record: RunRecord.StageRecord?, inputs: String, settings: String
    ) throws -> String? {
        guard let record else { return nil }
        let reason: String? =
            if record.program != program {
                "it was made by version \(record.program)"
            } else if record.settings != settings {
                "its settings have changed"
            } else if record.inputs != inputs {
                "its inputs have changed"
            } else {
                damage(to: stage, record)
            }
        guard let reason else { return record.hash }
        progress.note("\(stage.name): \(reason); making it again")
        return nil
    }

    private func damage(to stage: Stage, _ record: RunRecord.StageRecord) -> String? {
        guard record.outputs.map(\.path) == stage.outputs.map(\.path) else { return "its outputs have other names now" }
        for (output, recorded) in zip(stage.outputs, record.outputs) {
            let path = "\(folder)/\(output.path)"
            guard FileManager.default.fileExists(atPath: path) else { return "\(output.path) is gone" }
            // A file that cannot even be read as what it should be is damaged all the same.
            guard (try? output.hash(path)) == recorded.sha256 else {
                return "\(output.subject ?? output.path) is not what it was: damaged or changed"
            }
        }
        return nil
    }

    private func make(_ stage: Stage, inputs: String, settings: String) throws -> RunRecord.StageRecord {
        let begun = clock()
        progress.note(stage.name)
        try stage.run(Digest.sha256("\(stage.name)\n\(inputs)\n\(settings)\n\(program)\n"))
        let outputs = try stage.outputs.map { output in
            RunRecord.Output(path: output.path, sha256: try output.hash("\(folder)/\(output.path)"))
        }
        let combined =
            outputs.count == 1
            ? outputs[0].sha256 : Digest.sha256(outputs.map { "\($0.sha256)  \($0.path)\n" }.joined())
        return RunRecord.StageRecord(
            needs: stage.needs, inputs: inputs, settings: settings, program: program, outputs: outputs,
            hash: try stage.contentHash?() ?? combined, seconds: clock() - begun)
    }

    /// A stage that is made again starts from nothing, so that what was damaged or outdated cannot leak into it; only one
    /// that was interrupted may find what it left. The record goes first, so that a rebuild can be interrupted too.
    private func clear(_ stage: Stage, _ record: inout RunRecord) throws {
        let wasFinished = record.stages.removeValue(forKey: stage.name) != nil
        if wasFinished { try record.save(to: folder) }
        guard wasFinished ? !stage.repairs : !stage.resumes else { return }
        for output in stage.outputs {
            let path = "\(folder)/\(output.path)"
            guard FileManager.default.fileExists(atPath: path) else { continue }
            try FileManager.default.removeItem(atPath: path)
        }
    }
}
