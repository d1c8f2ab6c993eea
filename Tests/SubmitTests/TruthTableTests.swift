import Testing

@testable import Submit

@Suite("truth, folds and leaderboards")
struct TruthTableTests {
    private let labels = ["0", "1", "0", "0.0", "1.0", "1"]

    @Test("labels are read, and rows that repeat an earlier one exactly are counted and tolerated")
    func duplicatesTolerated() throws {
        let rows = Tables.rows("ID_a", labels) + Tables.rows("ID_b", labels.reversed()) + Tables.rows("ID_a", labels)
        let truth = try TruthTable(parsing: Tables.file(rows), name: "train.csv")
        #expect(truth.sliceIDs == ["ID_a", "ID_b"])
        #expect(truth.labels == [false, true, false, false, true, true, true, true, false, false, true, false])
        #expect(truth.duplicateRows == 6)
        #expect(try truth.labels(for: ["ID_b"], name: "") == Array(truth.labels.suffix(6)))
    }

    @Test("contradicting rows and labels but 0 and 1 are refused with their lines")
    func refused() {
        let rows = Tables.rows("ID_a", labels) + ["ID_a_any,0"] + Tables.rows("ID_b", ["0", "0", "0", "0", "2", "0.5"])
        let error = #expect(throws: TableError.self) { try TruthTable(parsing: Tables.file(rows), name: "train.csv") }
        #expect(error?.problems.map(\.kind) == [.contradiction, .malformedValue, .malformedValue])
        #expect(error?.problems.map(\.line) == [8, 13, 14])
    }

    @Test("slices without labels are named")
    func withoutLabels() throws {
        let truth = try TruthTable(parsing: Tables.file(Tables.rows("ID_a", labels)), name: "train.csv")
        let error = #expect(throws: TableError.self) { try truth.labels(for: ["ID_q"], name: "train.csv") }
        #expect(error?.description == "train.csv: 1 slice has no labels: ID_q")
    }

    @Test("folds are found by column name in an export with other columns")
    func folds() throws {
        let text = "ID,labels,PatientID,fold\nID_a,epidural any,ID_1,3\nID_b,,ID_2,0\n"
        let table = try FoldTable(parsing: Array(text.utf8), name: "train.csv")
        #expect(table.sliceIDs == ["ID_a", "ID_b"])
        #expect(table.folds == [3, 0])
    }

    @Test("a fold file without the columns, with a bad fold, a slice twice or a short row is refused with lines")
    func badFolds() {
        func faults(_ text: String) -> [String] {
            do throws(TableError) {
                _ = try FoldTable(parsing: Array(text.utf8), name: "f.csv")
                return []
            } catch { return error.problems.map { "\($0.kind.rawValue) \($0.line ?? 0)" } }
        }
        #expect(faults("ID,labels\nID_a,any\n") == ["header 1"])
        #expect(faults("") == ["header 1"])
        #expect(faults("ID,fold\n") == ["malformed-row 1"])
        #expect(
            faults("ID,fold\nID_a,0\nID_b,-1\nID_c,1.5\nID_a,0\nID_d\n") == [
                "malformed-value 3", "malformed-value 4", "duplicate 5", "malformed-row 6",
            ])
    }

    @Test("both layouts of Kaggle's leaderboard give one score a team, its best")
    func leaderboards() throws {
        let history = #"""
            TeamId,TeamName,SubmissionDate,Score
            1,"Team, with ""comma""",2019-11-01 00:00:00,0.07
            2,B,2019-11-01 00:00:00,0.06
            1,"Team, with ""comma""",2019-11-02 00:00:00,0.05
            """#
        let ranked = #"""
            Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames
            1,1,A "quoted" name,2019-11-13 10:00:00,0.05,10,"a,b"
            2,2,B,2019-11-13 10:00:00,0.06,3,c
            """#
        for text in [history, ranked] {
            #expect(try Leaderboard(parsing: Array(text.utf8), name: "lb.csv").scores == [0.05, 0.06])
        }
        let error = #expect(throws: TableError.self) {
            try Leaderboard(parsing: Array((history + "\n3,C,2019-11-01,0.1x\n").utf8), name: "lb.csv")
        }
        #expect(error?.problems.first?.line == 5)
    }
}
