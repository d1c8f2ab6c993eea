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
struct CatalogSetting: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "setting"
    var name: String
    var value: String
}

/// The tables of `catalog.sqlite`; `docs/formats.md` describes each column.
///
/// The setting `schema` says which version a file has. A file of an older version is brought up to date when it is opened, one
/// step of ``steps`` after the other; one of a newer version is refused.
enum CatalogSchema {
    static let version = steps.count

    /// What leads from each version to the next; the first one makes the tables.
    private static let steps: [@Sendable (Database) throws -> Void] = [createTables, createIndexes]

    /// Makes the tables, without the indexes: they are quicker made when the rows are there.
    static func create(in database: Database) throws { try createTables(in: database) }

    /// Does what is missing after ``create(in:)`` and the last row.
    static func complete(in database: Database) throws { try migrate(database, from: 1) }

    /// Brings a file from an older version up to date.
    static func migrate(_ database: Database, from old: Int) throws {
        for step in steps[old...] { try step(database) }
        try CatalogSetting(name: "schema", value: "\(version)").insert(database, onConflict: .replace)
    }

    @Sendable private static func createTables(in database: Database) throws {
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

    /// Version 2: what people look for, other than a slice by its ID.
    @Sendable private static func createIndexes(in database: Database) throws {
        let indexes = [
            "image": "hounsfieldSHA256", "patient": "patientID, studyInstanceUID",
            "study": "studyInstanceUID, positionOrd", "series": "seriesInstanceUID, position3", "fold": "fold, split",
        ]
        for (name, columns) in indexes.sorted(by: { $0.key < $1.key }) {
            try database.execute(sql: "CREATE INDEX sliceBy\(name.capitalized) ON slice(\(columns))")
        }
    }

    static let columns: [(name: String, type: Database.ColumnType, isOptional: Bool)] = [
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
