import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import Program
@testable import TestSupport

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

    @Test("a file for each fold: each is scored as its fold, and all together as one file with the same rows is")
    func foldFiles() throws {
        let (a, b) = ("0.1 0.2 0.3 0.4 0.5 0.6", "0.3 0.9 0.1 0.2 0.1 0.7")
        let files = try TableFolder([
            "0.csv": TableText.table(("ID_b", b)), "1.csv": TableText.table(("ID_a", a)), "t.csv": truth,
            "f.csv": "ID,fold\nID_b,0\nID_a,1\n", "whole.csv": TableText.table(("ID_a", a), ("ID_b", b)),
        ])
        let rest = ["--truth", files["t.csv"]]
        let parts = try ScoreCommand.parse([files["0.csv"], files["1.csv"]] + rest).makeReport()
        let whole = try ScoreCommand.parse([files["whole.csv"], "--folds", files["f.csv"]] + rest).makeReport()
        #expect(parts.text == whole.text)
        #expect(parts.folds?.map(\.fold) == [0, 1])
        let listed = try ScoreCommand.parse(
            [files["1.csv"], files["0.csv"], "--folds", files["f.csv"]] + rest
        ).makeReport()
        #expect(listed.text == whole.text)
        let twice = failure([files["0.csv"], files["whole.csv"]] + rest)
        #expect(twice?.status == .badInput && twice?.message.contains("slice ID_b is in ") == true)
        let missing = failure([files["0.csv"], files["none.csv"]] + rest)
        #expect(missing?.status == .inputMissing)
        try Data(TableText.table(("ID_c", a)).utf8).write(to: URL(fileURLWithPath: files["c.csv"]))
        let lacking = failure([files["0.csv"], files["c.csv"]] + rest)
        #expect(lacking?.message.contains("1 slice has no prediction: ID_a") == true)
    }

    @Test("every table of a command may come through standard input, packed or not, and no two of them")
    func pipes() throws {
        let files = try TableFolder(["p.csv": half, "t.csv": truth, "f.csv": people])
        let rest = ["--truth", files["t.csv"]]
        let expected = try ProgramRun(["score", files["p.csv"], "--folds", files["f.csv"]] + rest).output
        #expect(try ProgramRun(["score", "-", "--folds", files["f.csv"]] + rest, input: half).output == expected)
        #expect(try ProgramRun(["score", files["p.csv"], "--folds", "-"] + rest, input: people).output == expected)
        #expect(
            try ProgramRun("score", files["p.csv"], "--folds", files["f.csv"], "--truth", "-", input: truth).output
                == expected)
        #expect(try ProgramRun(["score", "-", "--folds", "-"] + rest, input: half).status == 64)
        // The folds have been read when patients are looked for.
        #expect(
            try ProgramRun(["score", files["p.csv"], "--folds", "-", "--bootstrap", "9"] + rest, input: people).status
                == 64)
        #expect(try ProgramRun(["score", "-"] + rest).status == 65)
        // As a shell's <(...) gives it.
        #expect(
            try ProgramRun(["score", "/dev/stdin", "--folds", files["f.csv"]] + rest, input: half).output == expected)
        #expect(try ProgramRun(["score", "/dev/null"] + rest).errors.contains("/dev/null: is a device"))
        #expect(try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"], "--folds", "/dev/null").status == 65)
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

    private let people = "ID,PatientID,fold\nID_a,p1,0\nID_b,p2,1\n"

    @Test("--statistics adds a row for each type, with - where a statistic is not defined")
    func statistics() throws {
        let files = try TableFolder(["p.csv": half, "t.csv": truth])
        let run = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"], "--statistics")
        #expect(run.output.contains("intraparenchymal         1  0.5000             0.5000  0.2500             0.0000"))
        #expect(run.output.contains("epidural                 0       -                  -  0.2500             0.5000"))
    }

    @Test("intervals come from resampled patients, have the same bits every time, and need to know the patients")
    func bootstrap() throws {
        let p = TableText.table(("ID_a", "0.1 0.1 0.1 0.1 0.1 0.1"), ("ID_b", "0.1 0.1 0.1 0.1 0.1 0.1"))
        let files = try TableFolder(["p.csv": p, "t.csv": truth, "f.csv": people, "g.csv": folds])
        let arguments = [
            "score", files["p.csv"], "--truth", files["t.csv"], "--folds", files["f.csv"], "--statistics",
            "--bootstrap", "200",
        ]
        let run = try ProgramRun(arguments)
        #expect(run.status == 0)
        // With two patients, a resample has one of them twice or both: from -log 0.9 to (4 log 0.9 + 3 log 0.1) / 7.
        #expect(run.output.contains("95 % from             2 patients   0.10536           0.10536"))
        #expect(run.output.contains("95 % to               2 patients   0.10536           2.30259"))
        #expect(run.output.contains("0.4100 (0.0100-0.8100)"))
        #expect(try ProgramRun(arguments).output == run.output)
        #expect(try ProgramRun(arguments + ["--seed", "1", "--bootstrap", "3"]).output != run.output)
        #expect(try ProgramRun(Array(arguments[..<4]) + ["--bootstrap", "200"]).status == 64)
        let unknown = try ProgramRun(Array(arguments[..<4]) + ["--bootstrap", "9", "--patients", files["g.csv"]])
        #expect(unknown.status == 65 && unknown.errors.contains("lacks the column PatientID"))
    }

    @Test(
        "the public split gives two more rows, from a file by rows or by slices, and the private part counts for the rank"
    )
    func publicSplit() throws {
        let files = try TableFolder([
            "p.csv": TableText.table(("ID_a", "0.1 0.1 0.1 0.1 0.1 0.1"), ("ID_b", "0.5 0.5 0.5 0.5 0.5 0.5")),
            "t.csv": truth,
            "s.csv": "ID,Usage\nID_a,Public\nID_b,Private\n", "r.csv": "ID,Usage\nID_a_any,public\nID_b_any,private\n",
            "bad.csv": "ID,Usage\nID_a,Public\nID_b,Secret\n", "lb.csv": "TeamId,Score\n1,0.2\n2,0.5\n3,0.9\n",
        ])
        for split in ["s.csv", "r.csv"] {
            let report = try ScoreCommand.parse([
                files["p.csv"], "--truth", files["t.csv"], "--public-split", files[split], "--leaderboard",
                files["lb.csv"],
            ]).makeReport()
            #expect(report.parts?.map(\.part) == ["public", "private"])
            #expect(report.parts?.map(\.slices) == [1, 1])
            #expect(report.text.contains("\nprivate                    1   0.69315"))
            #expect(report.standing?.rank == 3)
        }
        let bad = failure([files["p.csv"], "--truth", files["t.csv"], "--public-split", files["bad.csv"]])
        #expect(bad?.status == .badInput && bad?.message.contains("'Secret'") == true)
    }

    @Test("--marks shows the score in its place among the published ones")
    func marks() throws {
        let files = try TableFolder(["p.csv": half, "t.csv": truth])
        let run = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"], "--marks")
        #expect(
            run.output.hasSuffix(
                "  0.05517  58th place: the solution that this kit reproduces\n  0.69315  these predictions\n"))
    }

    @Test(
        "gzip and zip files are read as what they hold, whatever their names; damaged ones and zips of several files are refused"
    )
    func compressed() throws {
        let files = try TableFolder(["t.csv": truth, "p.csv": half])
        func run(_ tool: String, _ arguments: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [tool] + arguments
            process.currentDirectoryURL = URL(fileURLWithPath: files.path)
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
        try run("gzip", ["-k", "p.csv"])
        let plain = try ProgramRun("score", files["p.csv"], "--truth", files["t.csv"])
        #expect(try ProgramRun("score", files["p.csv.gz"], "--truth", files["t.csv"]).output == plain.output)
        let packed = try Data(contentsOf: URL(fileURLWithPath: files["p.csv.gz"]))
        try packed.prefix(3).write(to: URL(fileURLWithPath: files["stub.gz"]))
        #expect(try ProgramRun("score", files["stub.gz"], "--truth", files["t.csv"]).errors.contains("is compressed"))
        try packed.dropLast(9).write(to: URL(fileURLWithPath: files["cut.csv"]))
        let cut = try ProgramRun("score", files["cut.csv"], "--truth", files["t.csv"])
        #expect(cut.status == 65 && cut.errors.contains("cut.csv: is compressed and cannot be unpacked"))
        try Self.zip([("p.csv", half)]).write(to: URL(fileURLWithPath: files["one.zip"]))
        try Self.zip([("p.csv", half), ("q.csv", half)]).write(to: URL(fileURLWithPath: files["two.zip"]))
        #expect(try ProgramRun("score", files["one.zip"], "--truth", files["t.csv"]).output == plain.output)
        let two = try ProgramRun("score", files["two.zip"], "--truth", files["t.csv"])
        #expect(two.status == 65 && two.errors.contains("holds several files (p.csv, q.csv, ...)"))
    }

    /// A zip of stored members (APPNOTE.TXT 4.3), written by hand since the kit writes none.
    static func zip(_ members: [(name: String, text: String)]) -> Data {
        func bytes(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
        var (body, directory) = ([UInt8](), [UInt8]())
        for (name, text) in members {
            let fields =
                bytes(20, 2) + bytes(0, 8) + bytes(crc32(Array(text.utf8)), 4) + bytes(text.utf8.count, 4)
                + bytes(text.utf8.count, 4) + bytes(name.utf8.count, 2) + bytes(0, 2)
            directory +=
                [0x50, 0x4B, 1, 2] + bytes(20, 2) + fields + bytes(0, 10) + bytes(body.count, 4) + Array(name.utf8)
            body += [0x50, 0x4B, 3, 4] + fields + Array(name.utf8) + Array(text.utf8)
        }
        let end =
            [0x50, 0x4B, 5, 6] + bytes(0, 4) + bytes(members.count, 2) + bytes(members.count, 2)
            + bytes(directory.count, 4) + bytes(body.count, 4) + bytes(0, 2)
        return Data(body + directory + end)
    }

    private static func crc32(_ bytes: [UInt8]) -> Int {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return Int(~crc)
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
