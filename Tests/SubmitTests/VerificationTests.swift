import Testing

@testable import Submit

@Suite("verification")
struct VerificationTests {
    private let sample = PredictionTable(
        sliceIDs: ["ID_a", "ID_b", "ID_c"], values: Array(repeating: 0.5, count: 18))

    /// A submission for the sample that has no fault.
    private let sound =
        Tables.rows("ID_a") + Tables.rows("ID_b", ["0.2", "0.3", "0.4", "0.5", "0.6", "0.7"])
        + Tables.rows("ID_c", ["0", "1", "0", "1", "1e-06", "0.9"])

    private func faults(_ rows: [String]) -> [String] {
        verify(Tables.file(rows), sample: sample).problems.map {
            "\($0.kind.rawValue) \($0.line.map(String.init) ?? "-")"
        }
    }

    @Test("a sound submission has no problem, no note, and the hash of its content")
    func noFault() throws {
        let result = verify(Tables.file(sound), sample: sample)
        #expect(result.isValid)
        #expect(result.problems.isEmpty && result.notes.isEmpty)
        #expect(result.slices == 3)
        #expect(result.contentHash == (try PredictionTable(parsing: Tables.file(sound), name: "")).contentHash())
    }

    @Test("another order of rows is a note and no problem")
    func order() {
        let slices = verify(Tables.file(Array(sound[6...] + sound[..<6])), sample: sample)
        #expect(slices.isValid)
        #expect(slices.notes.count == 1)
        #expect(slices.notes.first?.hasPrefix("from line 2 on, the slices are in another order") == true)
        let types = verify(Tables.file(sound[..<6].reversed() + sound[6...]), sample: sample)
        #expect(types.isValid)
        #expect(types.notes.count == 1)
    }

    @Test("missing slices are named, extra ones have a line")
    func slices() {
        #expect(faults(Array(sound[..<12])) == ["missing-slice -"])
        #expect(faults(sound + Tables.rows("ID_x")) == ["extra-slice 20"])
        #expect(faults(sound[..<12] + Tables.rows("ID_x")) == ["extra-slice 14", "missing-slice -"])
    }

    @Test("values outside [0, 1] are reported with their lines")
    func range() {
        var rows = sound
        rows[3] = "ID_a_subarachnoid,-1e-09"
        rows[17] = "ID_c_any,1.0000000000000002"
        #expect(faults(rows) == ["out-of-range 5", "out-of-range 19"])
    }

    @Test("a column with the same value everywhere is reported")
    func constantColumn() {
        let rows = sound.map { $0.contains("_any,") ? String($0.split(separator: ",")[0]) + ",0.5" : $0 }
        let result = verify(Tables.file(rows), sample: sample)
        #expect(result.problems.map(\.message) == ["every slice has the same value, 0.5, for any"])
    }

    @Test("values that look like logits or percent are named as such; a single value out of range is not")
    func scales() {
        func notes(_ values: [String]) -> [String] {
            let rows = ["ID_a", "ID_b", "ID_c"].flatMap { Tables.rows($0, values) }
            return verify(Tables.file(rows), sample: sample).notes
        }
        #expect(notes(["-3.5", "-2", "0.1", "-4", "1.5", "2"]).first?.contains("look like logits") == true)
        #expect(notes(["0", "1.5", "20", "99.9", "4", "100"]).first?.contains("look like percent") == true)
        #expect(notes(["0", "0.5", "1", "0.1", "0.2", "0.3"]).isEmpty)
        #expect(notes(["0", "0.5", "1000", "0.1", "0.2", "0.3"]).isEmpty)
    }

    @Test("the sample itself, in whatever order and spelling, is recognised")
    func equalsSample() {
        let rows = ["ID_c", "ID_a", "ID_b"].flatMap { Tables.rows($0, Array(repeating: "0.50", count: 6)) }
        let result = verify(Tables.file(rows), sample: sample)
        #expect(result.counts[.equalsSample] == 1)
        #expect(result.counts[.constantColumn] == 6)
    }

    @Test("every fault of a file is found in one pass, in order of lines")
    func collectsAll() {
        var rows = sound
        rows[0] = "ID_a_epidural,nan"
        rows[2] = "ID_a_ventricular,0.1"
        rows[4] = "ID_a_subdural;0.4"
        rows[8] = "ID_b_intraventricular,7"
        rows.append("ID_c_any,0.8")
        rows.append("ID_c_any,0.9")
        #expect(
            faults(rows) == [
                "not-finite 2", "incomplete-slice 2", "unknown-type 4", "malformed-row 6", "out-of-range 10",
                "contradiction 20",
                "duplicate 21",
            ])
        #expect(verify(Tables.file(rows), sample: sample).contentHash == nil)
    }

    @Test("of many problems as many are kept as asked for and all are counted")
    func keeps() {
        let rows = sound + (0..<50).flatMap { Tables.rows("ID_x\($0)") }
        let result = verify(Tables.file(rows), sample: sample, keeping: 3)
        #expect(result.problems.count == 3)
        #expect(result.counts == [.extraSlice: 50])
        #expect(verify(Tables.file(rows), sample: sample).problems.count == 50)
    }

    @Test("a file that is no table has one problem, its header")
    func noTable() {
        #expect(verify(Array("<html>".utf8), sample: sample).problems.map(\.kind) == [.header])
    }
}

@Suite("golden hashes")
struct GoldenTests {
    private let hash = String(repeating: "0a", count: 32)

    @Test("a golden file is an about and a hash a stage")
    func read() throws {
        let text = #"{"about": "made by a test", "stages": {"submission": "\#(hash)", "folds": "\#(hash)"}}"#
        let golden = Golden(about: "made by a test", stages: ["submission": hash, "folds": hash])
        #expect(try Golden(parsing: Array(text.utf8), name: "g.json") == golden)
    }

    @Test("a file of another form and a hash that is none are refused by name")
    func refused() {
        for text in [
            "", "{}", "[1]", #"{"about": "x", "stages": {"a": 1}}"#, #"{"about": "x", "stages": {"a": "12"}}"#,
        ] {
            let error = #expect(throws: GoldenError.self) { try Golden(parsing: Array(text.utf8), name: "g.json") }
            #expect(error?.description.hasPrefix("g.json: ") == true)
        }
        #expect(!isSHA256(hash.uppercased()))
        #expect(isSHA256(hash))
    }
}
