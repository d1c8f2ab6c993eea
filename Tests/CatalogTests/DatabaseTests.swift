import Foundation
import Testing

@testable import Catalog
@testable import TestSupport

@Suite("Database")
struct DatabaseTests {
    private static func withDatabase(_ body: (Database, _ path: String) throws -> Void) throws {
        try InputFixtures.withFolder { folder in
            let path = folder + "/data.sqlite"
            try body(Database(path: path), path)
        }
    }

    @Test("values come back as they were given: empty and long text, a zero byte, null, bounds of integers, any double")
    func roundTrip() throws {
        try Self.withDatabase { database, path in
            try database.execute("CREATE TABLE t (text TEXT, whole INTEGER, real DOUBLE, flag BOOLEAN)")
            let texts = ["", "häm\u{0}orrhage", String(repeating: "x", count: 100_000), "'; DROP TABLE t; --"]
            for text in texts {
                try database.execute("INSERT INTO t VALUES (?, ?, ?, ?)", [text, Int.min, 3.0, true])
            }
            try database.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?)", [String?.none, Int.max, Double.greatestFiniteMagnitude, false])
            #expect(
                try Database(path: path, .readOnly).rows("SELECT text FROM t") { try $0[0] as String? } == texts + [nil]
            )
            #expect(try database.rows("SELECT whole FROM t") { try $0[0] as Int } == [.min, .min, .min, .min, .max])
            let reals = try database.rows("SELECT real FROM t") { try $0[0] as Double }
            #expect(reals == [3, 3, 3, 3, .greatestFiniteMagnitude])
            #expect(try database.rows("SELECT flag FROM t") { try $0[0] as Bool } == [true, true, true, true, false])
            #expect(try database.value("SELECT text FROM t WHERE whole = ?", [7]) as String? == nil)
        }
    }

    @Test("a value of another kind than is asked for, or none, is an error that names the column")
    func otherKind() throws {
        try Self.withDatabase { database, _ in
            for (value, sql) in [("text", "'x' AS c"), ("null", "NULL AS c"), ("real", "1.5 AS c")] {
                let error = #expect(throws: DatabaseError.self, "\(value)") {
                    try database.rows("SELECT \(sql)") { try $0[0] as Int }
                }
                #expect(error?.message.contains("column c ") == true)
            }
            #expect(throws: DatabaseError.self) { try database.rows("SELECT 1") { try $0[0] as String } }
        }
    }

    @Test("a transaction that throws leaves nothing; one that ends leaves all")
    func transaction() throws {
        try Self.withDatabase { database, _ in
            try database.execute("CREATE TABLE t (c INTEGER PRIMARY KEY)")
            try database.transaction { try database.execute("INSERT INTO t VALUES (?)", [1]) }
            #expect(throws: DatabaseError.self) {
                try database.transaction {
                    try database.execute("INSERT INTO t VALUES (?)", [2])
                    try database.execute("INSERT INTO t VALUES (?)", [1])
                }
            }
            #expect(try database.value("SELECT COUNT(*) FROM t") == 1)
            try database.transaction { try database.execute("INSERT INTO t VALUES (?)", [3]) }
            #expect(try database.value("SELECT SUM(c) FROM t") == 4)
        }
    }

    @Test("a file that is no database, a folder and a file that is not there are errors when only read")
    func noDatabase() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(Data(repeating: 65, count: 5000), to: folder + "/text")
            for path in [folder + "/text", folder, folder + "/none"] {
                #expect(throws: DatabaseError.self, "\(path)") {
                    try Database(path: path, .readOnly).rows("SELECT * FROM sqlite_master") { _ in }
                }
            }
            #expect(!FileManager.default.fileExists(atPath: folder + "/none"))
        }
    }
}
