import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("blend command")
struct BlendCommandTests {
    private let a = TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.6"), ("ID_b", "0 0 0 0 0 0"))
    private let b = TableText.table(("ID_b", "1 1 1 1 1 1"), ("ID_a", "0.5 0.5 0.5 0.5 0.5 0.5"))

    @Test("a blend is written by ID, clipped, in the order of the first file, with the hash of its content")
    func writes() throws {
        let files = try TableFolder(["a.csv": a, "b.csv": b])
        let run = try ProgramRun(
            "blend", files["a.csv"], files["b.csv"], "--weights", "1, 0", "--clip", "0.25", "--out", files["out.csv"])
        #expect(run.status == 0)
        #expect(
            try files.text("out.csv")
                == TableText.table(("ID_a", "0.25 0.25 0.3 0.4 0.5 0.6"), ("ID_b", "0.25 0.25 0.25 0.25 0.25 0.25")))
        #expect(run.output.contains("2 files blended, 2 slices, content SHA-256 "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.path).count == 3)
    }

    @Test("without weights it is the mean, and - reads standard input and writes standard output")
    func pipes() throws {
        let files = try TableFolder(["b.csv": b])
        let run = try ProgramRun("blend", "-", files["b.csv"], "--out", "-", input: a)
        #expect(run.status == 0)
        #expect(
            run.output == TableText.table(("ID_a", "0.3 0.35 0.4 0.45 0.5 0.55"), ("ID_b", "0.5 0.5 0.5 0.5 0.5 0.5")))
    }

    @Test("files joined with commas are averaged first and count as one")
    func nested() throws {
        let c = TableText.table(("ID_a", "0.9 0.9 0.9 0.9 0.9 0.9"), ("ID_b", "0.25 0.25 0.25 0.25 0.25 0.25"))
        let files = try TableFolder(["a.csv": a, "b.csv": b, "c.csv": c, "x,y.csv": c])
        let run = try ProgramRun("blend", "\(files["a.csv"]),\(files["b.csv"])", files["c.csv"], "--out", "-")
        // (mean(0, 1) + 0.25) / 2 for ID_b.
        #expect(run.output.contains("ID_b_any,0.375\n"))
        let comma = try ProgramRun("blend", files["x,y.csv"], "--out", "-")
        #expect(comma.output == c)
        #expect(try ProgramRun("blend", "\(files["a.csv"]),", "--out", "-").status == 64)
    }

    @Test("other means are asked for by name")
    func means() throws {
        let files = try TableFolder(["a.csv": a, "b.csv": b])
        let rank = try ProgramRun("blend", files["a.csv"], files["b.csv"], "--mean", "rank", "--out", "-")
        // ID_a is the higher in one file and the lower in the other.
        #expect(rank.output.contains("ID_a_any,0.75\n") && rank.output.contains("ID_b_any,0.75\n"))
        #expect(try ProgramRun("blend", files["a.csv"], "--mean", "harmonic", "--out", "-").status == 64)
    }

    @Test("--fit gives all the weight to the file that is right, tells the honest gain, and writes that blend")
    func fit() throws {
        let truth = TableText.table(
            ("ID_a", "0 0 0 0 1 1"), ("ID_b", "0 0 0 0 0 0"), ("ID_c", "1 0 0 0 0 1"), ("ID_d", "0 0 0 0 0 0"))
        let right = truth.replacingOccurrences(of: ",0", with: ",0.1").replacingOccurrences(of: ",1", with: ",0.9")
        let wrong = truth.replacingOccurrences(of: ",0", with: ",0.6").replacingOccurrences(of: ",1", with: ",0.4")
        let files = try TableFolder([
            "t.csv": truth, "right.csv": right, "wrong.csv": wrong,
            "f.csv": "ID,PatientID,fold\nID_a,p,0\nID_b,q,0\nID_c,r,1\nID_d,s,1\n",
            "leak.csv": "ID,PatientID,fold\nID_a,p,0\nID_b,q,0\nID_c,p,1\nID_d,s,1\n",
        ])
        let arguments = [
            "blend", files["wrong.csv"], files["right.csv"], "--fit", "--truth", files["t.csv"], "--folds",
        ]
        let run = try ProgramRun(arguments + [files["f.csv"], "--out", files["out.csv"]])
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n").filter { $0.hasPrefix("fitted") }
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix(" 0.10536  0.0000  1.0000") == true)
        #expect(lines.last?.hasPrefix("fitted, each fold with the weights of the others") == true)
        #expect(lines.last?.hasSuffix(" 0.10536") == true)
        // log 0.65 - log 0.9 for every patient alike.
        #expect(
            run.output.contains(
                "effect against equal weights: in sample -0.32542, honest -0.32542 (95 % from -0.32542 to -0.32542)"))
        #expect(run.output.contains("--weights 0.0,1.0"))
        #expect(try files.text("out.csv") == right)
        let leak = try ProgramRun(arguments + [files["leak.csv"]])
        #expect(leak.status == 65 && leak.errors.contains("patient p is in folds 0 and 1"))
        let unknown = try ProgramRun(Array(arguments.dropLast()))
        #expect(unknown.output.contains("in sample -0.32542\n"))
        let people = try ProgramRun(Array(arguments.dropLast()) + ["--patients", files["f.csv"], "--json"])
        let object = try #require(try JSONSerialization.jsonObject(with: Data(people.output.utf8)) as? [String: Any])
        let gain = try #require(object["gain"] as? [String: Any])
        #expect(gain["honest"] == nil && (gain["interval"] as? [String: Double])?.keys.sorted() == ["high", "low"])
        #expect(try ProgramRun("blend", files["right.csv"], "--fit").status == 64)
        #expect(try ProgramRun("blend", files["a.csv"], "--patients", files["f.csv"], "--out", "-").status == 64)
        #expect(try ProgramRun("blend", files["right.csv"]).status == 64)
        let three = try ProgramRun(
            "blend", files["right.csv"], files["wrong.csv"], files["wrong.csv"], "--fit", "--truth", files["t.csv"])
        #expect(three.output.components(separatedBy: "the original's weights").count == 3)
    }

    @Test("JSON says what was done")
    func json() throws {
        let files = try TableFolder(["a.csv": a, "b.csv": b])
        let run = try ProgramRun("blend", files["a.csv"], files["b.csv"], "--out", files["out.csv"], "--json")
        let object = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        #expect(object["slices"] as? Int == 2)
        #expect(object["weights"] as? [Double] == [0.5, 0.5])
        #expect((object["content_sha256"] as? String)?.count == 64)
    }

    @Test("weights that do not fit are bad usage, files that do not are bad input, and nothing is written")
    func failures() throws {
        let files = try TableFolder(["a.csv": a, "b.csv": b, "c.csv": TableText.table(("ID_a", "0 0 0 0 0 0"))])
        for weights in ["0.5", "1,1", "x,1", "0.5,,0.5", "nan,1"] {
            let run = try ProgramRun(
                "blend", files["a.csv"], files["b.csv"], "--weights", weights, "--out", files["out.csv"])
            #expect(run.status == 64, "\(weights)")
        }
        let sum = try ProgramRun("blend", files["a.csv"], files["b.csv"], "--weights", "1,3", "--out", files["out.csv"])
        #expect(sum.errors.contains("the weights sum to 4, not to 1; the same proportions are 0.25,0.75"))
        let clip = try ProgramRun("blend", files["a.csv"], "--clip", "0.5", "--out", files["out.csv"])
        #expect(clip.status == 64)
        let slices = try ProgramRun("blend", files["a.csv"], files["c.csv"], "--out", files["out.csv"])
        #expect(slices.status == 65)
        #expect(slices.errors.contains("c.csv: 1 slice has no prediction: ID_b"))
        let folder = try ProgramRun("blend", files["a.csv"], "--out", files["no/such/out.csv"])
        #expect(folder.status == 74)
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.path).count == 3)
    }
}
