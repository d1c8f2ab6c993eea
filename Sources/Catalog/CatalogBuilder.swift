import Basics
import CDICOM
import Foundation
import Inputs
import Metrics

/// What a catalog is made from and how.
public struct CatalogSettings: Sendable, Equatable {
    /// Where slices and labels lie.
    public var input: CompetitionFolder
    /// Folds that the train patients are dealt to.
    public var folds = 5
    /// Seed of Python's generator in the original's `make_folds`.
    public var foldSeed: UInt64 = 10
    /// Undo the wrap-around of 12-bit slices; the original does not.
    public var repairsWrap = false
    /// Changes how long it takes and nothing else.
    public var threads = 1

    /// Makes settings; the folds are the original's if not said otherwise.
    public init(
        input: CompetitionFolder, folds: Int = 5, foldSeed: UInt64 = 10, repairsWrap: Bool = false, threads: Int = 1
    ) {
        self.input = input
        self.folds = folds
        self.foldSeed = foldSeed
        self.repairsWrap = repairsWrap
        self.threads = threads
    }
}

/// Reads every slice into a new database and runs the original's three preprocessing steps over it.
///
/// The database gets its name when it is complete, so that a catalog that exists is whole. Until then it is `….partial`, which the
/// next run with the same settings and tables goes on with: slices whose files have not changed are not read again.
package struct CatalogBuilder {
    package let settings: CatalogSettings
    package let path: String

    /// The revision of what a catalog says of the same input and settings; raise it when that changes.
    package static let revision = 1

    /// Slices that are read and then written in one transaction: a kill may cost two such batches.
    private static let batch = 256

    /// What became of a file.
    private enum Outcome: Sendable {
        case read(SliceRecord, [SliceQuirk])
        case skipped(SkippedSlice)
    }

    /// - Parameters:
    ///   - note: gets a line on what is passed over.
    ///   - progress: called now and then with the number of slices done and of all.
    /// - Throws: `TableError` for a malformed label file; ``Failure``: `badUsage` if a file that is there is no catalog, `inputMissing` without labels, `badInput` if no slice is left,
    ///   `inputOutput` if the database cannot be written. A slice that cannot be read is no error: it is recorded as skipped.
    package func build(note: (String) -> Void = { _ in }, progress: (_ done: Int, _ all: Int) -> Void) throws {
        dicom_keep_memory()
        do {
            for file in [path, path + ".partial"] { try CatalogSchema.checkIsOwn(file) }
        } catch let error as DatabaseError { throw failure(error) }
        let list = try SliceList(settings.input)
        list.passedOver.text.map(note)
        do {
            let partial = try PartialCatalog(path: path + ".partial")
            try partial.begin(settings: settingRows(list))
            try partial.insert(list.withoutLabels)
            try readSlices(list, into: partial, progress: progress)
            try partial.write { database in
                for split in Split.allCases { try preprocess(split, in: database) }
                try CatalogSchema.complete(in: database)
            }
            try partial.finish(as: path)
        } catch let error as DatabaseError {
            throw failure(error)
        }
    }

    private func failure(_ error: DatabaseError) -> Failure {
        Failure(.inputOutput, "\(path): the catalog cannot be written: \(error.message). \(error.remedy)")
    }

    /// What the catalog says of itself; a partial one with other values than these, but for `program`, is
    /// thrown away.
    package func settingRows(_ list: SliceList) -> [CatalogSetting] {
        let values = [
            "schema": "1", "revision": "\(Self.revision)", "program": programVersion, "input": settings.input.root,
            "folds": "\(settings.folds)", "foldSeed": "\(settings.foldSeed)", "repairsWrap": "\(settings.repairsWrap)",
            "stage": "\(settings.input.stage)", "tables": list.tablesHash,
        ]
        return values.sorted { $0.key < $1.key }.map { CatalogSetting(name: $0.key, value: $0.value) }
    }

    /// A batch of slices that are being read.
    private struct Reading {
        var files: [PartialCatalog.File]
        /// Slices of the list that are done with this batch.
        var end: Int
        var outcomes: Background<[Outcome]>
    }

    private func readSlices(_ list: SliceList, into partial: PartialCatalog, progress: (Int, Int) -> Void) throws {
        // Batches keep memory flat and each transaction short; the order is that of the IDs, whatever the threads do. One is
        // recorded while the next one is read.
        var current: Reading?
        func record(_ reading: Reading) throws {
            try self.record(reading, in: partial)
            progress(reading.end, list.slices.count)
        }
        for start in stride(from: 0, to: list.slices.count, by: Self.batch) {
            let end = min(start + Self.batch, list.slices.count)
            let files = try partial.unread(list.slices[start..<end], list)
            let before = current
            _ = before?.outcomes.value()
            current = Reading(files: files, end: end, outcomes: Background { read(files, list) })
            if let before { try record(before) }
        }
        if let current { try record(current) }
    }

    private func record(_ reading: Reading, in partial: PartialCatalog) throws {
        let outcomes = reading.outcomes.value()
        try partial.write { database in
            for (file, outcome) in zip(reading.files, outcomes) {
                switch outcome {
                case .read(let record, let quirks):
                    try partial.insert(record, quirks: quirks, in: database)
                    try partial.note(file, wasRead: true, in: database)
                case .skipped(let slice):
                    try slice.insert(into: database)
                    try partial.note(file, wasRead: false, in: database)
                }
            }
        }
    }

    private func read(_ files: [PartialCatalog.File], _ list: SliceList) -> [Outcome] {
        // Two at a time, whose images are hashed at once.
        let pairs = concurrentMap((files.count + 1) / 2, threads: settings.threads) { pair in
            let measured = files[(2 * pair)..<min(2 * pair + 2, files.count)].map { measure($0, list) }
            return zip(measured, Digest.sha256(ofEach: measured.map(\.image))).map { measured, hash -> Outcome in
                guard case .read(var record, let quirks) = measured.outcome else { return measured.outcome }
                record.hounsfieldSHA256 = hash
                return .read(record, quirks)
            }
        }
        return pairs.flatMap { $0 }
    }

    /// Reads a slice; its image, empty for one that is skipped, is still to be hashed.
    private func measure(_ file: PartialCatalog.File, _ list: SliceList) -> (outcome: Outcome, image: [Int16]) {
        let listed = file.slice
        let path = list.path(of: listed)
        func skipped(_ reason: String, _ message: String) -> (Outcome, [Int16]) {
            let slice = SkippedSlice(
                split: listed.split, id: listed.id, path: list.relative(path), reason: reason, message: message)
            return (.skipped(slice), [])
        }
        guard file.facts != nil || access(path, F_OK) == 0 else {
            return skipped(
                SkippedSlice.noFile,
                "the label file lists this slice, but its file is not there. Unpack the archive again.")
        }
        do {
            return try readSlice(at: path) { header, pixels in
                let measured = SliceMeasurement(of: pixels, header: header, repairsWrap: settings.repairsWrap)
                let record = SliceRecord(
                    split: listed.split, id: listed.id, path: list.relative(path), header: header,
                    measured: measured, labels: listed.labels, isRepeated: listed.isRepeated)
                return (.read(record, header.quirks), measured.hounsfield)
            }
        } catch {
            return skipped(error.kind.rawValue, error.detail)
        }
    }

    /// The original's `create_dataset`, and for train its `make_folds`.
    private func preprocess(_ split: Split, in database: Database) throws {
        let kept = try keptSlices(of: split, in: database)
        let places = OriginalDataset.places(of: kept)
        let folds =
            split == .test
            ? [:]
            : OriginalDataset.folds(
                of: kept.lazy.map { (patientID: $0.patientID, labels: $0.labels) }, count: settings.folds,
                seed: settings.foldSeed)
        let update = """
            UPDATE slice SET isKept = 1, positionOrd = ?, leftLabel = ?, rightLabel = ?, fold = ? WHERE split = ? AND id = ?
            """
        for (slice, place) in zip(kept, places) {
            let left = place.left.map { kept[$0].labels } ?? ""
            let right = place.right.map { kept[$0].labels } ?? ""
            try database.execute(
                update, [place.positionOrd, left, right, folds[slice.patientID], split, slice.id])
        }
    }

    /// Slices that pass the original's filter, by ID: about 100 bytes each, so that all of the competition's fit.
    private func keptSlices(of split: Split, in database: Database) throws -> [SliceFacts] {
        let sql = """
            SELECT id, patientID, studyInstanceUID, seriesInstanceUID, position3, customSpread, labels
            FROM slice WHERE split = ? AND customSpread > ? ORDER BY id
            """
        return try database.rows(sql, [split, OriginalDataset.smallestSpread]) { row in
            SliceFacts(
                id: try row[0], patientID: try row[1], studyInstanceUID: try row[2], seriesInstanceUID: try row[3],
                position: try row[4], brainWindowSpread: try row[5], labels: try row[6])
        }
    }
}
