import Basics
import Foundation
import Inputs

/// A file or an ID that is not in the catalog's slices, and why: a row of the table `skipped`.
package struct SkippedSlice: Codable, Sendable, Equatable {
    /// Reasons beside the kinds of ``SliceError``.
    package static let noLabels = "no-labels"
    package static let noFile = "no-file"

    package var split: Split
    package var id: String
    package var path: String
    package var reason: String
    /// What was found, what was expected, what to do.
    package var message: String

    /// Writes the row, in place of another one of the same slice.
    package func insert(into database: Database) throws {
        try database.execute(
            "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?, ?)", [split, id, path, reason, message])
    }
}

/// What the whole catalog was made with: the rows of the table `setting`.
package struct CatalogSetting: Codable, Sendable, Equatable {
    package var name: String
    package var value: String

    /// Writes the row, in place of another one of the same name.
    package func insert(into database: Database) throws {
        try database.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", [name, value])
    }

    /// The value of a setting; nil if the catalog does not have it.
    package static func value(of name: String, in database: Database) throws -> String? {
        try database.value("SELECT value FROM setting WHERE name = ?", [name])
    }
}

/// The tables of `catalog.sqlite`; `docs/formats.md` describes each column.
///
/// The setting `schema` says which version a file has. A file of an older version is brought up to date when it is opened, one
/// step of ``steps`` after the other; one of a newer version is refused.
package enum CatalogSchema {
    package static let version = steps.count

    /// What leads from each version to the next; the first one makes the tables.
    private static let steps: [@Sendable (Database) throws -> Void] = [createTables, createIndexes, createQuirks]

    /// Makes the tables, without the indexes: they are quicker made when the rows are there.
    package static func create(in database: Database) throws {
        try createTables(in: database)
        try createQuirks(in: database)
    }

    /// Does what is missing after ``create(in:)`` and the last row.
    package static func complete(in database: Database) throws { try migrate(database, from: 1) }

    /// Brings a file from an older version up to date.
    package static func migrate(_ database: Database, from old: Int) throws {
        for step in steps[old...] { try step(database) }
        try CatalogSetting(name: "schema", value: "\(version)").insert(into: database)
    }

    /// Refuses a file that is there and is not this program's, finished or not: to make a catalog, it would be removed.
    ///
    /// - Throws: ``Failure`` with status `badUsage`.
    package static func checkIsOwn(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG || status.st_size > 0 else { return }
        do {
            if status.st_mode & S_IFMT == S_IFREG, try hasTables(path) { return }
        } catch let error as DatabaseError where error.isLocked {
            throw error
        } catch {}
        throw Failure(
            .badUsage,
            "\(path): is there already and no catalog that this program can read, and is not replaced. Move it away, or give another --work."
        )
    }

    /// Whether a file is a database with the tables, or, as one that was just begun, with nothing.
    private static func hasTables(_ path: String) throws -> Bool {
        // What a kill left may have to be rolled back, which a connection that only reads may not.
        let database = try Database(path: path)
        let tables: [String] = try database.rows("SELECT name FROM sqlite_master WHERE type = 'table'") { try $0[0] }
        guard !tables.isEmpty else { return true }
        return try Set(["setting", "skipped", "slice"]).isSubset(of: tables)
            && CatalogSetting.value(of: "schema", in: database) != nil
    }

    @Sendable private static func createTables(in database: Database) throws {
        let columns = SliceRecord.columns.map { "\($0.name) \($0.type)\($0.isOptional ? "" : " NOT NULL")" }
        try database.execute(
            """
            CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
            CREATE TABLE skipped (split TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL,
                message TEXT NOT NULL, PRIMARY KEY (split, id)) WITHOUT ROWID;
            CREATE TABLE slice (\(columns.joined(separator: ", ")), PRIMARY KEY (split, id)) WITHOUT ROWID;
            """)
    }

    /// Version 3: what is odd about files that were read. No part of the catalog's hash: the slices are what they are.
    @Sendable private static func createQuirks(in database: Database) throws {
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS quirk (split TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
                PRIMARY KEY (split, id, name)) WITHOUT ROWID
            """)
    }

    /// Version 2: what people look for, other than a slice by its ID.
    @Sendable private static func createIndexes(in database: Database) throws {
        let indexes = [
            "image": "hounsfieldSHA256", "patient": "patientID, studyInstanceUID",
            "study": "studyInstanceUID, positionOrd", "series": "seriesInstanceUID, position3", "fold": "fold, split",
        ]
        for (name, columns) in indexes.sorted(by: { $0.key < $1.key }) {
            try database.execute("CREATE INDEX sliceBy\(name.capitalized) ON slice(\(columns))")
        }
    }
}
