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

    /// The patients whose labels a stage learned from.
    package struct Labels: Sendable, Codable, Equatable {
        package var patients: Int
        /// The output that lists them, a PatientID a line, sorted by their bytes; its hash is among the outputs'.
        package var list: String
    }

    /// One finished stage.
    package struct StageRecord: Sendable, Codable, Equatable {
        /// The stages that this one read from.
        package var needs: [String]
        /// Hash over their names and hashes: ``RunRecord/inputsHash(of:)`` when it ran.
        package var inputs: String
        /// Hash of the settings that this stage obeys: its section of the recipe and what else decides its result.
        package var settings: String
        /// The revision of the code that decides the result (``StageKind/revision``).
        package var revision: Int
        /// The version of the program that made it; decides nothing.
        package var program: String
        package var outputs: [Output]
        /// The stage's hash: what golden files hold and later stages take as their input.
        package var hash: String
        /// nil for a stage that learns nothing from labels.
        package var labels: Labels?
        /// How long it was worked on, over all sessions.
        package var seconds: Double
        /// How often it was begun or gone on with.
        package var sessions: Int
        /// The hash that chains this entry to those of the stages that it needs (``RunRecord/entryHash(of:)``).
        package var entry = ""
    }

    /// A stage that was begun and is not finished.
    package struct Unfinished: Sendable, Codable, Equatable {
        /// Which inputs, settings and revision the work was for.
        package var key: String
        package var seconds: Double
        package var sessions: Int
    }

    /// Which layout of `run.json` this is.
    package static let currentFormat = 2
    package var format = RunRecord.currentFormat
    /// The version of the program that ran last.
    package var program: String
    package var recipe: Recipe
    package var machine: Machine
    package var threads: Int
    package var stages: [String: StageRecord] = [:]
    package var unfinished: [String: Unfinished] = [:]
    /// The hash over the recipe and all entries: whoever kept it elsewhere sees every later edit of the record.
    package private(set) var root = ""

    package init(program: String, recipe: Recipe, machine: Machine, threads: Int) {
        self.program = program
        self.recipe = recipe
        self.machine = machine
        self.threads = threads
    }

    package static let fileName = "run.json"
    package static func path(in folder: String) -> String { "\(folder)/\(fileName)" }

    /// Hash over the names and hashes of some stages; nil if one of them has not run.
    package func inputsHash(of needs: [String]) -> String? {
        var lines = ""
        for name in needs {
            guard let hash = stages[name]?.hash else { return nil }
            lines += "\(name) \(hash)\n"
        }
        return Digest.sha256(lines)
    }

    package func save(to folder: String) throws {
        var record = self
        record.chain()
        try AtomicFile.write(try JSON.encode(record, keys: .snakeCase) + "\n", to: Self.path(in: folder))
    }
}

extension RunRecord {
    /// Gives every entry and the whole record the hashes that chain them.
    package mutating func chain() {
        let entries = entryHashes()
        for name in stages.keys { stages[name]?.entry = entries[name] ?? "" }
        root = rootHash(of: entries)
    }

    /// The stages whose entries are not what they hash to, in ascending order: somebody has edited the record.
    package var editedStages: [String] {
        let entries = entryHashes()
        return stages.filter { $0.value.entry != entries[$0.key] }.map(\.key).sorted()
    }

    /// Whether the root hash is that of the entries.
    package var hasIntactRoot: Bool { root == rootHash(of: entryHashes()) }

    private func rootHash(of entries: [String: String]) -> String {
        let recipe = (try? JSON.encode(recipe, keys: .snakeCase, indented: false)) ?? ""
        return CanonicalForm(
            [recipe] + entries.sorted { bytesPrecede($0.key, $1.key) }.flatMap { [$0.key, $0.value] }
        ).sha256
    }

    /// The hash of each entry: over all that the entry claims of its result, and over the entries of the stages that it needs.
    ///
    /// Times, machine and program are not claims and are left out. `docs/workdir.md` has the order of the values.
    private func entryHashes() -> [String: String] {
        var known: [String: String] = [:]
        func hash(of name: String, below: Set<String>) -> String {
            if let hash = known[name] { return hash }
            // A record that somebody has edited may name stages that it does not have, or go round in a circle.
            guard let stage = stages[name], !below.contains(name) else { return "" }
            let needs = stage.needs.map { CanonicalList([$0, hash(of: $0, below: below.union([name]))]) }
            let hash = CanonicalForm([
                name, needs, stage.inputs, stage.settings, stage.revision,
                stage.outputs.map { CanonicalList([$0.path, $0.sha256]) }, stage.hash,
                stage.labels.map { CanonicalList([$0.patients, $0.list]) },
            ]).sha256
            known[name] = hash
            return hash
        }
        for name in stages.keys { _ = hash(of: name, below: []) }
        return known
    }
}

extension RunRecord {
    /// What every format has in common.
    private struct Header: Decodable {
        var format: Int
    }

    /// The record of an earlier run in `folder`, or nil if there is none.
    ///
    /// - Throws: ``Failure`` if the file is there but unreadable or of another format, because guessing would throw away
    ///   finished work.
    package static func load(from folder: String) throws -> RunRecord? {
        let path = path(in: folder)
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let remedy = "Use another --work directory, or delete this file: then every stage is made again."
        do {
            let found = try JSON.decode(Header.self, file: path).format
            guard found == currentFormat else {
                let maker = found == 1 ? " (of repro 0.1)" : ""
                throw Failure(
                    .badInput,
                    "\(path): is of format \(found)\(maker), this program knows format \(currentFormat)."
                )
            }
            return try JSON.decode(RunRecord.self, file: path, keys: .snakeCase)
        } catch let failure as Failure {
            throw Failure(failure.status, "\(failure.message) \(remedy)")
        }
    }
}
