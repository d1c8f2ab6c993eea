import Testing

@testable import Submit

@Suite("label tables")
struct LabelTableTests {
    private func parse(_ rows: [String], _ values: LabelTable.Values = .binary, lineEnd: String = "\n") throws
        -> LabelTable
    {
        try LabelTable(parsing: Tables.file(rows, lineEnd: lineEnd), name: "train.csv", values: values)
    }

    private func rows(_ id: String, _ positive: String...) -> [String] {
        Tables.rows(id, Tables.types.map { positive.contains($0) ? "1" : "0" })
    }

    @Test("slices keep the order of their first row, types that of the rows")
    func order() throws {
        let table = try parse(rows("ID_b", "subdural", "any") + rows("ID_a"))
        #expect(table.sliceIDs == ["ID_b", "ID_a"])
        #expect(table.labels == [[.subdural, .any], []])
        #expect(table.repeatedSlices.isEmpty)
        let reversed = try parse(Array((rows("ID_b", "subdural", "any") + rows("ID_a", "any")).reversed()))
        #expect(reversed.sliceIDs == ["ID_a", "ID_b"])
        #expect(reversed.labels == [[.any], [.any, .subdural]])
    }

    @Test("a slice listed twice gets its types twice")
    func repeated() throws {
        let twice = rows("ID_a", "epidural", "any")
        let table = try parse(twice + rows("ID_b") + twice)
        #expect(table.labels == [[.epidural, .any, .epidural, .any], []])
        #expect(table.repeatedSlices == ["ID_a"])
    }

    @Test("line ends of Windows change nothing")
    func lineEnds() throws {
        #expect(try parse(rows("ID_a", "any"), lineEnd: "\r\n") == parse(rows("ID_a", "any")))
    }

    @Test("a sample submission's numbers are no labels")
    func sample() throws {
        #expect(try parse(Tables.rows("ID_a", Array(repeating: "0.5", count: 6)), .numbers).labels == [[]])
    }

    @Test(
        "what is no label is refused with its line; a sample submission may hold it if it is a number",
        arguments: [("2", true), ("0.5", true), ("", false), ("nan", false), ("yes", false)])
    func badLabels(label: String, isNumber: Bool) {
        var rows = rows("ID_a")
        rows[3] = "ID_a_subarachnoid,\(label)"
        let error = #expect(throws: TableError.self) { try parse(rows) }
        #expect(error?.problems.map(\.line) == [5])
        if isNumber {
            #expect(throws: Never.self) { try parse(rows, .numbers) }
        } else {
            #expect(throws: TableError.self) { try parse(rows, .numbers) }
        }
    }

    @Test("no ID can lead out of the folder of slices")
    func paths() {
        for id in ["ID_../../x", "/etc/x", "a\\b"] {
            let error = #expect(throws: TableError.self) { try parse(rows(id)) }
            #expect(error?.problems.first?.kind == .malformedID)
        }
    }

    @Test("a contradicting row names both lines; a slice without all types and an empty file are refused")
    func refused() {
        let contradiction = #expect(throws: TableError.self) { try parse(rows("ID_a") + ["ID_a_any,1"]) }
        #expect(
            contradiction?.description == "train.csv: line 8: ID_a_any appears again with the value 1; line 7 has 0")
        let cut = #expect(throws: TableError.self) { try parse(rows("ID_b") + ["ID_a_epidural,0"]) }
        #expect(cut?.problems.map(\.kind) == [.incompleteSlice])
        #expect(throws: TableError.self) { try LabelTable(parsing: [], name: "", values: .binary) }
    }
}
