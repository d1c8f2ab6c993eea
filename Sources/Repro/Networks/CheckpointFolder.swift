import Basics
import Foundation

/// The checkpoints of one training, of which an interrupted run goes on from the newest intact one.
///
/// `checkpoints.json` beside them says which training they belong to and each file's SHA-256. A file is written under a
/// name of its own, then entered there, and only then are older ones deleted: whenever the process dies, what the journal
/// names is either whole or recognised as not being so.
package struct CheckpointFolder {
    private struct Journal: Codable {
        /// Which inputs, settings and revision the checkpoints belong to.
        var key: String
        var files: [Entry] = []
    }

    private struct Entry: Codable {
        var name: String
        /// Optimisation steps done since the start of the training.
        var steps: Int
        var sha256: String
        /// SHA-256 of the text of the losses of these steps.
        var losses: String
    }

    package let folder: String
    private var journal: Journal
    private var journalPath: String { "\(folder)/checkpoints.json" }
    private var lossPath: String { "\(folder)/\(LossLog.fileName)" }

    /// - Parameter key: checkpoints of another training are deleted.
    package init(folder: String, key: String) throws {
        self.folder = folder
        journal = Journal(key: key)
        if let bytes = FileManager.default.contents(atPath: "\(folder)/checkpoints.json"),
            let found = try? JSONDecoder().decode(Journal.self, from: bytes), found.key == key
        {
            journal = found
        } else if FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.removeItem(atPath: folder)
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// The newest checkpoint that still hashes to what was written and whose steps' losses are there.
    package func newest() -> (steps: Int, bytes: Data, losses: LossLog)? {
        guard let text = try? String(contentsOfFile: lossPath, encoding: .utf8) else { return nil }
        for entry in journal.files.sorted(by: { $0.steps > $1.steps }) {
            guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(entry.name)"),
                Digest.sha256(bytes) == entry.sha256,
                let log = LossLog(first: entry.steps, of: text), Digest.sha256(log.text) == entry.losses
            else { continue }
            return (entry.steps, bytes, log)
        }
        return nil
    }

    /// Writes a checkpoint, after the losses of its steps, and then deletes the earlier ones.
    ///
    /// - Parameter log: the losses of all steps that the checkpoint has behind it.
    package mutating func save(_ bytes: Data, name: String, log: LossLog) throws {
        let losses = log.text
        try AtomicFile.write(losses, to: lossPath)
        try AtomicFile.write(bytes, to: "\(folder)/\(name)")
        journal.files.removeAll { $0.name == name }
        journal.files.append(
            Entry(name: name, steps: log.losses.count, sha256: Digest.sha256(bytes), losses: Digest.sha256(losses)))
        try keepOnly(name)
    }

    /// Whether there were checkpoints, of which ``newest()`` may find none whole.
    package var isBegun: Bool { !journal.files.isEmpty }

    /// Leaves the checkpoint that predicts and the losses of all steps, once the training is over.
    package mutating func finish(_ name: String, log: LossLog) throws {
        try AtomicFile.write(log.text, to: lossPath)
        try keepOnly(name)
    }

    /// Deletes every checkpoint but this one.
    private mutating func keepOnly(_ name: String) throws {
        let old = journal.files.filter { $0.name != name }
        journal.files.removeAll { $0.name != name }
        try AtomicFile.write(try JSON.encode(journal) + "\n", to: journalPath)
        for entry in old { try? FileManager.default.removeItem(atPath: "\(folder)/\(entry.name)") }
    }
}
