import Foundation
import Testing

@testable import Basics
@testable import Repro
@testable import Inputs
@testable import Program
@testable import TestSupport

@Suite("diff and postprocess commands")
struct TableCommandTests {
    private let a = TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.45"), ("ID_b", "0 0 0 0 0 0.5"))
    private let b = TableText.table(("ID_b", "0 0 0 0 0 0.75"), ("ID_a", "0.1 0.2 0.3 0.4 0.5 0.45"))

    @Test("diff matches by ID, shows the worst rows, and fails only beyond the tolerance")
    func diff() throws {
        let files = try TableFolder([
            "a.csv": a, "b.csv": b, "c.csv": TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.45")),
        ])
        let run = try ProgramRun("diff", files["a.csv"], files["b.csv"])
        #expect(run.status == 0)
        #expect(run.output.contains("ID_b_any      0.5    0.75        0.25"))
        #expect(try ProgramRun("diff", "-", files["b.csv"], "--tolerance", "0.25", input: a).status == 0)
        let far = try ProgramRun("diff", files["a.csv"], files["b.csv"], "--tolerance", "0.2")
        #expect(far.status == 1 && far.errors.contains("differ by up to 0.25, more than 0.2"))
        let lonely = try ProgramRun("diff", files["a.csv"], files["c.csv"], "--tolerance", "1")
        #expect(lonely.status == 1 && lonely.output.contains("1 slices: ID_b"))
        let json = try ProgramRun("diff", files["a.csv"], files["b.csv"], "--json")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(object["commonSlices"] as? Int == 2)
        for tolerance in ["nan", "inf", "1e400", "-1"] {
            let run = try ProgramRun("diff", files["a.csv"], files["b.csv"], "--tolerance=\(tolerance)")
            #expect(run.status == 64, "\(tolerance)")
        }
    }

    @Test("postprocess applies the steps that are asked for and writes the result")
    func applies() throws {
        let files = try TableFolder(["a.csv": a])
        let run = try ProgramRun(
            "postprocess", files["a.csv"], "--any-at-least-largest", "--clip", "0.05", "--out", "-")
        #expect(run.status == 0)
        #expect(
            run.output == TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.5"), ("ID_b", "0.05 0.05 0.05 0.05 0.05 0.5"))
        )
        for missing in [
            ["--out", "-"], ["--clip", "0.1"], ["--smooth", "1,1,1", "--out", "-"],
            ["--smooth", "1,2", "--order", files["a.csv"], "--out", "-"], ["--clip", "0.5", "--out", "-"],
        ] {
            #expect(try ProgramRun(["postprocess", files["a.csv"]] + missing).status == 64, "\(missing)")
        }
        // Sums of these are infinite, or have no digits.
        for weights in ["1e308,1e308,1e308", "1e-323,1e-323,1e-323", "0,1e-323,0", "1e7,1,1e7", "nan,1,nan"] {
            let run = try ProgramRun(
                "postprocess", files["a.csv"], "--smooth", weights, "--order", files["a.csv"], "--out", "-")
            #expect(run.status == 64 && run.errors.contains("--smooth: expected three weights"), "\(weights)")
        }
    }

    @Test("slices that the order lacks are counted and the first is named; an order that has none of them is refused")
    func order() throws {
        let header = "ID,StudyInstanceUID,PositionOrd\n"
        let files = try TableFolder([
            "a.csv": a, "whole.csv": header + "ID_b,s,0\nID_a,s,1\n", "part.csv": header + "ID_a,s,1\n",
            "other.csv": header + "ID_x,s,1\n",
        ])
        func run(_ order: String) throws -> ProgramRun {
            try ProgramRun("postprocess", files["a.csv"], "--smooth", "1,1,1", "--order", files[order], "--out", "-")
        }
        #expect(try run("whole.csv").errors.isEmpty)
        let part = try run("part.csv")
        #expect(part.status == 0 && part.errors.contains("part.csv: lacks 1 of 2 predicted slices"))
        #expect(part.errors.contains("not smoothed, the first ID_b."))
        let other = try run("other.csv")
        #expect(other.status == 65 && other.errors.contains("none of the predicted slices is listed"))
    }

    @Test("with a single patient no command shows an interval, and each says why")
    func onePatient() throws {
        let files = try TableFolder([
            "a.csv": a, "b.csv": b, "t.csv": TableText.table(("ID_a", "0 0 0 0 1 1"), ("ID_b", "0 0 0 0 0 0")),
            "people.csv": "ID,PatientID\nID_a,nan\nID_b,nan\n",
        ])
        let rest = ["--truth", files["t.csv"], "--patients", files["people.csv"], "--bootstrap", "9"]
        let note = "all slices are of one patient: no 95 % interval can be told"
        let score = try ProgramRun(["score", files["a.csv"], "--statistics"] + rest)
        #expect(score.status == 0 && score.output.contains(note) && !score.output.contains("95 % from"))
        #expect(!score.output.contains("("))
        let json = try ProgramRun(["score", files["a.csv"], "--json"] + rest).output
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let intervals = try #require(report["intervals"] as? [String: Any])
        #expect((intervals["note"] as? String)?.hasPrefix(note) == true && intervals["overall"] == nil)
        for command in [
            ["blend", "--fit", files["a.csv"], files["b.csv"]], ["postprocess", files["a.csv"], "--any-at-most-sum"],
        ] {
            let run = try ProgramRun(command + rest)
            #expect(run.status == 0 && run.errors.contains(note) && !run.output.contains("(95 %"), "\(run.errors)")
        }
    }

    @Test(
        "each step's effect is told with its interval: a step that helps every patient helps, one that changes nothing has none"
    )
    func effects() throws {
        let ids = (0..<12).map { "ID_\($0)" }
        func table(_ values: String) -> String { "ID,Label\n" + ids.map { TableText.slice($0, values) }.joined() }
        let files = try TableFolder([
            "p.csv": table("0.1 0.1 0.1 0.1 0.8 0.3"), "t.csv": table("0 0 0 0 1 1"),
            "people.csv": "ID,PatientID\n" + ids.map { "\($0),p\($0)\n" }.joined(),
            "order.csv": "ID,StudyInstanceUID,PositionOrd\n" + ids.enumerated().map { "\($1),s,\($0)\n" }.joined(),
        ])
        let run = try ProgramRun(
            "postprocess", files["p.csv"], "--smooth", "0.6,1.8,0.6", "--order", files["order.csv"],
            "--any-at-least-largest",
            "--truth", files["t.csv"], "--patients", files["people.csv"], "--bootstrap", "50")
        #expect(run.status == 0, "\(run.errors)")
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 4)
        #expect(lines[2].hasPrefix("smooth 0.6,1.8,0.6") && lines[2].hasSuffix("no clear effect"))
        #expect(lines[3].hasPrefix("any at least largest") && lines[3].hasSuffix("helps"))
        // 2/7 (log 0.8 - log 0.3) for every patient alike.
        #expect(lines[3].contains("-0.28024   -0.28024  -0.28024"))
    }
}

@Suite("audit of bare files")
struct AuditFilesTests {
    private let truth = TableText.table(("ID_a", "0 0 0 0 1 1"), ("ID_b", "0 0 0 0 0 0"))
    private let folds = "ID,PatientID,fold\nID_a,p,0\nID_b,q,1\n"
    private let first = TableText.table(("ID_a", "0.1 0.1 0.1 0.1 0.9 0.9"))
    private let second = TableText.table(("ID_b", "0.1 0.1 0.1 0.1 0.1 0.1"))

    private func audit(
        truth: String? = nil, folds: String? = nil, first: String? = nil, second: String? = nil,
        claimed: String = "0.10536"
    ) throws -> [String: AuditFinding] {
        let files = try TableFolder([
            "t.csv": truth ?? self.truth, "f.csv": folds ?? self.folds, "0.csv": first ?? self.first,
            "1.csv": second ?? self.second,
        ])
        let findings = try AuditCommand.parse([
            "--truth", files["t.csv"], "--folds", files["f.csv"], "--oof", files["0.csv"], "--oof", files["1.csv"],
            "--claimed", claimed,
        ]).findings()
        return Dictionary(uniqueKeysWithValues: findings.map { ($0.check, $0) })
    }

    @Test("sound files have no finding")
    func sound() throws {
        for finding in try audit().values { #expect(finding.verdict == .ok, "\(finding.line)") }
    }

    @Test("a patient in two folds, broken labels and repeated rows are found in the label and fold files")
    func labels() throws {
        #expect(
            try audit(folds: "ID,PatientID,fold\nID_a,p,0\nID_b,p,1\n")["each patient in one fold"]?.verdict == .failed)
        #expect(
            try audit(truth: truth.replacingOccurrences(of: "ID_a_any,1", with: "ID_a_any,0"))["any where a type is"]?
                .examples == ["ID_a (subdural)"])
        #expect(
            try audit(truth: truth + TableText.slice("ID_b", "0 0 0 0 0 0"))["each slice labelled once"]?.examples == [
                "ID_b"
            ])
    }

    @Test("predictions for slices of another fold, or of none, and slices predicted twice are not out of fold")
    func outOfFold() throws {
        let swapped = try audit(first: second, second: first)["out of fold is out of fold"]
        #expect(swapped?.verdict == .failed)
        #expect(swapped?.count == 2)
        let twice = try audit(second: second + TableText.slice("ID_a", "0 0 0 0 0 0"))
        #expect(twice["each slice predicted once"]?.verdict == .failed)
        #expect(twice["out of fold is out of fold"]?.examples.first?.contains("is of fold 0") == true)
        let stranger = try audit(second: second + TableText.slice("ID_x", "0 0 0 0 0 0"))["out of fold is out of fold"]
        #expect(stranger?.examples.first?.contains("is of no fold") == true)
    }

    @Test("a claimed score is reproduced to the decimals that it was given with, and no further")
    func claimed() throws {
        for claim in ["0.105", "0.1", "0.105360516"] {
            #expect(try audit(claimed: claim)["scores reproduced"]?.verdict == .ok, "\(claim)")
        }
        for claim in ["0.106", "0.105362", "0.10"] {
            #expect(try audit(claimed: claim)["scores reproduced"]?.verdict == .failed, "\(claim)")
        }
    }

    @Test("slices of a fold that its file lacks are found, and a claim says that they are why there is no score")
    func lacking() throws {
        let more = (truth: truth + TableText.slice("ID_c", "0 0 0 0 0 0"), folds: folds + "ID_c,r,1\n")
        let findings = try audit(truth: more.truth, folds: more.folds)
        #expect(findings["no slice left out"]?.verdict == .failed)
        #expect(findings["no slice left out"]?.examples == ["ID_c of fold 1"])
        #expect(
            findings["scores reproduced"]?.examples == ["the --oof files: 1 slice has no prediction: ID_c"])
    }

    @Test("a claim without decimals, or a clip that no score has, is bad usage: the check could not fail")
    func claimForm() throws {
        for bad in [
            ["--claimed", "0"], ["--claimed", "6e-2"], ["--claimed", "inf"], ["--claimed", "0.06", "--clip", "0.5"],
            ["--claimed", "0.06", "--clip", "nan"],
        ] {
            #expect(throws: (any Error).self) {
                try AuditCommand.parse(["--truth", "t", "--folds", "f", "--oof", "o"] + bad)
            }
        }
    }

    @Test("a type predicted higher than any is a note")
    func predictionLogic() throws {
        let finding = try audit(first: TableText.table(("ID_a", "0.1 0.1 0.1 0.1 0.9 0.8")))["any at least each type"]
        #expect(finding?.verdict == .note)
        #expect(finding?.examples == ["ID_a"])
    }

    @Test("a finding ends the program with 1 and has one line; files without what they need are bad usage")
    func command() throws {
        let files = try TableFolder(["t.csv": truth, "f.csv": folds, "0.csv": second])
        let run = try ProgramRun("audit", "--truth", files["t.csv"], "--folds", files["f.csv"], "--oof", files["0.csv"])
        #expect(run.status == 1)
        #expect(
            run.output.contains(
                "FAILED: out of fold is out of fold: 1: predictions that are called out-of-fold are for slices of other folds (ID_b in"
            ))
        #expect(try ProgramRun("audit", "--truth", files["t.csv"]).status == 64)
        #expect(try ProgramRun("audit").status == 64)
        #expect(try ProgramRun("audit", "--work", files.path, "--truth", files["t.csv"]).status == 64)
    }
}
