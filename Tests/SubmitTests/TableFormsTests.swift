import Foundation
import Testing

@testable import Submit
@testable import TestSupport

/// The forms in which people's programs write the same table.
enum TextForm {
    static func utf16(_ text: some StringProtocol, bigEndian: Bool, mark: Bool) -> [UInt8] {
        ((mark ? [0xFEFF] : []) + Array(text.utf16)).flatMap { unit in
            bigEndian ? [UInt8(unit >> 8), UInt8(unit & 255)] : [UInt8(unit & 255), UInt8(unit >> 8)]
        }
    }

    /// The text in every encoding and with every line end that is read, by name.
    static func all(of text: String) -> [(name: String, bytes: [UInt8])] {
        var forms: [(name: String, bytes: [UInt8])] = []
        let mixed = text.split(separator: "\n").enumerated().map { $1 + ["\n", "\r\n", "\r"][$0 % 3] }.joined()
        let texts = [
            ("LF", text), ("CRLF", text.replacing("\n", with: "\r\n")), ("CR", text.replacing("\n", with: "\r")),
            ("CRCRLF", text.replacing("\n", with: "\r\r\n")), ("mixed", mixed),
            ("no last line end", String(text.dropLast())),
            ("blank lines at the end", text + "\n \r\n"),
        ]
        for (name, text) in texts {
            forms.append(("\(name), UTF-8", Array(text.utf8)))
            forms.append(("\(name), UTF-8 with mark", [0xEF, 0xBB, 0xBF] + Array(text.utf8)))
            for bigEndian in [false, true] {
                for mark in [false, true] {
                    forms.append(("\(name), UTF-16", utf16(text, bigEndian: bigEndian, mark: mark)))
                }
            }
        }
        return forms
    }
}

@Suite("Tables as they come")
struct TableFormsTests {
    private let predictions = String(decoding: Tables.table(slices: 40, seed: 3).csv(), as: UTF8.self)

    @Test("a table is the same in UTF-8 and UTF-16, with a byte order mark and without, whatever its line ends are")
    func forms() throws {
        let plain = try PredictionTable(parsing: Array(predictions.utf8), name: "p.csv")
        let folds = "Image,Größe 𝄞,Fold\nID_a,ü,0.0\nID_b,\"x\",1.0\n"
        let leaderboard = "TeamId,TeamName,Score\n1,\"Ünï, 𝄞\",0.5\n2,b,0.25\n"
        for (name, bytes) in TextForm.all(of: predictions) {
            #expect(try PredictionTable(parsing: bytes, name: "p.csv") == plain, "\(name)")
            #expect(
                try LabelTable(parsing: bytes, name: "p.csv", values: .numbers).sliceIDs == plain.sliceIDs, "\(name)")
        }
        for (name, bytes) in TextForm.all(of: folds) {
            let table = try FoldTable(parsing: bytes, name: "f.csv")
            #expect(table.sliceIDs == ["ID_a", "ID_b"] && table.folds == [0, 1], "\(name)")
        }
        for (name, bytes) in TextForm.all(of: leaderboard) {
            #expect(try Leaderboard(parsing: bytes, name: "lb.csv").scores == [0.25, 0.5], "\(name)")
        }
    }

    @Test("UTF-16 that breaks off within a character or has half of one is refused with its line")
    func damagedUTF16() {
        let whole = TextForm.utf16(predictions, bigEndian: false, mark: true)
        let half = TextForm.utf16(predictions.prefix(100), bigEndian: true, mark: true) + [0xD8, 0, 0, 0x41]
        for bytes in [Array(whole.dropLast()), half + TextForm.utf16("\n", bigEndian: true, mark: false)] {
            #expect(Tables.problems(bytes).contains { $0.message.contains("UTF-16") && $0.line ?? 0 > 1 })
        }
    }

    @Test("a table in UTF-16 that is damaged gives the same as its text in UTF-8, or is refused", arguments: 0..<300)
    func mutations(seed: Int) {
        var random = SeededBytes(seed: UInt64(seed))
        let rows = Array(predictions.split(separator: "\n", omittingEmptySubsequences: false).prefix(19))
        let isBigEndian = seed % 2 == 0
        let bytes = random.mutated(
            TextForm.utf16(rows.joined(separator: "\n"), bigEndian: isBigEndian, mark: seed % 3 == 0))
        let table = try? PredictionTable(parsing: bytes, name: "p.csv")
        let text = String(
            data: Data(bytes), encoding: seed % 3 == 0 ? .utf16 : isBigEndian ? .utf16BigEndian : .utf16LittleEndian)
        // Foundation's reading of the bytes is the reference.
        guard let table else { return }
        #expect(text.flatMap { try? PredictionTable(parsing: Array($0.utf8), name: "p.csv") } == table)
    }

    // MARK: Folds

    @Test(
        "folds are read as real numbers, slices by their rows and files, columns by others' names",
        arguments: [
            "ID,fold\nID_a,0\nID_b,1\n", "ID,fold\nID_a,0.0\nID_b,1.0\n", "Image,Fold\nID_a,0\nID_b,1\n",
            "fold,image\n0,ID_a\n1,ID_b\n", "id,FOLD\nID_a,0\nID_b,1.\n", "image_id,kfold\nID_a,0\nID_b,1e0\n",
            ",Slice ID,fold,any\n0,ID_a,0,1\n1,ID_b,1,0\n", "SOP Instance UID,fold\nID_a,0\nID_b,1\n",
            "filename,fold\nstage_2_train_images/ID_a.dcm,0\nID_b.dcm,1\n",
            "ID,fold\nID_a_any,0\nID_a_subdural,0\nID_b_any,1\nID_b_epidural,1.0\n",
            "Image,ID,fold\nx,ID_a,0\ny,ID_b,1\n",
        ])
    func folds(text: String) throws {
        let table = try FoldTable(parsing: Array(text.utf8), name: "f.csv")
        #expect(table.sliceIDs == ["ID_a", "ID_b"] && table.folds == [0, 1])
    }

    @Test(
        "folds that are none, contradict each other or could be meant by two columns are refused",
        arguments: [
            ("ID,fold\nID_a,0.5\n", 2), ("ID,fold\nID_a,\n", 2), ("ID,fold\nID_a,-1\n", 2), ("ID,fold\nID_a,nan\n", 2),
            ("ID,fold\nID_a,1e300\n", 2), ("ID,fold\nID_a_any,0\nID_a_epidural,1\n", 3),
            ("ID,fold\nID_a,0\nID_a,0\n", 3),
            ("ID,Fold,FOLD\nID_a,0,1\n", 1), ("ID,fold,fold\nID_a,0,1\n", 1), ("ID;fold\nID_a;0\n", 1),
            ("a,b\n1,2\n", 1),
        ])
    func refusedFolds(text: String, line: Int) {
        let error = #expect(throws: TableError.self) { try FoldTable(parsing: Array(text.utf8), name: "f.csv") }
        #expect(error?.problems.first?.line == line)
    }

    @Test("patients and studies are read by rows and by others' names too; a bad column is not taken for a missing one")
    func columns() throws {
        let rows = Array("image,patient_id\nID_a_any,p\nID_a_epidural,p\nID_b.dcm,q\n".utf8)
        #expect(try SliceColumn("PatientID", parsing: rows, name: "").values == ["ID_a": "p", "ID_b": "q"])
        let order = Array("Image,study_instance_uid,position ord\nID_b,s,2\nID_a,s,1\n".utf8)
        #expect(try StudyTable(parsing: order, name: "").studies == [["ID_a", "ID_b"]])
        #expect(try SliceColumn.ifPresent("PatientID", parsing: Array("ID,fold\nID_a,0\n".utf8), name: "") == nil)
        #expect(throws: TableError.self) {
            try SliceColumn.ifPresent("PatientID", parsing: Array("ID,PatientID\nID_a,\n".utf8), name: "")
        }
    }

    // MARK: Leaderboards

    @Test(
        "a leaderboard is read in every layout; teams without a score are left out and counted",
        arguments: [
            "TeamId,TeamName,SubmissionDate,Score\n1,a,2019-11-01,0.7\n2,b,2019-11-01,0.25\n1,a,2019-11-02,0.5\n3,c,2019-11-02,\n",
            """
            Rank,TeamId,TeamName,LastSubmissionDate,Score,SubmissionCount,TeamMemberUserNames
            1,2,b,2019-11-13 23:59:00,0.25000,5,"x,y"
            2,1,"a
            b",2019-11-13 23:59:00,0.50000,1,z
            3,3,c,,,0,
            """,
            """
            Next Page Token = CfDJ8N_x
            teamId,teamName,submissionDate,score
            2,b,2019-11-13 23:59:00,0.25
            1,a,2019-11-13 23:59:00,0.5
            3,c,,None
            """,
            """
            scoreNullable,teamId,hasTeamName,submissionDate,score,hasScore
            0.25,2,True,2019-11-13 23:59:00,0.25,True
            0.5,1,True,2019-11-13 23:59:00,0.5,True
            ,3,True,2019-11-13 23:59:00,0.0,False
            """,
            ",teamName,score\n0,b,0.25\n1,a,0.5\n2,c,nan\n", "score\n0.25\n0.5\nN/A\n",
        ])
    func leaderboards(text: String) throws {
        let leaderboard = try Leaderboard(parsing: Array(text.utf8), name: "lb.csv")
        #expect(leaderboard.scores == [0.25, 0.5] && leaderboard.teamsWithoutScore == 1)
    }

    @Test("a team with one score and one submission without is a team with a score; no score at all is refused")
    func scores() throws {
        let text = "TeamId,Score\n1,\n1,0.5\n"
        let leaderboard = try Leaderboard(parsing: Array(text.utf8), name: "lb.csv")
        #expect(leaderboard.scores == [0.5] && leaderboard.teamsWithoutScore == 0)
        for text in ["TeamId,Score\n1,\n", "TeamId,Score\n", "TeamId,Score\n1,inf\n", "TeamId,Score\n1,0.5x\n"] {
            #expect(throws: TableError.self) { try Leaderboard(parsing: Array(text.utf8), name: "lb.csv") }
        }
    }

    // MARK: What is no table

    @Test("a file that is no table is called what it is, with what to do, whatever table it was given as")
    func noTables() {
        let dicom = Array(repeating: UInt8(0), count: 128) + Array("DICM".utf8)
        let files: [(bytes: [UInt8], words: [String])] = [
            (
                Array("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n".utf8),
                ["Git LFS pointer", "git lfs pull"]
            ),
            (Array("<!DOCTYPE html><html><head>".utf8), ["web page", "Download"]),
            (Array("<?xml version=\"1.0\"?><Error><Code>AccessDenied".utf8), ["XML", "Download"]),
            (Array("{\"code\": 403, \"message\": \"Forbidden\"}".utf8), ["JSON", "server"]),
            ([0x80, 4, 0x95, 0, 1], ["pickle", "import-predictions"]), (Array("(lp0\n(dp1\n".utf8), ["pickle"]),
            (Array("PAR1".utf8) + [0x15, 4], ["Parquet", "to_csv"]), (Array("ARROW1\0\0".utf8), ["Feather", "to_csv"]),
            ([0x93] + Array("NUMPY".utf8) + [1, 0], ["NumPy"]),
            (Array("SQLite format 3\0".utf8), ["SQLite", "catalog export"]),
            ([0x89] + Array("HDF\r\n".utf8) + [0x1A, 0x0A], ["HDF5"]),
            ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], ["Excel"]),
            ([0x50, 0x4B, 3, 4, 20], ["compressed", "Unpack"]),
            ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], ["compressed"]), (dicom, ["DICOM"]),
            ([0x89, 0x50, 0x4E, 0x47], ["picture"]),
            ([0xFF, 0xFE, 0, 0, 0x49, 0, 0, 0], ["UTF-32", "iconv"]), ([1, 2, 0, 3, 4, 5], ["no text"]),
            (Array("ID;Label\nID_a_any;0,5\n".utf8), ["semicolons"]), (Array("ID\tLabel\n".utf8), ["tabs"]),
        ]
        for (bytes, words) in files {
            let errors = [
                #expect(throws: TableError.self) { try PredictionTable(parsing: bytes, name: "x") },
                #expect(throws: TableError.self) { try TruthTable(parsing: bytes, name: "x") },
                #expect(throws: TableError.self) { try FoldTable(parsing: bytes, name: "x") },
                #expect(throws: TableError.self) { try Leaderboard(parsing: bytes, name: "x") },
            ]
            for error in errors {
                #expect(error?.total == 1)
                for word in words {
                    #expect(error?.description.contains(word) == true, "\(word): \(error?.description ?? "")")
                }
            }
        }
        for (text, words) in [(",ID,Label\n0,ID_a_any,0.5\n", "index=False"), ("ID_a_any,0.5\n", "header above")] {
            #expect(Tables.problems(Array(text.utf8)).first?.message.contains(words) == true)
        }
    }
}

@Suite("Predictions as probabilities")
struct ProbabilityTableTests {
    private func file(_ values: String...) -> [UInt8] { Tables.file(Tables.rows("ID_a", values)) }

    @Test("what rounding put beyond 0 or 1 is held there and counted; what is farther out is refused with its line")
    func range() throws {
        let near = try ProbabilityTable(
            parsing: file("-0.0000009", "1.000001", "0.5", "0", "1", "1e-7"), name: "p.csv")
        #expect(near.table.values == [0, 1, 0.5, 0, 1, 1e-7] && near.clipped == 2)
        for value in ["-0.0000011", "1.0000012", "-3.5", "97.5", "1e300"] {
            let error = #expect(throws: TableError.self) {
                try ProbabilityTable(parsing: file("0.1", value, "0.2", "0.1", "0.1", "0.1"), name: "p.csv")
            }
            #expect(error?.problems.map(\.line) == [3] && error?.problems.first?.kind == .outOfRange)
            #expect(error?.description.contains("--logits") == true)
        }
        let percent = #expect(throws: TableError.self) {
            try ProbabilityTable(parsing: file("10", "20", "30", "40", "50", "60"), name: "p.csv")
        }
        #expect(percent?.description.contains("look like percent") == true && percent?.total == 6)
    }

    @Test("logits become probabilities; what could be probabilities is not taken for logits")
    func logits() throws {
        let found = try ProbabilityTable(
            parsing: file("-2", "0", "2", "800", "-800", "0.5"), name: "p.csv", areLogits: true)
        #expect(found.table.values[1] == 0.5 && found.table.values[3] == 1 && found.table.values[4] == 0)
        #expect(abs(found.table.values[0] - 0.11920292202211755) < 1e-16)
        #expect(abs(found.table.values[0] + found.table.values[2] - 1) < 1e-15)
        let error = #expect(throws: TableError.self) {
            try ProbabilityTable(parsing: file("0", "0.1", "0.2", "0.3", "0.4", "1"), name: "p.csv", areLogits: true)
        }
        #expect(error?.description.contains("Leave out --logits") == true)
    }
}
