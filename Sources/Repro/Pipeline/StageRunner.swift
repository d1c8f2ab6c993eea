import Basics
import Foundation

/// Runs the stages of a run in order, skipping those whose result is there and proven to be the right one.
///
/// A stage is skipped only if its inputs, settings and revision are those that `run.json` has for it and every output still
/// hashes to what was written. Anything else is said and the stage is made again.
package struct StageRunner {
    package let folder: String
    package let progress: ProgressMeter
    package let clock: @Sendable () -> Double

    package init(
        folder: String, progress: ProgressMeter, clock: @escaping @Sendable () -> Double = ProgressMeter.uptime
    ) {
        self.folder = folder
        self.progress = progress
        self.clock = clock
    }

    /// Brings every stage up to date and returns how each ended; `record` is saved after each one that was made.
    package func run(_ stages: [Stage], record: inout RunRecord) throws -> [StageOutcome] {
        var outcomes: [StageOutcome] = []
        let edited = Set(record.editedStages)
        for stage in stages {
            guard let inputs = record.inputsHash(of: stage.needs) else {
                throw Failure(.bug, "the stage \(stage.name) needs \(stage.needs), one of which has not run.")
            }
            let settings = stage.settings.sha256
            if let known = record.stages[stage.name] {
                let reason =
                    edited.contains(stage.name)
                    ? "its entry in run.json was edited"
                    : staleness(of: stage, known, inputs: inputs, settings: settings)
                guard let reason else {
                    outcomes.append(StageOutcome(stage, known, seconds: nil))
                    continue
                }
                progress.note("\(stage.name): \(reason); making it again")
            }
            try clear(stage, &record)
            let made = try make(stage, inputs: inputs, settings: settings, &record)
            outcomes.append(StageOutcome(stage, made, seconds: made.seconds))
        }
        return outcomes
    }

    /// Why a stage must be made again; nil if it need not be.
    private func staleness(
        of stage: Stage, _ record: RunRecord.StageRecord, inputs: String, settings: String
    ) -> String? {
        record.outdated(stage, inputs: inputs, settings: settings) ?? damage(to: stage, record)
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

    private func make(
        _ stage: Stage, inputs: String, settings: String, _ record: inout RunRecord
    ) throws -> RunRecord.StageRecord {
        progress.note(stage.name)
        let key = stage.key(inputs: inputs, settings: settings)
        let before = record.unfinished[stage.name].flatMap { $0.key == key ? $0 : nil }
        let sessions = (before?.sessions ?? 0) + 1
        record.unfinished[stage.name] = .init(key: key, seconds: before?.seconds ?? 0, sessions: sessions)
        try record.save(to: folder)
        var noted = record
        let session = StageSession(key: key, clock: clock) { seconds in
            noted.unfinished[stage.name]?.seconds = (before?.seconds ?? 0) + seconds
            // A note that cannot be written costs the note; a disk that is full is said where the result is written.
            try? noted.save(to: folder)
        }
        try stage.run(session)
        let outputs = try stage.outputs.map { output in
            RunRecord.Output(path: output.path, sha256: try output.hash("\(folder)/\(output.path)"))
        }
        let combined =
            outputs.count == 1
            ? outputs[0].sha256 : Digest.sha256(outputs.map { "\($0.sha256)  \($0.path)\n" }.joined())
        let made = RunRecord.StageRecord(
            needs: stage.needs, inputs: inputs, settings: settings, revision: stage.revision, program: programVersion,
            outputs: outputs, hash: try stage.contentHash?() ?? combined, labels: try stage.labels.map(labels),
            seconds: (before?.seconds ?? 0) + session.seconds, sessions: sessions)
        record.stages[stage.name] = made
        record.unfinished[stage.name] = nil
        try record.save(to: folder)
        record.chain()
        return made
    }

    private func labels(_ list: String) throws -> RunRecord.Labels {
        let text = try String(contentsOfFile: "\(folder)/\(list)", encoding: .utf8)
        return RunRecord.Labels(patients: text.split(separator: "\n").count, list: list)
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

extension Stage {
    /// Names the inputs, settings and revision that work on the stage is for.
    fileprivate func key(inputs: String, settings: String) -> String {
        CanonicalForm([name, inputs, settings, revision]).sha256
    }
}

extension RunRecord.StageRecord {
    /// Why a result that is whole is none of these inputs, settings and revision; nil if it is.
    fileprivate func outdated(_ stage: Stage, inputs: String, settings: String) -> String? {
        if revision != stage.revision {
            return "it is of revision \(revision), this program makes revision \(stage.revision)"
        }
        if self.settings != settings { return "its settings have changed" }
        if self.inputs != inputs { return "its inputs have changed" }
        return nil
    }
}

extension RunRecord {
    /// The stages whose work would be lost if a run made these: finished or begun for other inputs, settings or revisions, or
    /// resting on one that was. How long each was worked on comes with it.
    func outdated(among stages: [Stage]) -> [(name: String, reason: String, seconds: Double)] {
        var found: [(name: String, reason: String, seconds: Double)] = []
        for stage in stages {
            let settings = stage.settings.sha256
            let inputs = inputsHash(of: stage.needs)
            let outdated = stage.needs.first { need in found.contains { $0.name == need } }
            let (reason, seconds): (String?, Double)
            if let known = self.stages[stage.name] {
                reason = inputs.map { known.outdated(stage, inputs: $0, settings: settings) } ?? nil
                seconds = known.seconds
            } else if let begun = unfinished[stage.name] {
                let isSame = inputs.map { begun.key == stage.key(inputs: $0, settings: settings) } ?? true
                (reason, seconds) = (isSame ? nil : "it was begun with other settings or inputs", begun.seconds)
            } else {
                continue
            }
            guard let why = reason ?? outdated.map({ "it rests on \($0)" }) else { continue }
            found.append((stage.name, why, seconds))
        }
        return found
    }
}

extension StageOutcome {
    /// - Parameter seconds: nil if the stage was skipped.
    fileprivate init(_ stage: Stage, _ record: RunRecord.StageRecord, seconds: Double?) {
        self.init(name: stage.name, hash: record.hash, seconds: seconds, isTrained: stage.isTrained)
    }
}
