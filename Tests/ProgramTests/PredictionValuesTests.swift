import Foundation
import Metrics
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("Values and forms of prediction files")
struct PredictionValuesTests {
    private let truth = TableText.table(
        ("ID_a", "0 0 0 0 1 1"), ("ID_b", "0 0 0 0 0 0"), ("ID_c", "1 0 0 0 0 1"), ("ID_d", "0 0 0 0 0 0"))
    private let folds = "ID,PatientID,fold\nID_a,p,0\nID_b,q,0\nID_c,r,1\nID_d,s,1\n"
    /// What a network gives before the last function, and what that makes of it.
    private var logits: String {
        truth.replacingOccurrences(of: ",0\n", with: ",-3\n").replacingOccurrences(of: ",1\n", with: ",2\n")
    }
    private var probabilities: String {
        truth.replacingOccurrences(of: ",0\n", with: ",\(logistic(-3))\n")
            .replacingOccurrences(of: ",1\n", with: ",\(logistic(2))\n")
    }

    @Test("logits and percent are refused by score, blend, its --fit, postprocess and audit; --logits converts them")
    func logitsEverywhere() throws {
        let percent = truth.replacingOccurrences(of: ",1\n", with: ",88\n").replacingOccurrences(
            of: ",0\n", with: ",3\n")
        let files = try TableFolder([
            "l.csv": logits, "p.csv": probabilities, "percent.csv": percent, "t.csv": truth, "f.csv": folds,
        ])
        let (truth, folds) = (["--truth", files["t.csv"]], ["--folds", files["f.csv"]])
        func commands(_ name: String) -> [[String]] {
            [
                ["score", files[name]] + truth, ["blend", files[name], "--out", "-"],
                ["blend", files[name], files[name], "--fit"] + truth + folds,
                ["postprocess", files[name], "--clip", "1e-9", "--out", "-"],
                ["audit", "--oof", files[name]] + truth + folds,
            ]
        }
        for (bad, words) in [("l.csv", "look like logits"), ("percent.csv", "look like percent")] {
            for command in commands(bad) {
                let run = try ProgramRun(command)
                #expect(run.status == 65, "\(command)")
                #expect(run.errors.contains("\(bad): 24 problems") && run.errors.contains(words), "\(run.errors)")
                #expect(run.errors.contains("line 2: the value ") && run.output.isEmpty)
            }
        }
        for (command, plain) in zip(commands("l.csv"), commands("p.csv")) {
            let converted = try ProgramRun(command + ["--logits"])
            let expected = try ProgramRun(plain)
            #expect(converted.status == expected.status)
            #expect(
                converted.output.replacingOccurrences(of: "l.csv", with: "p.csv") == expected.output, "\(command)")
            #expect(try ProgramRun(plain + ["--logits"]).errors.contains("Leave out --logits"))
        }
    }

    @Test("a file that seems to be cut off in its last number is noted, one that only lacks its last line end is not")
    func cutOff() throws {
        let ids = (0..<20).map { "ID_\($0)" }
        func table(_ values: String) -> String { "ID,Label\n" + ids.map { TableText.slice($0, values) }.joined() }
        let p = table("0.123456 0.234567 0.345678 0.456789 0.567891 0.678912")
        let files = try TableFolder([
            "p.csv": p, "open.csv": String(p.dropLast()), "cut.csv": String(p.dropLast(4)),
            "short.csv": String(table("0.1 0.2 0.3 0.4 0.5 0").dropLast()), "t.csv": table("0 0 0 0 1 1"),
        ])
        for (name, isNoted) in [("p.csv", false), ("open.csv", false), ("cut.csv", true), ("short.csv", false)] {
            let score = try ProgramRun("score", files[name], "--truth", files["t.csv"])
            #expect(
                score.status == 0 && score.errors.contains("\(name): the last line has no end") == isNoted, "\(name)")
            let verify = try ProgramRun("verify", files[name], "--sample", files["t.csv"])
            #expect(verify.output.contains("note: the last line has no end") == isNoted, "\(name)")
        }
    }

    @Test("values that rounding put beyond 1 are held there, and that is said")
    func rounding() throws {
        let files = try TableFolder(["p.csv": TableText.table(("ID_a", "1.0000005 0 0 -1e-9 0 1"))])
        let run = try ProgramRun("blend", files["p.csv"], "--out", "-")
        #expect(run.status == 0 && run.output == TableText.table(("ID_a", "1 0 0 0 0 1")))
        #expect(run.errors.contains("p.csv: 2 values are beyond 0 or 1 by rounding"))
    }

    @Test("a table whose name promises compression is compressed, the same each time, by every command that writes one")
    func compressedOutput() throws {
        let files = try TableFolder(["p.csv": probabilities])
        let plain = try ProgramRun("blend", files["p.csv"], "--out", "-").output
        for suffix in ["gz", "bz2", "xz"] {
            let out = files["out.csv.\(suffix)"]
            for command in [["blend", files["p.csv"]], ["postprocess", files["p.csv"], "--clip", "1e-9"]] {
                #expect(try ProgramRun(command + ["--out", out]).status == 0)
                let bytes = try Data(contentsOf: URL(fileURLWithPath: out))
                #expect(bytes.count < plain.utf8.count && bytes.first != UInt8(ascii: "I"))
                #expect(try CompressedInput.unpacked(bytes, name: out) == Data(plain.utf8))
                #expect(try ProgramRun(command + ["--out", out]).status == 0)
                #expect(try Data(contentsOf: URL(fileURLWithPath: out)) == bytes)
            }
            #expect(try ProgramRun("diff", out, files["p.csv"], "--tolerance", "0").status == 0)
        }
        let zip = try ProgramRun("blend", files["p.csv"], "--out", files["out.zip"])
        #expect(zip.status == 64 && zip.errors.contains(".gz, .bz2 or .xz"))
    }

    @Test("teams without a score are left out of the rank, and that is said")
    func teamsWithoutScore() throws {
        let files = try TableFolder([
            "p.csv": probabilities, "t.csv": truth,
            "lb.csv":
                "teamId,teamName,submissionDate,score\n1,a,2019-11-13,0.01\n2,b,2019-11-13,2.5\n3,c,2019-11-13,\n",
        ])
        let run = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"], "--leaderboard", files["lb.csv"])
        #expect(run.status == 0 && run.output.contains("rank 2 of 2 teams"))
        #expect(run.errors.contains("lb.csv: left out, for they have no score: 1 team"))
    }

    @Test("a pointer, a page or a database in the place of a table is called that, whichever option it was given with")
    func impostors() throws {
        let files = try TableFolder([
            "p.csv": probabilities, "t.csv": truth,
            "lfs.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:ab\n",
            "page.csv": "<!DOCTYPE html><html></html>", "c.csv": "SQLite format 3\0 ",
        ])
        let (p, t) = (files["p.csv"], files["t.csv"])
        for (name, words) in [("lfs.csv", "git lfs pull"), ("page.csv", "web page"), ("c.csv", "SQLite")] {
            let path = files[name]
            for command in [
                ["score", path, "--truth", t], ["score", p, "--truth", path],
                ["score", p, "--truth", t, "--folds", path],
                ["score", p, "--truth", t, "--leaderboard", path], ["score", p, "--truth", t, "--public-split", path],
                ["diff", path, p], ["verify", p, "--sample", path], ["blend", path, "--out", "-"],
            ] {
                let run = try ProgramRun(command)
                #expect(run.status == 65 && run.errors.contains(words), "\(command): \(run.errors)")
            }
        }
        #expect(try ProgramRun("verify", files["lfs.csv"], "--sample", p).output.contains("git lfs pull"))
    }
}
