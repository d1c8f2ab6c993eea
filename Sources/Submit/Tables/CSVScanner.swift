/// Walks over the rows of a CSV file (RFC 4180) as ranges of its bytes, so that reading millions of rows makes no strings.
///
/// Accepted beyond plain fields: a UTF-8 byte order mark, LF, CRLF, CRCRLF or lone CR line ends, spaces and tabs around a field, fields
/// in double quotes (with `""` for a quote, and line breaks) and blank lines at the end. A blank line elsewhere is a row of one
/// empty field. The buffer must outlive the scanner.
struct CSVScanner {
    /// One field: the bytes between its quotes or, without quotes, between the spaces around it.
    struct Field {
        var start: Int
        var end: Int
        /// Whether the field holds `""`, each of which stands for one quote.
        var hasEscapes = false

        var range: Range<Int> { start..<end }
    }

    let bytes: UnsafeRawBufferPointer
    /// The fields of the current row.
    private(set) var fields: [Field] = []
    /// The line, from 1, on which the current row begins.
    private(set) var line = 0
    /// What is wrong with the quoting of the current row.
    private(set) var quotingDefect: String?

    /// Where the next row begins, and its line.
    private(set) var position = 0
    private(set) var nextLine = 1
    private let quotesSpanLines: Bool

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        quotesSpanLines = true
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// A scanner of tables whose rows are single lines, so that reading can begin at any of them: a quoted field ends with its line.
    init(linesOf bytes: UnsafeRawBufferPointer, from position: Int, line: Int) {
        self.bytes = bytes
        quotesSpanLines = false
        self.position = position
        nextLine = line
    }

    /// Goes on at another line.
    mutating func move(to position: Int, line: Int) {
        self.position = position
        nextLine = line
    }

    /// Goes to the next row; false at the end of the file, where only blank lines may follow.
    mutating func next() -> Bool {
        fields.removeAll(keepingCapacity: true)
        quotingDefect = nil
        line = nextLine
        guard position < bytes.count else { return false }
        while readField() {}
        return !(fields.count == 1 && fields[0].range.isEmpty && onlyBlanksFollow())
    }

    func text(_ field: Field) -> String {
        let text = String(decoding: bytes[field.range], as: UTF8.self)
        return field.hasEscapes ? text.replacing("\"\"", with: "\"") : text
    }

    /// Reads one field with what ends it; true if a comma did, so another field follows.
    private mutating func readField() -> Bool {
        skipBlanks()
        if position < bytes.count && bytes[position] == Byte.quote {
            readQuoted()
        } else {
            let start = position
            while position < bytes.count && !Byte.endsField(bytes[position]) { position += 1 }
            var end = position
            while end > start && Byte.isBlank(bytes[end - 1]) { end -= 1 }
            fields.append(Field(start: start, end: end))
        }
        guard position < bytes.count else { return false }
        let terminator = bytes[position]
        position += 1
        if terminator == Byte.comma { return true }
        if terminator == Byte.return { skipNewline() }
        nextLine += 1
        return false
    }

    /// Goes behind what may follow the carriage return of a line's end: a newline, or, where a program made CRLF of the LF of a CRLF,
    /// one more return before that.
    private mutating func skipNewline() {
        let isDoubled =
            position + 1 < bytes.count && bytes[position] == Byte.return && bytes[position + 1] == Byte.newline
        if isDoubled { position += 1 }
        if position < bytes.count && bytes[position] == Byte.newline { position += 1 }
    }

    private mutating func readQuoted() {
        position += 1
        var field = Field(start: position, end: position)
        while true {
            guard position < bytes.count else {
                quotingDefect = "a double quote is opened and never closed"
                break
            }
            if bytes[position] == Byte.newline || bytes[position] == Byte.return && !quotesSpanLines {
                guard quotesSpanLines else {
                    quotingDefect = "a double quote is opened and not closed on the line"
                    field.end = position
                    fields.append(field)
                    return
                }
                nextLine += 1
            }
            if bytes[position] == Byte.quote {
                guard position + 1 < bytes.count && bytes[position + 1] == Byte.quote else { break }
                field.hasEscapes = true
                position += 1
            }
            position += 1
        }
        field.end = position
        fields.append(field)
        if position < bytes.count { position += 1 }
        skipBlanks()
        guard position < bytes.count && !Byte.endsField(bytes[position]) else { return }
        quotingDefect = "characters follow a closing double quote"
        while position < bytes.count && !Byte.endsField(bytes[position]) { position += 1 }
    }

    private mutating func skipBlanks() {
        while position < bytes.count && Byte.isBlank(bytes[position]) { position += 1 }
    }

    private func onlyBlanksFollow() -> Bool {
        bytes[position...].allSatisfy { Byte.isBlank($0) || $0 == Byte.newline || $0 == Byte.return }
    }
}

/// The bytes that have a meaning in CSV.
enum Byte {
    static let comma = UInt8(ascii: ",")
    static let quote = UInt8(ascii: "\"")
    static let newline = UInt8(ascii: "\n")
    static let `return` = UInt8(ascii: "\r")

    static func endsField(_ byte: UInt8) -> Bool { byte == comma || byte == newline || byte == `return` }
    static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}
