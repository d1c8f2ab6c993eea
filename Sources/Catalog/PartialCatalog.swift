import Basics
import Foundation
import GRDB

/// A catalog that is being made: the database before it gets its name, with notes of which files have been read.
package final class PartialCatalog {
    private let path: String
    package private(set) var queue: DatabaseQueue
    private var insertion: Statement?

    /// A file that has to be read, and what it is known by; nil if it is not there.
    package struct File: Sendable {
        package var slice: SliceList.Slice
        package var facts: FileFacts?
    }

    package init(path: String) throws {
        self.path = path
        queue = try Self.open(path)
    }

    /// With a write-ahead log a transaction costs one sequential write, and a power cut the last transactions at most.
    /// 16 MB of pages hold what a batch of slices and the indexes go back to.
    private static func open(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(
                sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// Goes on with what is there if it was begun with the same settings, else begins anew.
    package func begin(settings: [CatalogSetting]) throws {
        let found = try? queue.read {
            try CatalogSetting.fetchAll($0, sql: "SELECT * FROM setting WHERE name <> 'program' ORDER BY name")
        }
        if let found, found == settings.filter({ $0.name != "program" }) { return }
        try queue.close()
        try Self.remove(path)
        queue = try Self.open(path)
        try queue.write { database in
            try CatalogSchema.create(in: database)
            try database.create(table: "readFile", options: [.withoutRowID]) { table in
                table.column("split", .text).notNull()
                table.column("id", .text).notNull()
                table.column("size", .integer)
                table.column("modified", .integer)
                table.primaryKey(["split", "id"])
            }
            for setting in settings { try setting.insert(database) }
        }
    }

    /// Those of some slices whose files have not been read as they are now.
    package func unread(_ slices: ArraySlice<SliceList.Slice>, _ list: SliceList) throws -> [File] {
        try queue.read { database in
            let statement = try database.makeStatement(
                sql: "SELECT size, modified FROM readFile WHERE split = ? AND id = ?")
            return try slices.compactMap { slice in
                let facts = FileFacts(list.path(of: slice))
                let known = try Row.fetchOne(statement, arguments: [slice.split, slice.id])
                guard let known else { return File(slice: slice, facts: facts) }
                let isSame = facts?.size == (known[0] as Int64?) && facts?.modified == (known[1] as Int64?)
                return isSame ? nil : File(slice: slice, facts: facts)
            }
        }
    }

    package func insert(_ skipped: [SkippedSlice]) throws {
        try queue.write { database in
            for slice in skipped { try slice.insert(database, onConflict: .replace) }
        }
    }

    package func insert(_ record: SliceRecord, in database: Database) throws {
        let statement = try insertion ?? makeInsertion(database)
        insertion = statement
        try statement.execute(arguments: StatementArguments(SliceRecord.columns.map { $0.value(record) }))
    }

    private func makeInsertion(_ database: Database) throws -> Statement {
        let names = SliceRecord.columns.map(\.name)
        let marks = Array(repeating: "?", count: names.count).joined(separator: ", ")
        return try database.makeStatement(
            sql: "INSERT OR REPLACE INTO slice (\(names.joined(separator: ", "))) VALUES (\(marks))")
    }

    /// Remembers that a file has been read. One that was another thing before leaves no trace of that.
    package func note(_ file: File, wasRead: Bool, in database: Database) throws {
        let (split, id) = (file.slice.split, file.slice.id)
        let forgetting = try database.cachedStatement(
            sql: "DELETE FROM \(wasRead ? "skipped" : "slice") WHERE split = ? AND id = ?")
        try forgetting.execute(arguments: [split, id])
        let noting = try database.cachedStatement(sql: "INSERT OR REPLACE INTO readFile VALUES (?, ?, ?, ?)")
        try noting.execute(arguments: [split, id, file.facts?.size, file.facts?.modified])
    }

    /// Gives the complete catalog its name, as one file without a log.
    package func finish(as final: String) throws {
        insertion = nil
        try queue.write { try $0.drop(table: "readFile") }
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
        try close()
        try publish(path, as: final)
    }

    /// Leaves what is there to the next run.
    package func close() throws {
        insertion = nil
        try queue.close()
    }

    private static func remove(_ path: String) throws {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            if unlink(path + suffix) != 0 && errno != ENOENT { throw systemFailure("replace", path + suffix) }
        }
    }
}
