import Basics
import Foundation

/// What a work directory remembers of its run, in `run.json` (`docs/workdir.md`).
///
/// It is written whole after every stage, so a run that is killed at any moment loses at most the stage it was in.
package struct RunRecord: Sendable, Codable, Equatable {
    /// A file or folder that a stage wrote.
    package struct Output: Sendable, Codable, Equatable {
        /// Relative to the work directory.
        package var path: String
        /// SHA-256 of the file's bytes; of a folder, what the stage says its contents hash to.
        package var sha256: String
    }

    /// One finished stage.
    package struct StageRecord: Sendable, Codable, Equatable {
        /// The stages that this one read from.
        package var needs: [String]
        /// Hash over their names and hashes: ``RunRecord/inputsHash(of:)`` when it ran.
        package var inputs: String
        /// Hash of the settings that this stage obeys: its section of the recipe and what else decides its result.
        package var settings: String
        package var program: String
        package var outputs: [Output]
        /// The stage's hash: what golden files hold and later stages take as their input.
        package var hash: String
        /// How long it took when it was made.
        package var seconds: Double
    }

    /// Which layout of `run.json` this is.
    package var format = 1
    package var program: String
    package var recipe: Recipe
    package var machine: Machine
    package var threads: Int
    package var stages: [String: StageRecord] = [:]

    package static func path(in folder: String) -> String { "\(folder)/run.json" }

    /// Hash over the names and hashes of some stages; nil if one of them has not run.
    package func inputsHash(of needs: [String]) -> String? {
        var lines = ""
        for name in needs {
            guard let hash = stages[name]?.hash else { return nil }
            lines += "\(name) \(hash)\n"
        }
        return Digest.sha256(lines)
    }

    /// The record of an earlier run in `folder`, or nil if there is none.
    ///
    /// - Throws: ``Failure`` if the file is there but unreadable, because guessing would throw away finished work.
    package static func load(from folder: String) throws -> RunRecord? {
        let path = path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        do {
            let record = try JSON.decode(RunRecord.self, file: path)
            guard record.format == 1 else {
                throw Failure(.badInput, "\(path): is of format \(record.format), this program knows format 1.")
            }
            return record
        } catch let failure as Failure {
            throw Failure(
                failure.status,
                "\(failure.message) Use another --work directory, or delete this file: then every stage is made again.")
        }
    }

    package func save(to folder: String) throws {
        try AtomicFile.write(try JSON.encode(self) + "\n", to: Self.path(in: folder))
    }
}
