import Testing

@testable import Submit
@testable import TestSupport

@Suite("table reading")
struct TableReadingTests {
    /// Rows of many kinds: plain and odd ones, slices apart from each other, duplicates, contradictions and faults.
    private func mixedFile(slices: Int, seed: UInt64) -> [UInt8] {
        var generator = SplitMix64(state: seed)
        var rows: [String] = []
        for slice in 0..<slices {
            // Kaggle's form, others of its length, and short and long ones.
            let id = [
                "ID_\(String(0x1_0000_0000 + slice * 104_729, radix: 16))",
                "ID_00000000\("xyz".randomElement(using: &generator) ?? "x")\(slice % 3)", "s\(slice)",
                "a-very_long.ID-of-some-other-data-set_\(slice)",
            ][Int(generator.next() % 4)]
            let values = (0..<6).map { _ in
                [
                    "0", "1", "0.5", "1e-06", "\(Double.random(in: 0...1, using: &generator))",
                    "0.1234567890123456789012", "3.2E-5",
                ][Int(generator.next() % 7)]
            }
            rows += Tables.rows(id, values)
        }
        for _ in 0..<slices / 8 {
            let place = Int.random(in: 0..<rows.count, using: &generator)
            let row = rows[place]
            rows[place] =
                [
                    "\"\(row.replacing(",", with: "\",\""))\"", row.replacing(",", with: " ,\t"), row + "\r", row + "x",
                    "", row + ",", "\"" + row, row.replacing("_any", with: "_none"), row + "\n" + row,
                ][Int(generator.next() % 9)]
        }
        if seed % 2 == 0 { rows.shuffle(using: &generator) }
        return Tables.file(rows)
    }

    @Test(
        "the size of the chunks that are parsed at the same time changes nothing",
        arguments: 1...6 as ClosedRange<UInt64>)
    func chunkSize(seed: UInt64) {
        let file = mixedFile(slices: 120, seed: seed)
        var whole = TableReading(
            file, duplicatesAllowed: false, problems: ProblemLog(keeping: .max), chunkSize: .max / 2)
        for size in [1, 40, 333, 5000] {
            var reading = TableReading(
                file, duplicatesAllowed: false, problems: ProblemLog(keeping: .max), chunkSize: size)
            #expect(reading.sliceIDs == whole.sliceIDs)
            #expect(zip(reading.values, whole.values).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN })
            #expect(reading.problems.problems == whole.problems.problems)
            #expect(reading.problems.counts == whole.problems.counts)
            #expect(reading.lines == whole.lines)
        }
    }

    @Test("rows that are there twice, in chunks that are read at the same time, are found in the order of the file")
    func repeatedRows() {
        let first = (0..<300).flatMap { Tables.rows("ID_\(String(0x1_0000_0000 + $0, radix: 16))") }
        let second = first.enumerated().map { $0 % 7 == 0 ? $1 + "5" : $1 }
        let file = Tables.file(first + second)
        for duplicatesAllowed in [false, true] {
            let whole = TableReading(
                file, duplicatesAllowed: duplicatesAllowed, problems: ProblemLog(keeping: .max), chunkSize: .max / 2)
            #expect(whole.problems.counts[.contradiction] == 258)
            #expect(whole.problems.counts[.duplicate] == (duplicatesAllowed ? nil : 1542))
            #expect(whole.identicalDuplicates == 1542 && whole.repeatedSlices.count == 300)
            // The two rows of each pair are as many bytes apart as half the file, and so are the two chunks that hold them.
            for _ in 0..<20 {
                let reading = TableReading(
                    file, duplicatesAllowed: duplicatesAllowed, problems: ProblemLog(keeping: .max),
                    chunkSize: file.count / 2)
                #expect(reading.problems.problems == whole.problems.problems)
                #expect(reading.values == whole.values && reading.identicalDuplicates == 1542)
            }
        }
    }

    @Test(
        "plain rows are read as all others: with spaces around the fields the same table comes out",
        arguments: 1...4 as ClosedRange<UInt64>)
    func plainAndOther(seed: UInt64) throws {
        let table = Tables.table(slices: 200, seed: seed)
        let text = String(decoding: table.csv(), as: UTF8.self)
        let odd = try PredictionTable(parsing: Array(text.replacing(",", with: " , ").utf8), name: "t.csv")
        #expect(odd == table)
        #expect(try PredictionTable(parsing: Array(text.replacing("\n", with: "\r\n").utf8), name: "t.csv") == table)
    }

    @Test("a table read in the order of another has its slices in that order, and those of its own after them")
    func inOrder() throws {
        let table = Tables.table(slices: 50, seed: 3)
        let ids = Array(table.sliceIDs.reversed())
        let read = try PredictionTable(parsing: table.csv(), name: "", order: SliceIndex(ids))
        #expect(read.sliceIDs == ids)
        #expect(try read.values(for: table.sliceIDs, name: "") == table.values)
        let part = try PredictionTable(parsing: table.csv(), name: "", order: SliceIndex(["ID_absent"] + ids[10..<20]))
        #expect(part.sliceIDs == Array(ids[10..<20]) + table.sliceIDs.filter { !ids[10..<20].contains($0) })
        #expect(try part.values(for: table.sliceIDs, name: "") == table.values)
    }

    @Test("an index finds every ID it was given and no other, whether its keys are exact or hashes")
    func index() {
        let ids = (0..<2000).map { "ID_\(String(0x1_0000_0000 + $0, radix: 16))" } + (0..<2000).map { "slice-\($0)" }
        let index = SliceIndex(ids)
        #expect(index.numbers(of: ids) == Array(ids.indices))
        for other in ["ID_000000000", "ID_10000000", "ID_1000000000", "ID_10000000A", "slice-2000", "", "id_100000000"]
        {
            #expect(index[other] == nil)
        }
        #expect(SliceIndex(["a", "b", "a", "c"])["c"] == 3)
        #expect(SliceIndex(["a", "b", "a", "c"])["a"] == 0)
    }

    @Test("IDs are put in ascending order as text is")
    func ascending() {
        var generator = SplitMix64(state: 9)
        let letters = Array("ab0_-.")
        let ids = (0..<500).map { _ in
            "ID_"
                + String(
                    (0..<Int.random(in: 0...14, using: &generator)).map { _ in
                        letters.randomElement(using: &generator) ?? "a"
                    })
        }
        #expect(ascendingByID(ids).map { ids[$0] } == ids.sorted())
        #expect(ascendingByID([]) == [])
    }
}
