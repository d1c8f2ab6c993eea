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

    /// The slice of an ID, which both splits have no more than one of; train goes before test.
    func record(ofSlice id: String) throws -> SliceRecord? {
        try read {
            try SliceRecord.fetchOne(
                $0, sql: "SELECT * FROM slice WHERE id = ? AND split IN ('train', 'test') ORDER BY split DESC",
                arguments: [id])
        }
    }

    /// The slices of a study, those outside the filter too, in the order of series and position.
    func records(ofStudy study: String) throws -> [SliceRecord] {
        let sql = "SELECT * FROM slice WHERE studyInstanceUID = ? ORDER BY seriesInstanceUID, position3, id"
        return try read { try SliceRecord.fetchAll($0, sql: sql, arguments: [study]) }
    }

    /// Where the catalog's slices lie, and whether their wrapped pixels are repaired.
    func inputSettings() throws -> (root: String, repairsWrap: Bool) {
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

    /// Every file and ID that was left out and why, by split and ID.
    func skippedSlices() throws -> [SkippedSlice] {
        try read { try SkippedSlice.fetchAll($0, sql: "SELECT * FROM skipped ORDER BY split, id") }
    }

    func report() throws -> CatalogReport { try read(CatalogReport.init) }

    /// Writes the data set of a split as the original's pickles hold it, as CSV: its columns in its order, floats as Python writes them.
    ///
    /// - Parameter append: gets the text in pieces of about a megabyte.
    func writeCSV(of split: Split, _ append: (UnsafeRawBufferPointer) throws -> Void) throws {
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

    /// ``writeCSV(of:_:)`` as one text.
    func csv(of split: Split) throws -> String {
        var bytes: [UInt8] = []
        try writeCSV(of: split) { bytes.append(contentsOf: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A hash of all that the catalog says of slices and skipped files, and of nothing else.
    ///
    /// The same for any number of threads, folder and SQLite version, which the file's bytes are not.
    func contentFingerprint() throws -> String {
        var hash = Digest.Stream()
        for split in Split.allCases {
            var batch: [SliceRecord] = []
            func flush() throws {
                // Encoding takes longer than reading and hashing together; the order is that of the IDs all the same.
                let records = batch
                batch.removeAll(keepingCapacity: true)
                let encoded = mapInParallel(
                    count: records.count, threads: Machine.availableProcessors, workspace: { _ in Self.makeEncoder() }
                ) { index, encoder in Result { try encoder.encode(records[index]) } }
                for data in encoded { try data.get().withUnsafeBytes { hash.update($0) } }
            }
            try forEachRecord(in: split) { record in
                batch.append(record)
                if batch.count == 1024 { try flush() }
            }
            try flush()
        }
        for skipped in try skippedSlices() {
            var line = "\(skipped.split.rawValue) \(skipped.id) \(skipped.reason)\n"
            line.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
        }
        return hash.finish()
    }

    private static func makeEncoder() -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
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
