import Basics
import Foundation
import Inputs

/// A catalog that is being made: the database before it gets its name, with notes of which files have been read.
package final class PartialCatalog {
    private let path: String
    /// nil once it is closed.
    private var database: Database?

    /// A file that has to be read, and what it is known by; nil if it is not there.
    package struct File: Sendable {
        package var slice: SliceList.Slice
        package var facts: FileFacts?
    }

    package init(path: String) throws {
        self.path = path
        database = try Self.open(path)
    }

    /// With a write-ahead log a transaction costs one sequential write, and a power cut the last transactions at most.
    /// 16 MB of pages hold what a batch of slices and the indexes go back to.
    private static func open(_ path: String) throws -> Database {
        let database = try Database(path: path)
        try database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
        return database
    }

    /// Goes on with what is there if it was begun with the same settings, else begins anew.
    package func begin(settings: [CatalogSetting]) throws {
        let found = try? database?.rows("SELECT name, value FROM setting WHERE name <> 'program' ORDER BY name") {
            CatalogSetting(name: try $0[0], value: try $0[1])
        }
        if let found, found == settings.filter({ $0.name != "program" }) { return }
        close()
        try Self.remove(path)
        database = try Self.open(path)
        try write { database in
            try CatalogSchema.create(in: database)
            try database.execute(
                """
                CREATE TABLE readFile (split TEXT NOT NULL, id TEXT NOT NULL, size INTEGER, modified INTEGER,
                    PRIMARY KEY (split, id)) WITHOUT ROWID
                """)
            for setting in settings { try setting.insert(into: database) }
        }
    }

    /// Those of some slices whose files have not been read as they are now.
    package func unread(_ slices: ArraySlice<SliceList.Slice>, _ list: SliceList) throws -> [File] {
        try write { database in
            try slices.compactMap { slice in
                let facts = FileFacts(list.path(of: slice))
                let known = try database.rows(
                    "SELECT size, modified FROM readFile WHERE split = ? AND id = ?", [slice.split, slice.id]
                ) { row in (size: try row[0] as Int64?, modified: try row[1] as Int64?) }.first
                guard let known else { return File(slice: slice, facts: facts) }
                return (facts?.size, facts?.modified) == known ? nil : File(slice: slice, facts: facts)
            }
        }
    }

    package func insert(_ skipped: [SkippedSlice]) throws {
        try write { database in
            for slice in skipped { try slice.insert(into: database) }
        }
    }

    package func insert(_ record: SliceRecord, quirks: [SliceQuirk] = [], in database: Database) throws {
        try database.execute(Self.insertion, SliceRecord.columns.map { $0.value(record) })
        try forgetQuirks(record.split, record.id, in: database)
        for quirk in quirks {
            try database.execute(
                "INSERT OR REPLACE INTO quirk VALUES (?, ?, ?)", [record.split, record.id, quirk.rawValue])
        }
    }

    private static let insertion: String = {
        let names = SliceRecord.columns.map(\.name)
        return
            "INSERT OR REPLACE INTO slice (\(names.joined(separator: ", "))) VALUES (\(names.map { _ in "?" }.joined(separator: ", ")))"
    }()

    private func forgetQuirks(_ split: Split, _ id: String, in database: Database) throws {
        try database.execute("DELETE FROM quirk WHERE split = ? AND id = ?", [split, id])
    }

    /// Remembers that a file has been read. One that was another thing before leaves no trace of that.
    package func note(_ file: File, wasRead: Bool, in database: Database) throws {
        let (split, id) = (file.slice.split, file.slice.id)
        if !wasRead { try forgetQuirks(split, id, in: database) }
        try database.execute("DELETE FROM \(wasRead ? "skipped" : "slice") WHERE split = ? AND id = ?", [split, id])
        try database.execute(
            "INSERT OR REPLACE INTO readFile VALUES (?, ?, ?, ?)", [split, id, file.facts?.size, file.facts?.modified])
    }

    /// Gives the complete catalog its name, as one file without a log.
    package func finish(as final: String) throws {
        try write { try $0.execute("DROP TABLE readFile") }
        try database?.execute("PRAGMA journal_mode = DELETE")
        close()
        try publish(path, as: final)
    }

    /// Leaves what is there to the next run.
    package func close() { database = nil }

    /// Runs a body as one transaction.
    package func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        guard let database else { throw DatabaseError(message: "\(path) is closed") }
        return try database.transaction { try body(database) }
    }

    private static func remove(_ path: String) throws {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            if unlink(path + suffix) != 0 && errno != ENOENT { throw systemFailure("replace", path + suffix) }
        }
    }
}
