import Foundation
import Submit
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("verify command")
struct VerifyCommandTests {
    private let sample = TableText.table(("ID_a", "0.5 0.5 0.5 0.5 0.5 0.5"), ("ID_b", "0.5 0.5 0.5 0.5 0.5 0.5"))
    private let sound = TableText.table(("ID_a", "0.1 0.2 0.3 0.4 0.5 0.6"), ("ID_b", "0 0.1 0.2 0.3 0.4 1"))
    private let reordered = TableText.table(("ID_b", "0 0.1 0.2 0.3 0.4 1.0"), ("ID_a", "0.1 0.2 0.3 0.4 0.5 0.6"))

    @Test("a sound submission passes every check with exit code 0")
    func noFault() throws {
        let files = try TableFolder(["s.csv": sound, "sample.csv": sample])
        let run = try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"])
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(!run.output.contains("FAILED"))
        #expect(run.output.contains("content SHA-256 "))
    }

    @Test("every problem is listed with its line, and the exit code is 1")
    func problems() throws {
        let broken =
            sound.replacingOccurrences(of: "ID_a_subdural,0.5", with: "ID_a_subdural,1.5")
            .replacingOccurrences(of: "ID_b_any,1", with: "ID_b_any,nan") + TableText.slice("ID_x", "0 0 0 0 0 0")
        let files = try TableFolder(["sample.csv": sample])
        let run = try ProgramRun("verify", "-", "--sample", files["sample.csv"], input: broken)
        #expect(run.status == 1)
        #expect(run.output.contains("standard input: line 6: the value 1.5 of ID_a_subdural is not a probability"))
        #expect(run.output.contains("standard input: line 13: the label 'nan' is not a finite number"))
        #expect(run.output.contains("standard input: line 14: slice ID_x is not in the sample"))
        #expect(run.output.contains("finite numbers               FAILED         1"))
        #expect(run.errors == "repro: error: standard input: 3 of 10 checks failed.\n")
    }

    @Test("a golden hash is compared by content, given itself or in a golden file")
    func golden() throws {
        let hash = try PredictionTable(parsing: Array(sound.utf8), name: "").contentHash()
        let files = try TableFolder([
            "s.csv": reordered, "sample.csv": sample,
            "golden.json": #"{"about": "a test", "stages": {"submission": "\#(hash)"}}"#,
            "other.json": #"{"about": "a test", "stages": {"submission": "\#(String(hash.reversed()))"}}"#,
            "without.json": #"{"about": "a test", "stages": {"folds": "\#(hash)"}}"#,
        ])
        func status(_ golden: String) throws -> Int32 {
            try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"], "--golden", golden).status
        }
        #expect(try status(hash) == 0)
        #expect(try status(hash.uppercased()) == 0)
        #expect(try status(files["golden.json"]) == 0)
        #expect(try status(String(hash.reversed())) == 1)
        #expect(try status(files["other.json"]) == 1)
        #expect(try status(files["without.json"]) == 65)
        #expect(try status(files["sample.csv"]) == 1)
        #expect(try status(files["s.csv"]) == 0)
        #expect(try status("0123abcd") == 66)
    }

    @Test("either hash is golden, and what it means that one is the same and the other not is said")
    func twoHashes() throws {
        let files = try TableFolder(["s.csv": reordered, "sample.csv": sample, "theirs.csv": sound])
        let bytes = Digest.sha256(reordered)
        let byFile = try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"], "--golden", bytes)
        #expect(byFile.status == 0)
        #expect(byFile.output.contains("note: the file is the golden one, byte for byte"))
        let byTable = try ProgramRun(
            "verify", files["s.csv"], "--sample", files["sample.csv"], "--golden", files["theirs.csv"])
        #expect(byTable.status == 0)
        #expect(byTable.output.contains("note: the content is the golden one, the bytes are not"))
    }

    @Test("with a tolerance, a golden table may differ by so much, and the largest difference is told")
    func tolerance() throws {
        let other = sound.replacingOccurrences(of: "ID_a_any,0.6", with: "ID_a_any,0.625")
        let files = try TableFolder(["s.csv": reordered, "sample.csv": sample, "theirs.csv": other])
        func run(_ tolerance: String, golden: String = "theirs.csv") throws -> ProgramRun {
            try ProgramRun(
                "verify", files["s.csv"], "--sample", files["sample.csv"], "--golden", files[golden], "--tolerance",
                tolerance)
        }
        #expect(try run("0.03").status == 0)
        let far = try run("0.02")
        #expect(far.status == 1)
        #expect(far.output.contains("the largest difference from the golden table is 0.025"))
        #expect(far.output.contains("(ID_a_any: 0.6, golden 0.625)"))
        for tolerance in ["-1", "1", "inf", "1e400", "nan"] { #expect(try run(tolerance).status == 64, "\(tolerance)") }
        #expect(
            try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"], "--tolerance", "1").status == 64)
    }

    @Test("JSON has the checks, every problem and the hash")
    func json() throws {
        let many = sound + (0..<30).map { TableText.slice("ID_x\($0)", "0 0 0 0 0 0") }.joined()
        let files = try TableFolder(["s.csv": many, "sample.csv": sample])
        let run = try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"], "--json")
        #expect(run.status == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        #expect((object["problems"] as? [[String: Any]])?.count == 30)
        #expect((object["problems"] as? [[String: Any]])?.first?["kind"] as? String == "extra-slice")
        #expect((object["problems"] as? [[String: Any]])?.first?["line"] as? Int == 14)
        #expect((object["checks"] as? [[String: Any]])?.count == 10)
        #expect((object["content_sha256"] as? String)?.count == 64)

        let text = try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"])
        #expect(text.output.contains("... and 10 more; --all lists them"))
        let all = try ProgramRun("verify", files["s.csv"], "--sample", files["sample.csv"], "--all")
        #expect(all.output.contains("ID_x29") && !all.output.contains("more"))
    }
}
