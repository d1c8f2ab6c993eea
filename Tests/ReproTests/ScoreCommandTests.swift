import Foundation
import Testing

@testable import Repro

@Suite("score command")
struct ScoreCommandTests {
    private let half = TableText.table(("ID_a", "0.5 0.5 0.5 0.5 0.5 0.5"), ("ID_b", "0.5 0.5 0.5 0.5 0.5 0.5"))
    private let truth = TableText.table(("ID_a", "0 0 0 0 0 0"), ("ID_b", "0 1 0 0 0 1"))
    private let folds = "ID,labels,fold\nID_a,,0\nID_b,intraparenchymal any,1\n"

    @Test("one half for everything scores log 2, beside the frequencies' score, in aligned columns")
    func table() throws {
        let files = try TableFolder(["p.csv": half, "t.csv": truth])
        let run = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"])
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        // Two of six types have frequency 1/2; with `any` twice that is 3/7 log 2 = 0.29706.
        #expect(
            run.output == """
                                      slices  epidural  intraparenchymal  intraventricular  subarachnoid  subdural      any  overall
                all                        2   0.69315           0.69315           0.69315       0.69315   0.69315  0.69315  0.69315
                constant frequencies       2   0.00000           0.69315           0.00000       0.00000   0.00000  0.69315  0.29706

                """)
    }

    @Test("with folds each fold has its row, and predictions may cover some folds only")
    func perFold() throws {
        let files = try TableFolder([
            "p.csv": half, "t.csv": truth, "f.csv": folds, "b.csv": TableText.table(("ID_b", "0 1 0 0 0 1")),
        ])
        let both = try ScoreCommand.parse([files["p.csv"], "--truth", files["t.csv"], "--folds", files["f.csv"]])
            .makeReport()
        #expect(both.folds?.map(\.fold) == [0, 1])
        #expect(both.folds?.map(\.slices) == [1, 1])
        let one = try ScoreCommand.parse([files["b.csv"], "--truth", files["t.csv"], "--folds", files["f.csv"]])
            .makeReport()
        #expect(one.folds?.map(\.fold) == [1])
        #expect(one.overall.overall < 1e-14)
    }

    @Test("JSON has every number unrounded, by the names of the types")
    func json() throws {
        let files = try TableFolder(["t.csv": truth, "lb.csv": "TeamId,Score\n1,0.5\n2,0.9\n"])
        let run = try ProgramRun(
            "score", "-", "--truth", files["t.csv"], "--leaderboard", files["lb.csv"], "--json", input: half)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let overall = try #require(object["overall"] as? [String: Any])
        // As text, since Foundation reads some doubles back with an error in the last place.
        #expect(run.output.contains(#""overall" : 0.6931471805599453"#))
        #expect(run.output.contains(#""subdural" : 0.6931471805599453"#))
        #expect((overall["per_type"] as? [String: Double])?.keys.sorted() == TableText.types.sorted())
        #expect(overall["slices"] as? Int == 2)
        #expect((object["standing"] as? [String: Any])?["rank"] as? Int == 2)
        #expect(object["predictions"] as? String == "standard input")
    }

    @Test("a leaderboard gives rank, share and medal")
    func leaderboard() throws {
        let teams = (1...1345).map { "\($0),team,2019-11-13,\(Double($0) / 1000)\n" }.joined()
        let files = try TableFolder([
            "p.csv": half, "t.csv": truth, "lb.csv": "TeamId,TeamName,SubmissionDate,Score\n" + teams,
        ])
        let report = try ScoreCommand.parse([
            files["p.csv"], "--truth", files["t.csv"], "--leaderboard", files["lb.csv"],
        ]).makeReport()
        #expect(report.text.hasSuffix("\nrank 694 of 1345 teams (top 51.6 %), no medal"))
    }

    private func failure(_ arguments: [String]) -> Failure? {
        #expect(throws: (any Error).self) { try ScoreCommand.parse(arguments).makeReport() }
        do {
            _ = try ScoreCommand.parse(arguments).makeReport()
            return nil
        } catch { return Failure(describing: error) }
    }

    @Test("missing predictions, labels, folds and files are named, each with its exit code")
    func failures() throws {
        let files = try TableFolder([
            "a.csv": TableText.table(("ID_a", "0 0 0 0 0 0")), "t.csv": truth, "half.csv": half, "f.csv": folds,
            "other.csv": "ID,fold\nID_z,0\n", "c.csv": TableText.table(("ID_c", "0 0 0 0 0 0")),
            "c-folds.csv": "ID,fold\nID_c,0\n", "both.csv": "ID,fold\nID_a,0\nID_b,0\n",
        ])
        let missing = failure([files["a.csv"], "--truth", files["t.csv"]])
        #expect(missing?.status == .badInput)
        #expect(missing?.message.contains("1 slice has no prediction: ID_b") == true)
        let partFold = failure([files["a.csv"], "--truth", files["t.csv"], "--folds", files["both.csv"]])
        #expect(partFold?.message.contains("1 slice has no prediction: ID_b") == true)
        let otherFolds = failure([files["a.csv"], "--truth", files["t.csv"], "--folds", files["other.csv"]])
        #expect(otherFolds?.message.contains("none of the predicted slices") == true)
        let unlabelled = failure([files["c.csv"], "--truth", files["t.csv"], "--folds", files["c-folds.csv"]])
        #expect(unlabelled?.message.contains("1 slice has no labels: ID_c") == true)
        #expect(failure([files["half.csv"], "--truth", files["absent.csv"]])?.status == .inputMissing)
        #expect(failure([files.path, "--truth", files["t.csv"]])?.status == .inputMissing)
        #expect(failure([files["half.csv"], "--truth", files["t.csv"], "--clip", "0.7"])?.status == .badUsage)
        #expect(failure(["-", "--truth", "-"])?.status == .badUsage)
    }

    @Test("slices that are predicted but not in the truth are left out and counted on stderr")
    func unscored() throws {
        let more = half + TableText.slice("ID_c", "0 0 0 0 0 0")
        let files = try TableFolder(["p.csv": more, "t.csv": truth])
        let run = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"])
        #expect(run.status == 0)
        #expect(run.errors.contains("1 predicted slice is not scored"))
    }

    @Test("a malformed file ends the program with 65 and its name and lines, a missing one with 66, bad usage with 64")
    func exitCodes() throws {
        let files = try TableFolder(["bad.csv": half + "ID_b_any,0.5\n", "t.csv": truth])
        let bad = try ProgramRun("score", files["bad.csv"], "--truth", files["t.csv"])
        #expect(bad.status == 65)
        #expect(bad.errors.contains("bad.csv: line 14: ID_b_any appears again"))
        #expect(bad.output.isEmpty)
        #expect(try ProgramRun("score", files["none.csv"], "--truth", files["t.csv"]).status == 66)
        #expect(try ProgramRun("score", files["bad.csv"]).status == 64)
    }
}
