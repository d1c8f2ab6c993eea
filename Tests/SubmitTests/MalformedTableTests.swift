import Testing

@testable import Submit

@Suite("malformed tables")
struct MalformedTableTests {
    /// The kind and line of each problem of a file with these rows; the header is line 1.
    private func faults(_ rows: [String]) -> [String] {
        Tables.problems(Tables.file(rows)).map { "\($0.kind.rawValue) \($0.line.map(String.init) ?? "-")" }
    }

    @Test(
        "a file without the header is refused with what was found instead",
        arguments: ["", "\n\n", "id,label\n", "ID_a_any,0.5\n", "ID,Label,x\n", "PK\u{3}\u{4}\u{14}", "\"ID\n,Label"])
    func header(text: String) {
        let problems = Tables.problems(Array(text.utf8))
        #expect(problems.map(\.kind) == [.header])
        // What is no text has no lines.
        #expect(problems.first?.line == (text.hasPrefix("PK") ? nil : 1))
    }

    @Test("what is found in place of the header is shown without what a terminal would obey")
    func unprintable() {
        let message = Tables.problems([0x1B, 0x5B, 0x41, 0xFF, 0x07, 0x78]).first?.message
        #expect(message?.contains("found '?[A??x'") == true, "\(message ?? "")")
    }

    @Test("a header without rows is refused")
    func noRows() {
        #expect(faults([]) == ["malformed-row 1"])
    }

    @Test("a line with too few or too many columns, blank or with broken quotes is reported, and reading goes on")
    func columns() {
        let rows = Tables.rows("ID_a")
        #expect(faults(rows + ["ID_b_any"] + Tables.rows("ID_c")) == ["malformed-row 8"])
        #expect(faults(rows + ["ID_b_any,0.1,0.2"]) == ["malformed-row 8"])
        #expect(faults(rows + ["", "ID_b_any,0.1,"]) == ["malformed-row 8", "malformed-row 9"])
        #expect(faults(rows + ["\"ID_b\"x,0.1"]) == ["malformed-row 8"])
        #expect(faults(rows + ["ID_b_any,\"0.1", "more"]) == ["malformed-row 8", "malformed-row 9"])
    }

    @Test("an unknown type is reported with the types there are")
    func unknownType() {
        var rows = Tables.rows("ID_a")
        rows[2] = "ID_a_Intraventricular,0.3"
        #expect(faults(rows) == ["incomplete-slice 2", "unknown-type 4"])
        #expect(
            Tables.problems(Tables.file(rows)).last?.message.contains("epidural, intraparenchymal, intraventricular")
                == true)
    }

    @Test(
        "an ID without a slice or a type, or with bytes that no ID has, is reported",
        arguments: ["any", "", "_any", "ID a_any", "ID_ä_any", "\"a,b_any\""])
    func malformedID(id: String) {
        #expect(faults(Tables.rows("ID_a") + ["\(id),0.5"]) == ["malformed-id 8"])
    }

    @Test(
        "NaN, infinity, nothing and what is no number are reported",
        arguments: [
            ("nan", "not-finite"), ("-Inf", "not-finite"), ("1e400", "not-finite"), ("", "not-finite"),
            ("0,5", "malformed-row"),
            ("\"0,5\"", "malformed-value"), ("high", "malformed-value"), ("0x1", "malformed-value"),
        ])
    func badValue(text: String, kind: String) {
        var rows = Tables.rows("ID_a")
        rows[5] = "ID_a_any,\(text)"
        #expect(faults(rows).contains("\(kind) 7"))
    }

    @Test("a row that appears again is reported with the line of the first, told apart by whether the values agree")
    func duplicates() {
        let rows = Tables.rows("ID_a") + Tables.rows("ID_b")
        #expect(faults(rows + ["ID_a_any,0.6"]) == ["duplicate 14"])
        #expect(faults(rows + ["ID_a_any,0.60"]) == ["duplicate 14"])
        #expect(faults(rows + ["ID_a_any,0.7"]) == ["contradiction 14"])
        let problems = Tables.problems(Tables.file(rows + ["ID_a_any,0.7"]))
        #expect(problems.first?.message == "ID_a_any appears again with the value 0.7; line 7 has 0.6")
    }

    @Test("a slice that lacks types is reported with their names at its first line")
    func incompleteSlice() {
        let rows =
            Tables.rows("ID_a") + ["ID_b_any,0.5", "ID_b_subdural,0.5", "ID_b_epidural,1", "ID_b_intraventricular,0"]
        let problems = Tables.problems(Tables.file(rows))
        #expect(problems.map(\.kind) == [.incompleteSlice])
        #expect(problems.first?.line == 8)
        #expect(problems.first?.message == "slice ID_b lacks the rows intraparenchymal, subarachnoid")
    }

    @Test("all problems are counted, the first 20 are shown in order of lines, with the file's name")
    func countsAll() {
        let rows = (0..<30).map { "ID_\($0)_any,x" } + (0..<30).map { "ID_\($0)_none,1" }
        let error = #expect(throws: TableError.self) {
            try PredictionTable(parsing: Tables.file(rows), name: "oof.csv")
        }
        // 30 values that are no numbers, 30 unknown types, 30 slices with one row.
        #expect(error?.total == 90)
        #expect(error?.problems.count == 20)
        #expect(error?.problems.map { $0.line ?? 0 } == (0..<20).map { 2 + $0 / 2 })
        let lines = error?.description.split(separator: "\n") ?? []
        #expect(lines.first == "oof.csv: 90 problems")
        #expect(lines.dropFirst().first == "  line 2: the label 'x' is not a number")
        #expect(lines.last == "  ... and 70 more")
    }

    @Test(
        "a row is one line: a quoted field that does not end with its line is a fault, and the next line is read as one"
    )
    func lineNumbers() {
        let rows = Tables.rows("ID_a") + ["\"ID\n_\n\",1", "ID_a_any,x"]
        #expect(faults(rows) == ["malformed-row 8", "malformed-row 9", "malformed-row 10", "malformed-value 11"])
        for end in ["\r\n", "\r"] {
            let problems = Tables.problems(Tables.file(Tables.rows("ID_a") + ["bad"], lineEnd: end))
            #expect(problems.first?.line == 8)
        }
    }

    @Test(
        "damaged bytes never crash the reader: every prefix and every single changed byte ends in a table or an error")
    func fuzz() {
        let file = Tables.file(Tables.rows("ID_a") + ["\"ID_b_any\", 1e-06"])
        for length in 0..<file.count { _ = Tables.problems(Array(file[..<length])) }
        for position in file.indices {
            for byte: UInt8 in [0, 10, 13, 32, 34, 44, 95, 0xFF] {
                var damaged = file
                damaged[position] = byte
                _ = Tables.problems(damaged)
            }
        }
    }
}
