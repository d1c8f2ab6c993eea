import GRDB

/// A file or an ID that is not in the catalog's slices, and why: a row of the table `skipped`.
struct SkippedSlice: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "skipped"

    /// Reasons beside the kinds of ``SliceError``.
    static let noLabels = "no-labels"
    static let noFile = "no-file"

    var split: Split
    var id: String
    var path: String
    var reason: String
    /// What was found, what was expected, what to do.
    var message: String
}

/// What the whole catalog was made with: the rows of the table `setting`.
struct CatalogSetting: Codable, Sendable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "setting"
    var name: String
    var value: String
}

/// The tables of `catalog.sqlite`; `docs/formats.md` describes each column.
enum CatalogSchema {
    static let version = "1"

    static func create(in database: Database) throws {
        try database.create(table: CatalogSetting.databaseTableName, options: [.withoutRowID]) { table in
            table.primaryKey("name", .text)
            table.column("value", .text).notNull()
        }
        try database.create(table: SkippedSlice.databaseTableName, options: [.withoutRowID]) { table in
            for name in ["split", "id", "path", "reason", "message"] { table.column(name, .text).notNull() }
            table.primaryKey(["split", "id"])
        }
        try database.create(table: SliceRecord.databaseTableName, options: [.withoutRowID]) { table in
            for (name, type, isOptional) in columns {
                let column = table.column(name, type)
                if !isOptional { column.notNull() }
            }
            table.primaryKey(["split", "id"])
        }
    }

    private static let columns: [(String, Database.ColumnType, Bool)] = [
        ("split", .text, false), ("id", .text, false), ("path", .text, false),
        ("sopInstanceUID", .text, false), ("modality", .text, false), ("patientID", .text, false),
        ("studyInstanceUID", .text, false), ("seriesInstanceUID", .text, false), ("studyID", .text, false),
        ("position1", .double, false), ("position2", .double, false), ("position3", .double, false),
        ("imageOrientation", .text, false), ("samplesPerPixel", .integer, false),
        ("photometricInterpretation", .text, false),
        ("rows", .integer, false), ("columns", .integer, false), ("pixelSpacing", .text, false),
        ("bitsAllocated", .integer, false), ("bitsStored", .integer, false), ("highBit", .integer, false),
        ("pixelRepresentation", .integer, false), ("windowCenterText", .text, false), ("windowWidthText", .text, false),
        ("windowCenter", .integer, true), ("windowWidth", .integer, true),
        ("rescaleIntercept", .double, false), ("rescaleSlope", .double, false), ("transferSyntax", .text, false),
        ("rawMax", .integer, false), ("rawMin", .integer, false), ("rawMean", .double, false),
        ("rawSpread", .integer, false),
        ("doctorMax", .double, true), ("doctorMin", .double, true), ("doctorMean", .double, true),
        ("doctorSpread", .double, true), ("customMax", .double, false), ("customMin", .double, false),
        ("customMean", .double, false), ("customSpread", .double, false), ("hounsfieldSHA256", .text, false),
        ("isWrapped", .boolean, false), ("labels", .text, false), ("isRepeated", .boolean, false),
        ("isKept", .boolean, false), ("positionOrd", .double, true), ("leftLabel", .text, false),
        ("rightLabel", .text, false), ("fold", .integer, true),
    ]
}
