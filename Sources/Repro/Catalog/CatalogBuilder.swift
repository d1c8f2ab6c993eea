import Foundation
import GRDB
import Metrics

/// What a catalog is made from and how.
struct CatalogSettings: Sendable, Equatable {
    var input: CompetitionFolder
    var folds = 5
    /// Seed of Python's generator in the original's `make_folds`.
    var foldSeed: UInt64 = 10
    /// Undo the wrap-around of 12-bit slices; the original does not.
    var repairsWrap = false
    /// Changes how long it takes and nothing else.
    var threads = 1
}

/// Reads every slice into a new database and runs the original's three preprocessing steps over it.
///
/// The database gets its name when it is complete, so that a catalog that exists is whole.
struct CatalogBuilder {
    let settings: CatalogSettings
    let path: String

    /// One file to read.
    private struct Task: Sendable {
        var split: Split
        var id: String
        var labels: String
        var isRepeated: Bool
    }

    /// What became of it.
    private enum Outcome: Sendable {
        case read(SliceRecord)
        case skipped(SkippedSlice)
    }

    /// - Parameter progress: called now and then with the number of slices done and of all.
    /// - Throws: ``Failure``: `inputMissing` without labels, `badInput` for a malformed label file or if no slice is left,
    ///   `inputOutput` if the database cannot be written. A slice that cannot be read is no error: it is recorded as skipped.
    func build(progress: (_ done: Int, _ all: Int) -> Void) throws {
        let temporary = path + ".tmp"
        try removeDatabase(temporary)
        do {
            let queue = try DatabaseQueue(path: temporary)
            // The file has another name until it is complete: what a crash leaves of it is thrown away.
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = OFF") }
            try queue.write { database in
                try CatalogSchema.create(in: database)
                try insertSettings(into: database)
            }
            try readSlices(into: queue, progress: progress)
            try queue.write { database in
                for split in Split.allCases { try preprocess(split, in: database) }
            }
            try queue.close()
        } catch let error as DatabaseError {
            try? removeDatabase(temporary)
            throw Failure(
                .inputOutput,
                "\(path): the catalog cannot be written: \(error.message ?? "SQLite error"). Is the disk full?")
        } catch {
            try? removeDatabase(temporary)
            throw error
        }
        try publish(temporary, as: path)
    }

    private func removeDatabase(_ path: String) throws {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            if unlink(path + suffix) != 0 && errno != ENOENT { throw systemFailure("replace", path + suffix) }
        }
    }

    private func insertSettings(into database: Database) throws {
        let values = [
            "schema": CatalogSchema.version, "program": programVersion, "input": settings.input.root,
            "folds": "\(settings.folds)", "foldSeed": "\(settings.foldSeed)", "repairsWrap": "\(settings.repairsWrap)",
            "stage": "\(settings.input.stage)",
        ]
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            try CatalogSetting(name: name, value: value).insert(database)
        }
    }

    private func folder(of split: Split) -> String? {
        split == .train ? settings.input.trainFolder : settings.input.testFolder
    }

    private func readSlices(into queue: DatabaseQueue, progress: (Int, Int) -> Void) throws {
        var tasks: [Task] = []
        for split in Split.allCases {
            let found = try listed(split)
            tasks += found.tasks
            try queue.write { database in
                for slice in found.withoutLabels { try slice.insert(database) }
            }
        }
        // Batches keep memory flat and each transaction short; the order is that of the IDs, whatever the threads do.
        for start in stride(from: 0, to: tasks.count, by: 256) {
            let batch = Array(tasks[start..<min(start + 256, tasks.count)])
            let outcomes = mapInParallel(count: batch.count, threads: settings.threads) { read(batch[$0]) }
            try queue.write { database in
                for outcome in outcomes {
                    switch outcome {
                    case .read(let record): try record.insert(database)
                    case .skipped(let slice): try slice.insert(database)
                    }
                }
            }
            progress(start + batch.count, tasks.count)
        }
    }

    /// The slices that the label file lists, sorted by ID, and the files that it does not list.
    private func listed(_ split: Split) throws -> (tasks: [Task], withoutLabels: [SkippedSlice]) {
        guard let folder = folder(of: split) else { return ([], []) }
        let files = try sliceIDs(in: folder)
        let table: LabelTable
        switch split {
        case .train:
            guard let path = settings.input.trainLabels else {
                throw Failure(
                    .inputMissing,
                    "\(settings.input.root)/stage_\(settings.input.stage)_train.csv: not there. It belongs to the competition's archive."
                )
            }
            table = try LabelTable.read(path, values: .binary)
        case .test:
            guard let path = settings.input.sampleSubmission else {
                // Without the list of test slices, those that are there are the list.
                return (files.map { Task(split: split, id: $0, labels: "", isRepeated: false) }, [])
            }
            table = try LabelTable.read(path, values: .numbers)
        }
        let repeated = Set(table.repeatedSlices)
        let tasks = zip(table.sliceIDs, table.labels).map { id, labels in
            Task(
                split: split, id: id, labels: labels.map(\.rawValue).joined(separator: " "),
                isRepeated: repeated.contains(id))
        }
        let known = Set(table.sliceIDs)
        let withoutLabels = files.filter { !known.contains($0) }.map { id in
            SkippedSlice(
                split: split, id: id, path: relative("\(folder)/\(id).dcm"), reason: SkippedSlice.noLabels,
                message:
                    "the label file has no rows for this slice; it is left out. Add its six rows or remove the file.")
        }
        return (tasks.sorted { $0.id < $1.id }, withoutLabels)
    }

    /// IDs of the `.dcm` files in a folder, sorted.
    private func sliceIDs(in folder: String) throws -> [String] {
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            return names.filter { $0.hasSuffix(".dcm") }.map { String($0.dropLast(4)) }.sorted()
        } catch {
            throw Failure(.inputOutput, "\(folder): cannot be listed: \(error.localizedDescription)")
        }
    }

    private func relative(_ path: String) -> String {
        path.hasPrefix(settings.input.root + "/") ? String(path.dropFirst(settings.input.root.count + 1)) : path
    }

    private func read(_ task: Task) -> Outcome {
        let path = "\(folder(of: task.split) ?? "")/\(task.id).dcm"
        func skipped(_ reason: String, _ message: String) -> Outcome {
            .skipped(
                SkippedSlice(split: task.split, id: task.id, path: relative(path), reason: reason, message: message))
        }
        guard access(path, F_OK) == 0 else {
            return skipped(
                SkippedSlice.noFile,
                "the label file lists this slice, but its file is not there. Unpack the archive again.")
        }
        do {
            let slice = try readSlice(at: path)
            return .read(
                SliceRecord(
                    split: task.split, id: task.id, path: relative(path), slice: slice, labels: task.labels,
                    isRepeated: task.isRepeated, repairsWrap: settings.repairsWrap))
        } catch {
            return skipped(error.kind.rawValue, error.detail)
        }
    }

    /// The original's `create_dataset`, and for train its `make_folds`.
    private func preprocess(_ split: Split, in database: Database) throws {
        let sql = """
            SELECT id, patientID, studyInstanceUID, seriesInstanceUID, position3, customSpread, labels
            FROM slice WHERE split = ? ORDER BY id
            """
        let facts = try Row.fetchAll(database, sql: sql, arguments: [split]).map { row in
            SliceFacts(
                id: row[0], patientID: row[1], studyInstanceUID: row[2], seriesInstanceUID: row[3], position: row[4],
                brainWindowSpread: row[5], labels: row[6])
        }
        let rows = OriginalDataset.rows(from: facts)
        let folds =
            split == .test
            ? [:]
            : OriginalDataset.folds(
                of: rows.map { ($0.facts.patientID, $0.facts.labels) }, count: settings.folds, seed: settings.foldSeed)
        let update = try database.makeStatement(
            sql: """
                UPDATE slice SET isKept = 1, positionOrd = ?, leftLabel = ?, rightLabel = ?, fold = ? WHERE split = ? AND id = ?
                """)
        for row in rows {
            try update.execute(arguments: [
                row.positionOrd, row.leftLabel, row.rightLabel, folds[row.facts.patientID], split, row.facts.id,
            ])
        }
    }
}
