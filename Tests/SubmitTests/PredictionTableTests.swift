import Basics
import Testing

@testable import Submit
@testable import TestSupport

@Suite("prediction table")
struct PredictionTableTests {
    @Test("a table written and read again is the same")
    func roundTrip() throws {
        let table = Tables.table(slices: 500, seed: 1)
        #expect(try PredictionTable(parsing: table.csv(), name: "t.csv") == table)
    }

    @Test("slices keep the order of first appearance, types may come in any order and apart from each other")
    func anyOrder() throws {
        let table = Tables.table(slices: 40, seed: 2)
        let lines = String(decoding: table.csv(), as: UTF8.self).split(separator: "\n").map(String.init)
        var generator = SplitMix64(state: 3)
        let shuffled = Tables.file(lines.dropFirst().shuffled(using: &generator))
        let read = try PredictionTable(parsing: shuffled, name: "t.csv")
        #expect(try read.values(for: table.sliceIDs, name: "") == table.values)
        #expect(read.contentHash() == table.contentHash())

        let swapped = try PredictionTable(
            parsing: Tables.file(Tables.rows("ID_b") + Tables.rows("ID_a").reversed()), name: "t.csv")
        #expect(swapped.sliceIDs == ["ID_b", "ID_a"])
        #expect(swapped.values == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    }

    @Test(
        "byte order mark, CRLF, CR, quotes, surrounding spaces, blank last lines and a missing last line end are accepted"
    )
    func accepted() throws {
        let plain = Tables.file(Tables.rows("ID_a") + Tables.rows("ID_b"))
        let expected = try PredictionTable(parsing: plain, name: "t.csv")
        let text = String(decoding: plain, as: UTF8.self)
        let quoted = text.split(separator: "\n").map { line in
            line.split(separator: ",").map { " \"\($0)\"\t" }.joined(separator: ",") + "\n"
        }
        let spaced = text.replacing(",", with: " , ").replacing("\n", with: "  \n")
        let variants = [
            "\u{FEFF}" + text, text.replacing("\n", with: "\r\n"), text.replacing("\n", with: "\r"), quoted.joined(),
            spaced,
            text + "\n", text + "\r\n  \n\n", String(text.dropLast()),
        ]
        for variant in variants {
            #expect(try PredictionTable(parsing: Array(variant.utf8), name: "t.csv") == expected)
        }
    }

    @Test("any collection of bytes can be read, contiguous or not")
    func anyCollection() throws {
        let bytes = Tables.file(Tables.rows("ID_a"))
        let expected = try PredictionTable(parsing: bytes, name: "t.csv")
        #expect(try PredictionTable(parsing: bytes[...], name: "t.csv") == expected)
        #expect(try PredictionTable(parsing: bytes.lazy.map { $0 }, name: "t.csv") == expected)
    }

    @Test("the content hash is the SHA-256 of the slices in ascending order with the shortest numbers")
    func contentHash() throws {
        // Computed with Python's hashlib over the canonical text.
        let expected = "55baeb3251af0f268482588a4bae647e67fdf3bbb30343cd95147722db5bacd2"
        let canonical = Tables.rows("ID_aa", ["0", "0.5", "1", "1e-06", "0.25", "0.1"]) + Tables.rows("ID_bb")
        let other =
            Tables.rows("ID_bb", ["1e-1", "0.20", ".3", "0.4", "0.5", "0.6"])
            + Tables.rows("ID_aa", ["-0", "0.5", "1.0", "0.000001", "0.25", "0.1"]).reversed()
        for rows in [canonical, other] {
            #expect(try PredictionTable(parsing: Tables.file(rows), name: "t.csv").contentHash() == expected)
        }
        let large = Tables.table(slices: 1000, seed: 5)
        let whole = Digest.sha256(large.csv())
        #expect(large.contentHash() == whole)
    }

    @Test("a changed bit of a value changes the content hash")
    func hashSeesEveryBit() {
        let table = Tables.table(slices: 3, seed: 6)
        var changed = table
        changed.values[7] = changed.values[7].nextUp
        #expect(changed.contentHash() != table.contentHash())
    }

    @Test("values for a list of slices come in its order; slices without any are named")
    func lookUp() throws {
        let table = Tables.table(slices: 10, seed: 7)
        let wanted = [table.sliceIDs[8], table.sliceIDs[2]]
        #expect(try table.values(for: wanted, name: "t.csv") == Array(table.values[48..<54] + table.values[12..<18]))
        let error = #expect(throws: TableError.self) {
            try table.values(for: ["ID_x", table.sliceIDs[0], "ID_y"], name: "t.csv")
        }
        #expect(error?.description == "t.csv: 2 slices have no prediction: ID_x, ID_y")
    }
}
