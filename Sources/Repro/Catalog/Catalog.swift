import Crypto
import Foundation
import GRDB
import Metrics

/// A slice of the original's data set, as training and prediction need it.
struct CatalogSlice: Sendable, Equatable {
    var id: String
    /// The DICOM file.
    var path: String
    var patientID: String
    var studyID: String
    var seriesID: String
    /// The types that the label file gives, in the order of its rows; of a slice that is listed twice, twice. Empty for test.
    var labels: [HemorrhageType]
    /// Rank within the series divided by its number of slices: in (0, 1].
    var positionOrd: Double
    /// Labels of the neighbours within the study, joined with spaces; empty at the ends.
    var leftLabel: String
    var rightLabel: String
    /// nil for test.
    var fold: Int?
}

/// The catalog of a competition folder: headers, statistics, labels, folds and what was left out, in one SQLite file.
///
/// ```swift
/// let catalog = try Catalog(path: "work/catalog.sqlite")
/// let report = try catalog.build(CatalogSettings(input: try .locate(in: "work/inputs")))
/// let slices = try catalog.slices(in: .train)
/// ```
final class Catalog: Sendable {
    let path: String

    /// Names the file; it need not exist before ``build(_:progress:)``.
    init(path: String) { self.path = path }

    /// Reads every slice and replaces the file when all is done.
    ///
    /// - Throws: see ``CatalogBuilder/build(progress:)``.
    @discardableResult
    func build(
        _ settings: CatalogSettings, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> CatalogReport {
        try CatalogBuilder(settings: settings, path: path).build(progress: progress)
        return try report()
    }

    /// The slices of a split after the original's filter, sorted by ID.
    ///
    /// - Parameter root: the input folder, if it has moved since the catalog was made.
    func slices(in split: Split, root: String? = nil) throws -> [CatalogSlice] {
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
    func records(in split: Split) throws -> [SliceRecord] {
        var records: [SliceRecord] = []
        try forEachRecord(in: split) { records.append($0) }
        return records
    }

    /// Passes the records of a split on one by one, so that memory does not grow with their number.
    private func forEachRecord(in split: Split, _ body: (SliceRecord) throws -> Void) throws {
        try read { database in
            let cursor = try SliceRecord.fetchCursor(
                database, sql: "SELECT * FROM slice WHERE split = ? ORDER BY id", arguments: [split])
            while let record = try cursor.next() { try body(record) }
        }
    }

    /// Every file and ID that was left out and why, by split and ID.
    func skippedSlices() throws -> [SkippedSlice] {
        try read { try SkippedSlice.fetchAll($0, sql: "SELECT * FROM skipped ORDER BY split, id") }
    }

    func report() throws -> CatalogReport { try read(CatalogReport.init) }

    /// The data set of a split as the original's pickles hold it, as CSV: its columns in its order, floats as Python writes them.
    func csv(of split: Split) throws -> String {
        var text =
            "ID,labels,PatientID,WindowCenter,WindowWidth,RescaleIntercept,RescaleSlope,Position3,PositionOrd,LeftLabel,RightLabel"
        text += split == .train ? ",fold\n" : "\n"
        try forEachRecord(in: split) { record in
            guard record.isKept else { return }
            var fields = [
                record.id, record.labels, record.patientID, record.windowCenter.map { "\($0)" } ?? "",
                record.windowWidth.map { "\($0)" } ?? "", "\(record.rescaleIntercept)", "\(record.rescaleSlope)",
                "\(record.position3)", record.positionOrd.map { "\($0)" } ?? "", record.leftLabel, record.rightLabel,
            ]
            if split == .train { fields.append(record.fold.map { "\($0)" } ?? "") }
            text += fields.map(Self.quoted).joined(separator: ",") + "\n"
        }
        return text
    }

    private static func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: { $0 == 44 || $0 == 34 || $0 == 10 || $0 == 13 }) else { return field }
        return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }

    /// A hash of all that the catalog says of slices and skipped files, and of nothing else.
    ///
    /// The same for any number of threads, folder and SQLite version, which the file's bytes are not.
    func contentFingerprint() throws -> String {
        var hash = SHA256()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for split in Split.allCases {
            try forEachRecord(in: split) { hash.update(data: try encoder.encode($0)) }
        }
        for skipped in try skippedSlices() {
            hash.update(data: Data("\(skipped.split.rawValue) \(skipped.id) \(skipped.reason)\n".utf8))
        }
        return Digest.hexadecimal(hash.finalize())
    }

    /// Runs a query; errors name the file and say what to do.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        guard access(path, R_OK) == 0 else {
            throw Failure(.inputMissing, "\(path): no catalog here. Make it with: repro catalog --input DIR --work DIR")
        }
        do {
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
}
