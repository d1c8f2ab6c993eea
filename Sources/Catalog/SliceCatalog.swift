import Basics
import Foundation
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
    /// - Parameters:
    ///   - note: gets a line on what is passed over.
    ///   - progress: called now and then with the number of slices done and of all.
    /// - Throws: a description of a missing or malformed label file, of a folder without a slice that can be read, or of a disk
    ///   that cannot be written. A slice among others that cannot be read is no error: the report counts it.
    @discardableResult
    public func build(
        _ settings: CatalogSettings, note: (String) -> Void = { _ in },
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> CatalogReport {
        try CatalogBuilder(settings: settings, path: path).build(note: note, progress: progress)
        let report = try report()
        guard report.splits.values.contains(where: { $0.read > 0 }) else {
            let reasons = report.splits.values.reduce(into: [:]) { $0.merge($1.skipped, uniquingKeysWith: +) }
            let counts = reasons.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            let first = try skippedSlices().first.map { " The first: \($0.path): \($0.message)" } ?? ""
            throw Failure(
                .badInput,
                "\(settings.input.root): no slice here can be read\(counts.isEmpty ? "" : ": \(counts)").\(first) The table skipped of \(path) has all of them."
            )
        }
        return report
    }

    /// The slices of a split after the original's filter, sorted by ID.
    ///
    /// - Parameter root: the input folder, if it has moved since the catalog was made.
    public func slices(in split: Split, root: String? = nil) throws -> [CatalogSlice] {
        try read { database in
            let folder = try root ?? CatalogSetting.value(of: "input", in: database) ?? "."
            let sql = """
                SELECT id, path, patientID, studyInstanceUID, seriesInstanceUID, labels, positionOrd, leftLabel, rightLabel, fold
                FROM slice WHERE split = ? AND isKept ORDER BY id
                """
            return try database.rows(sql, [split]) { row in
                let path: String = try row[1]
                let labels: String = try row[5]
                return CatalogSlice(
                    id: try row[0], path: path.hasPrefix("/") ? path : folder + "/" + path, patientID: try row[2],
                    studyID: try row[3], seriesID: try row[4],
                    labels: labels.split(separator: " ").compactMap { HemorrhageType(rawValue: String($0)) },
                    positionOrd: try row[6], leftLabel: try row[7], rightLabel: try row[8], fold: try row[9])
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
        let condition = "WHERE id = ? AND split IN ('train', 'test') ORDER BY split DESC"
        return try read { try $0.rows(SliceRecord.query + condition, [id], SliceRecord.init).first }
    }

    /// The slices of a study, those outside the filter too, in the order of series and position.
    package func records(ofStudy study: String) throws -> [SliceRecord] {
        let condition = "WHERE studyInstanceUID = ? ORDER BY seriesInstanceUID, position3, id"
        return try read { try $0.rows(SliceRecord.query + condition, [study], SliceRecord.init) }
    }

    /// The patient of each slice of both splits, by the slice's ID.
    package func patients() throws -> [String: String] {
        try read { database in
            let rows: [(String, String)] = try database.rows("SELECT id, patientID FROM slice") {
                (try $0[0], try $0[1])
            }
            return Dictionary(rows) { first, _ in first }
        }
    }

    /// Where the catalog's slices lie, and whether their wrapped pixels are repaired.
    package func inputSettings() throws -> (root: String, repairsWrap: Bool) {
        try read { database in
            (
                root: try CatalogSetting.value(of: "input", in: database) ?? ".",
                repairsWrap: try CatalogSetting.value(of: "repairsWrap", in: database) == "true"
            )
        }
    }

    /// Passes the records of a split on one by one, so that memory does not grow with their number.
    private func forEachRecord(in split: Split, _ body: (SliceRecord) throws -> Void) throws {
        try read { database in
            try database.forEachRow(SliceRecord.query + "WHERE split = ? ORDER BY id", [split]) { row in
                try body(try SliceRecord(row))
            }
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
        try read { database in
            try database.rows("SELECT split, id, path, reason, message FROM skipped ORDER BY split, id") { row in
                SkippedSlice(
                    split: try row[0], id: try row[1], path: try row[2], reason: try row[3], message: try row[4])
            }
        }
    }

    /// What the catalog holds, counted.
    public func report() throws -> CatalogReport { try read(CatalogReport.init) }

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
            try database.forEachRow(sql, [split]) { row in
                func add(_ value: (some CustomStringConvertible)?) {
                    text.append(UInt8(ascii: ","))
                    if let value { text += Array(value.description.utf8) }
                }
                Self.append(try row[0], to: &text)
                for column in 1...2 {
                    text.append(UInt8(ascii: ","))
                    Self.append(try row[column], to: &text)
                }
                for column in 3...4 { add(try row[column] as Int?) }
                for column in 5...8 { add(try row[column] as Double?) }
                for column in 9...10 {
                    text.append(UInt8(ascii: ","))
                    Self.append(try row[column], to: &text)
                }
                if split == .train { add(try row[11] as Int?) }
                text.append(UInt8(ascii: "\n"))
                guard text.count > 1 << 20 else { return }
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
            let database = try Database(path: path, .readOnly)
            return try database.transaction { try body(database) }
        } catch let error as DatabaseError {
            throw Failure(
                .badInput,
                "\(path): not a catalog that can be read: \(error.message). Remove it and make it again: repro catalog."
            )
        }
    }

    /// Adds what a catalog of an older version lacks.
    private func bringUpToDate() throws {
        let found = try CatalogSetting.value(of: "schema", in: Database(path: path, .readOnly))
        guard let schema = found.flatMap({ Int($0) }), (1...CatalogSchema.version).contains(schema) else {
            throw Failure(
                .badInput,
                "\(path): the catalog's schema is \(found ?? "not named"), this program knows 1 to \(CatalogSchema.version). Use the newer program, or make the catalog again: repro catalog."
            )
        }
        guard schema < CatalogSchema.version else { return }
        let database = try Database(path: path)
        try database.transaction { try CatalogSchema.migrate(database, from: schema) }
    }
}
