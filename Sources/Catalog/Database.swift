import CSQLite

/// What SQLite says of a statement or a file that it cannot use.
package struct DatabaseError: Error {
    package let message: String
    /// SQLite's result code (https://sqlite.org/rescode.html).
    package var code: Int32 = SQLITE_ERROR

    /// Whether somebody else is using the file.
    package var isLocked: Bool { [SQLITE_BUSY, SQLITE_LOCKED].contains(code & 0xFF) }

    /// What the user can do about a file that cannot be written.
    package var remedy: String {
        let again = "run the same command again; it goes on where it stopped"
        // The lowest byte is the kind, the rest details.
        return switch code & 0xFF {
        case SQLITE_FULL: "Free some space and \(again)."
        case SQLITE_BUSY, SQLITE_LOCKED: "Another program has the file open: end that and \(again)."
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH:
            "Make the file and its folder writable, or give another --work."
        default: "Check the disk, then \(again)."
        }
    }
}

/// A connection to an SQLite file, for one thread at a time.
///
/// Statements are prepared once and kept by their text: https://sqlite.org/c3ref/intro.html.
package final class Database {
    package enum Access { case readOnly, readWrite }

    private let connection: OpaquePointer
    private var statements: [String: OpaquePointer] = [:]

    /// Opens a file, and with `readWrite` makes it if it is not there.
    package init(path: String, _ access: Access = .readWrite) throws(DatabaseError) {
        let flags = access == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        var connection: OpaquePointer?
        let code = sqlite3_open_v2(path, &connection, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let connection else {
            let message = String(cString: connection.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
            sqlite3_close_v2(connection)
            throw DatabaseError(message: message, code: code)
        }
        self.connection = connection
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(connection)
    }

    /// Runs statements without values, of which there may be several; their rows are dropped.
    package func execute(_ sql: String) throws(DatabaseError) {
        try check(sqlite3_exec(connection, sql, nil, nil, nil))
    }

    /// Runs a statement, its `?` filled with values in their order.
    package func execute(_ sql: String, _ values: [any DatabaseValue]) throws {
        try forEachRow(sql, values) { _ in }
    }

    /// Passes the rows of a query on one by one.
    package func forEachRow(_ sql: String, _ values: [any DatabaseValue] = [], _ body: (Row) throws -> Void) throws {
        let statement = try prepared(sql)
        defer { sqlite3_reset(statement) }
        for (place, value) in zip(Int32(1)..., values) { try check(value.bind(to: statement, at: place)) }
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: try body(Row(statement: statement))
            case SQLITE_DONE: return
            default: throw lastError
            }
        }
    }

    /// All rows of a query, each made into a value.
    package func rows<Value>(
        _ sql: String, _ values: [any DatabaseValue] = [], _ make: (Row) throws -> Value
    ) throws -> [Value] {
        var made: [Value] = []
        try forEachRow(sql, values) { made.append(try make($0)) }
        return made
    }

    /// The first column of a query's first row; nil without a row.
    package func value<Value: DatabaseValue>(_ sql: String, _ values: [any DatabaseValue] = []) throws -> Value? {
        try rows(sql, values) { row -> Value in try row[0] }.first
    }

    /// Runs a body whose changes are kept all together, or not at all if it throws.
    package func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        try execute("BEGIN")
        do {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // After a full disk SQLite has rolled back by itself, and says so.
            try? execute("ROLLBACK")
            throw error
        }
    }

    private func prepared(_ sql: String) throws(DatabaseError) -> OpaquePointer {
        if let statement = statements[sql] { return statement }
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v2(connection, sql, -1, &statement, nil))
        guard let statement else { throw DatabaseError(message: "an empty statement") }
        statements[sql] = statement
        return statement
    }

    private func check(_ code: Int32) throws(DatabaseError) {
        if code != SQLITE_OK { throw lastError }
    }

    private var lastError: DatabaseError {
        DatabaseError(message: String(cString: sqlite3_errmsg(connection)), code: sqlite3_errcode(connection))
    }
}

/// A row of a query's result, while it is passed on.
package struct Row {
    fileprivate let statement: OpaquePointer

    /// The value of a column, counted from 0.
    ///
    /// - Throws: ``DatabaseError`` if the file has a value of another kind there, or none.
    package subscript<Value: DatabaseValue>(_ column: Int) -> Value {
        get throws(DatabaseError) {
            if let value = Value(from: statement, at: Int32(column)) { return value }
            let name = sqlite3_column_name(statement, Int32(column)).map { String(cString: $0) } ?? "\(column)"
            throw DatabaseError(message: "the column \(name) has a row whose value is no \(Value.declaration)")
        }
    }
}

/// A value that a column can have.
package protocol DatabaseValue {
    /// The type in the declaration of such a column.
    static var declaration: String { get }
    /// Fills a `?` of a statement, counted from 1; returns SQLite's code.
    func bind(to statement: OpaquePointer, at place: Int32) -> Int32
    /// Reads a column of a row, counted from 0; nil if it has a value of another kind.
    init?(from statement: OpaquePointer, at column: Int32)
}

extension Int64: DatabaseValue {
    package static var declaration: String { "INTEGER" }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        sqlite3_bind_int64(statement, place, self)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        guard sqlite3_column_type(statement, column) == SQLITE_INTEGER else { return nil }
        self = sqlite3_column_int64(statement, column)
    }
}

extension Int: DatabaseValue {
    package static var declaration: String { Int64.declaration }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        Int64(self).bind(to: statement, at: place)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        guard let value = Int64(from: statement, at: column) else { return nil }
        self.init(value)
    }
}

extension Bool: DatabaseValue {
    package static var declaration: String { "BOOLEAN" }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        sqlite3_bind_int(statement, place, self ? 1 : 0)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        guard let value = Int64(from: statement, at: column) else { return nil }
        self = value != 0
    }
}

extension Double: DatabaseValue {
    package static var declaration: String { "DOUBLE" }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        sqlite3_bind_double(statement, place, self)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        // What a column of another type than DOUBLE computes may come as an integer.
        let type = sqlite3_column_type(statement, column)
        guard type == SQLITE_FLOAT || type == SQLITE_INTEGER else { return nil }
        self = sqlite3_column_double(statement, column)
    }
}

extension String: DatabaseValue {
    package static var declaration: String { "TEXT" }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        var text = self
        // SQLITE_TRANSIENT, a cast that Swift does not import: SQLite makes a copy.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        return text.withUTF8 { utf8 in
            // An empty string's pointer may be nil, which would bind null.
            guard let start = utf8.baseAddress else { return sqlite3_bind_text(statement, place, "", 0, transient) }
            return start.withMemoryRebound(to: CChar.self, capacity: utf8.count) {
                sqlite3_bind_text64(statement, place, $0, UInt64(utf8.count), transient, UInt8(SQLITE_UTF8))
            }
        }
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        guard sqlite3_column_type(statement, column) == SQLITE_TEXT, let text = sqlite3_column_text(statement, column)
        else { return nil }
        let count = Int(sqlite3_column_bytes(statement, column))
        self.init(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}

extension Optional: DatabaseValue where Wrapped: DatabaseValue {
    package static var declaration: String { Wrapped.declaration }
    package func bind(to statement: OpaquePointer, at place: Int32) -> Int32 {
        self?.bind(to: statement, at: place) ?? sqlite3_bind_null(statement, place)
    }
    package init?(from statement: OpaquePointer, at column: Int32) {
        if sqlite3_column_type(statement, column) == SQLITE_NULL {
            self = nil as Wrapped?
        } else {
            guard let value = Wrapped(from: statement, at: column) else { return nil }
            self = .some(value)
        }
    }
}
