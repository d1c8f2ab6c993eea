import Metrics
import Testing

@testable import Submit

@Suite("differences and post-processing")
struct TableDifferenceTests {
    private let a = PredictionTable(
        sliceIDs: ["ID_a", "ID_b", "ID_c"], values: (0..<18).map { Double($0) / 20 })

    @Test("a table does not differ from itself in another order, and correlates with itself")
    func same() throws {
        let ids = Array(a.sliceIDs.reversed())
        let b = PredictionTable(sliceIDs: ids, values: try a.values(for: ids, name: ""))
        let found = TableDifference(a, b, worst: 5)
        #expect(found.largest == 0 && found.worst.isEmpty && found.commonSlices == 3)
        #expect(found.columns.allSatisfy { abs(($0.correlation ?? 0) - 1) < 1e-12 && $0.differing == 0 })
    }

    @Test("the largest and mean difference and the worst rows are those of the values that were changed")
    func changed() {
        var b = a
        b.values[1] += 0.25
        b.values[13] -= 0.5
        b.values[16] += 0.125
        let found = TableDifference(a, b, worst: 2)
        #expect(found.worst.map(\.id) == ["ID_c_intraparenchymal", "ID_a_intraparenchymal"])
        #expect(abs(found.largest - 0.5) < 1e-12)
        #expect(found.columns[1].differing == 2 && abs(found.columns[1].mean - 0.25) < 1e-12)
        #expect(found.columns[6].differing == 3 && found.columns[0].differing == 0)
        #expect(found.columns[6].type == nil)
    }

    /// numpy.corrcoef([0, .3, .6], [.2, .1, .9]) = 0.8029550685469661
    @Test("the correlation is numpy's, and a column of one value has none")
    func correlation() {
        func table(_ values: [Double]) -> PredictionTable {
            PredictionTable(
                sliceIDs: ["ID_a", "ID_b", "ID_c"], values: values.flatMap { [$0] + Array(repeating: 0.5, count: 5) })
        }
        let found = TableDifference(table([0, 0.3, 0.6]), table([0.2, 0.1, 0.9]), worst: 0)
        #expect(abs((found.columns[0].correlation ?? 0) - 0.8029550685469661) < 1e-12)
        #expect(found.columns[1].correlation == nil)
    }

    @Test("slices that only one table has are named and not compared")
    func lonely() {
        let b = PredictionTable(sliceIDs: ["ID_x", "ID_b"], values: Array(repeating: 0, count: 6) + a.values[6..<12])
        let found = TableDifference(a, b, worst: 3)
        #expect(found.onlyInFirst == ["ID_a", "ID_c"] && found.onlyInSecond == ["ID_x"])
        #expect(found.commonSlices == 1 && found.largest == 0)
        #expect(TableDifference(a, PredictionTable(sliceIDs: [], values: []), worst: 1).largest == 0)
    }

    @Test("the logical rules do what they say and nothing else")
    func logic() {
        let table = PredictionTable(sliceIDs: ["ID_a"], values: [0.1, 0.4, 0, 0, 0, 0.3])
        #expect(PostProcessing.anyAtLeastLargest.applied(to: table).values == [0.1, 0.4, 0, 0, 0, 0.4])
        #expect(PostProcessing.typesAtMostAny.applied(to: table).values == [0.1, 0.3, 0, 0, 0, 0.3])
        #expect(PostProcessing.anyAtMostSum.applied(to: table).values == table.values)
        let high = PredictionTable(sliceIDs: ["ID_a"], values: [0.125, 0.25, 0, 0, 0, 0.9])
        #expect(PostProcessing.anyAtMostSum.applied(to: high).values == [0.125, 0.25, 0, 0, 0, 0.375])
        #expect(PostProcessing.anyAtLeastLargest.applied(to: high).values == high.values)
        #expect(PostProcessing.clipping(0.2).applied(to: high).values == [0.2, 0.25, 0.2, 0.2, 0.2, 0.8])
    }

    @Test("the rolling mean takes the neighbours of the study, and at its ends those that there are")
    func smoothing() {
        let table = PredictionTable(
            sliceIDs: ["ID_a", "ID_b", "ID_c", "ID_d"],
            values: [0, 0.5, 1, 0.25].flatMap { Array(repeating: $0, count: 6) })
        let studies = [["ID_c", "ID_absent", "ID_a", "ID_b"]]
        let smooth = PostProcessing.smoothing(center: 2, side: 1).applied(to: table, studies: studies)
        // c = (2 + 0) / 3; a = (1 + 0 + 0.5) / 4; b = (0 + 1) / 3; d is in no study.
        let expected = [1.5 / 4, 1.0 / 3, 2.0 / 3, 0.25]
        for (slice, value) in expected.enumerated() { #expect(abs(smooth.values[slice * 6 + 3] - value) < 1e-15) }
        #expect(PostProcessing.smoothing(center: 1, side: 0).applied(to: table, studies: studies) == table)
    }

    @Test("studies are put in order by position, ties by ID; bad positions and missing columns are refused with lines")
    func studies() throws {
        let text = "ID,PositionOrd,StudyInstanceUID\nID_a,0.5,s2\nID_b,0.25,s2\nID_d,1,s1\nID_c,1,s1\n"
        #expect(try StudyTable(parsing: Array(text.utf8), name: "").studies == [["ID_c", "ID_d"], ["ID_b", "ID_a"]])
        let error = #expect(throws: TableError.self) {
            try StudyTable(parsing: Array((text + "ID_e,x,s1\n").utf8), name: "s.csv")
        }
        #expect(error?.problems.first?.line == 6)
        #expect(throws: TableError.self) { try StudyTable(parsing: Array("ID,Study\n".utf8), name: "") }
    }

    @Test("a column of a CSV file is read by slice; by row only if all rows of a slice agree")
    func sliceColumn() throws {
        let patients = try SliceColumn("PatientID", parsing: Array("fold,ID,PatientID\n0,ID_a,p1\n".utf8), name: "")
        #expect(try patients.values(for: ["ID_a"], name: "") == ["p1"])
        #expect(throws: TableError.self) { try patients.values(for: ["ID_b"], name: "") }
        let usage = "ID,Label,Usage\nID_a_any,0,Public\nID_a_subdural,0,Public\nID_b_any,1,Private\n"
        #expect(
            try SliceColumn("Usage", parsing: Array(usage.utf8), name: "").values == [
                "ID_a": "Public", "ID_b": "Private",
            ])
        for (text, line) in [("ID_a_epidural,0,Private\n", 5), ("ID_c_any,0,\n", 5)] {
            let error = #expect(throws: TableError.self) {
                try SliceColumn("Usage", parsing: Array((usage + text).utf8), name: "")
            }
            #expect(error?.problems.first?.line == line)
        }
        #expect(throws: TableError.self) {
            try SliceColumn("PatientID", parsing: Array("ID,PatientID\nID_a,p\nID_a,p\n".utf8), name: "")
        }
    }
}
