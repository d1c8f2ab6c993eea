import Basics
import Foundation
import GRDB
import Inputs
import Metrics

/// A slice of the original's data set, as training and prediction need it.
public struct CatalogSlice: Sendable, Equatable {
    /// `ID_` and hexadecimal digits in the competition's data.
    public var id: String
    /// The DICOM file.
    public var path: String
    /// PatientID (0010,0020).
    public var patientID: String
    /// StudyInstanceUID (0020,000D).
    public var studyID: String
    /// SeriesInstanceUID (0020,000E).
    public var seriesID: String
    /// The types that the label file gives, in the order of its rows; of a slice that is listed twice, twice. Empty for test.
    public var labels: [HemorrhageType]
    /// Rank within the series divided by its number of slices: in (0, 1].
    public var positionOrd: Double
    /// Labels of the slice before within the study, joined with spaces; empty at the end.
    public var leftLabel: String
    /// Labels of the slice after, likewise.
    public var rightLabel: String
    /// nil for test.
    public var fold: Int?
}

/// The catalog of a competition folder: headers, statistics, labels, folds and what was left out, in one SQLite file.
///
/// ```swift
/// let catalog = try SliceCatalog(path: "work/catalog.sqlite")
/// let report = try catalog.build(CatalogSettings(input: try .locate(in: "work/inputs")))
/// let slices = try catalog.slices(in: .train)
/// ```
public final class SliceCatalog: Sendable {
    /// The SQLite file.
    public let path: String

    /// Names the file; it need not exist before ``build(_:progress:)``.
    public init(path: String) { self.path = path }

    /// Reads every slice and replaces the file when all is done.
    ///
    /// - Throws: see ``CatalogBuilder/build(progress:)``.
    @discardableResult
    package func build(
        _ settings: CatalogSettings, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> CatalogReport {
        try CatalogBuilder(settings: settings, path: path).build(progress: progress)
        return try report()
    }

    /// The slices of a split after the original's filter, sorted by ID.
    ///
    /// - Parameter root: the input folder, if it has moved since the catalog was made.
    public func slices(in split: Split, root: String? = nil) throws -> [CatalogSlice] {
        try read { database in
            let recorded = try CatalogSetting.fetchOne(database, key: "input")?.value ?? "."
            let folder = root ?? recorded
            let sql = """
                SELECT id, path, patientID, studyInstanceUID, seriesInstanceUID, labels, positionOrd, leftLabel, rightLabel, fold
                FROM slice WHERE split = ? AND isKept ORDER BY id
                """
            return try Row.fetchAll(database, sql: sql, arguments: [split]).map { row in
                let path: String = row[1]
                let labels: String = row[5]
                return CatalogSlice(
                    id: row[0], path: path.hasPrefix("/") ? path : folder + "/" + path, patientID: row[2],
                    studyID: row[3],
                    seriesID: row[4],
                    labels: labels.split(separator: " ").compactMap { HemorrhageType(rawValue: String($0)) },
                    positionOrd: row[6], leftLabel: row[7], rightLabel: row[8], fold: row[9])
            }
        }
    }

    /// Everything recorded of the slices of a split, those outside the filter too, sorted by ID.
    package func records(in split: Split) throws -> [SliceRecord] {
        var records: [SliceRecord] = []
        try forEachRecord(in: split) { records.append($0) }
        return records
    }

    /// The slice of an ID, which both splits have no more than one of; train goes before test.
    package func record(ofSlice id: String) throws -> SliceRecord? {
        try read {
            try SliceRecord.fetchOne(
                $0, sql: "SELECT * FROM slice WHERE id = ? AND split IN ('train', 'test') ORDER BY split DESC",
                arguments: [id])
        }
    }

    /// The slices of a study, those outside the filter too, in the order of series and position.
    package func records(ofStudy study: String) throws -> [SliceRecord] {
        let sql = "SELECT * FROM slice WHERE studyInstanceUID = ? ORDER BY seriesInstanceUID, position3, id"
        return try read { try SliceRecord.fetchAll($0, sql: sql, arguments: [study]) }
    }

    /// The patient of each slice of both splits, by the slice's ID.
    package func patients() throws -> [String: String] {
        try read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT id, patientID FROM slice")
            return Dictionary(rows.map { ($0[0], $0[1]) }) { first, _ in first }
        }
    }

    /// Where the catalog's slices lie, and whether their wrapped pixels are repaired.
    package func inputSettings() throws -> (root: String, repairsWrap: Bool) {
        try read { database in
            (
                root: try CatalogSetting.fetchOne(database, key: "input")?.value ?? ".",
                repairsWrap: try CatalogSetting.fetchOne(database, key: "repairsWrap")?.value == "true"
            )
        }
    }

    /// Passes the records of a split on one by one, so that memory does not grow with their number.
    private func forEachRecord(in split: Split, _ body: (SliceRecord) throws -> Void) throws {
        try read { database in
            let cursor = try SliceRecord.fetchCursor(
                database, sql: "SELECT * FROM slice WHERE split = ? ORDER BY id", arguments: [split])
            while let record = try cursor.next() { try body(record) }
        }
    }

    /// The same a thousand at a time.
    private func forEachBatch(of split: Split, _ body: ([SliceRecord]) throws -> Void) throws {
        var batch: [SliceRecord] = []
        try forEachRecord(in: split) { record in
            batch.append(record)
            guard batch.count == 1000 else { return }
            try body(batch)
            batch.removeAll(keepingCapacity: true)
        }
        try body(batch)
    }

    /// Every file and ID that was left out and why, by split and ID.
    package func skippedSlices() throws -> [SkippedSlice] {
        try read { try SkippedSlice.fetchAll($0, sql: "SELECT * FROM skipped ORDER BY split, id") }
    }

    package func report() throws -> CatalogReport { try read(CatalogReport.init) }

    /// Writes the data set of a split as the original's pickles hold it, as CSV: its columns in its order, floats as Python writes them.
    ///
    /// - Parameter append: gets the text in pieces of about a megabyte.
    package func writeCSV(of split: Split, _ append: (UnsafeRawBufferPointer) throws -> Void) throws {
        var text: [UInt8] = Array(
            "ID,labels,PatientID,WindowCenter,WindowWidth,RescaleIntercept,RescaleSlope,Position3,PositionOrd,LeftLabel,RightLabel"
                .utf8)
        text += Array(split == .train ? ",fold\n".utf8 : "\n".utf8)
        let sql = """
            SELECT id, labels, patientID, windowCenter, windowWidth, rescaleIntercept, rescaleSlope, position3, positionOrd,
            leftLabel, rightLabel, fold FROM slice WHERE split = ? AND isKept ORDER BY id
            """
        try read { database in
            let cursor = try Row.fetchCursor(database, sql: sql, arguments: [split])
            while let row = try cursor.next() {
                for column in 0..<(split == .train ? 12 : 11) {
                    if column > 0 { text.append(UInt8(ascii: ",")) }
                    switch row[column] as DatabaseValue {
                    case let value where value.isNull: break
                    case let value:
                        switch value.storage {
                        case .int64(let number): text += Array("\(number)".utf8)
                        case .double(let number): text += Array("\(number)".utf8)
                        case .string(let field): Self.append(field, to: &text)
                        case .blob, .null: break
                        }
                    }
                }
                text.append(UInt8(ascii: "\n"))
                guard text.count > 1 << 20 else { continue }
                try text.withUnsafeBytes(append)
                text.removeAll(keepingCapacity: true)
            }
        }
        try text.withUnsafeBytes(append)
    }

    /// A field, in quotes if it needs them.
    private static func append(_ field: String, to text: inout [UInt8]) {
        guard field.utf8.contains(where: { $0 == 44 || $0 == 34 || $0 == 10 || $0 == 13 }) else {
            return text.append(contentsOf: field.utf8)
        }
        text += Array(("\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\"").utf8)
    }

    /// A hash of all that the catalog says of slices and skipped files, and of nothing else: `docs/formats.md` specifies it.
    ///
    /// The same for any number of threads, folder and SQLite version, which the file's bytes are not.
    package func contentFingerprint() throws -> String {
        var hash = Digest.Stream()
        for split in Split.allCases {
            try forEachBatch(of: split) { records in
                // Making the forms takes longer than reading and hashing together; the order is that of the IDs all the same.
                for form in concurrentMap(records.count, { records[$0].canonicalForm }) { hash.update(form.bytes) }
            }
        }
        for skipped in try skippedSlices() {
            hash.update(CanonicalForm([skipped.split, skipped.id, skipped.reason]).bytes)
        }
        return hash.finish()
    }

    /// Runs a query; errors name the file and say what to do.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        guard access(path, R_OK) == 0 else {
            throw Failure(.inputMissing, "\(path): no catalog here. Make it with: repro catalog --input DIR --work DIR")
        }
        do {
            try bringUpToDate()
            var configuration = Configuration()
            configuration.readonly = true
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            return try queue.read(body)
        } catch let error as DatabaseError {
            throw Failure(
                .badInput,
                "\(path): not a catalog that can be read: \(error.message ?? "SQLite error"). Make it again: repro catalog."
            )
        }
    }

    /// Adds what a catalog of an older version lacks.
    private func bringUpToDate() throws {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let found = try queue.read { try CatalogSetting.fetchOne($0, key: "schema")?.value }
        try queue.close()
        guard let schema = found.flatMap({ Int($0) }), (1...CatalogSchema.version).contains(schema) else {
            throw Failure(
                .badInput,
                "\(path): the catalog's schema is \(found ?? "not named"), this program knows 1 to \(CatalogSchema.version). Use the newer program, or make the catalog again: repro catalog."
            )
        }
        guard schema < CatalogSchema.version else { return }
        try DatabaseQueue(path: path).write { try CatalogSchema.migrate($0, from: schema) }
    }
}
