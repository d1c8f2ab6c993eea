import Foundation
import Metrics
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import TestSupport

@Suite("Catalog")
struct CatalogTests {
    /// A competition of four good train slices, bad ones of several kinds and one test slice.
    private static func makeCompetition(_ root: String) throws {
        var labels = "ID,Label\n"
        for index in 0..<4 {
            var slice = InputFixtures.slice("ID_00000000\(index)")
            slice.header.imagePosition[2] = Double(10 - index)
            slice.header.patientID = index < 2 ? "ID_p1" : "ID_p2"
            slice.header.studyInstanceUID = "ID_study\(index / 2)"
            slice.header.seriesInstanceUID = "ID_series\(index / 2)"
            if index == 3 { slice.header.windowCenterText = "35.7" }
            try InputFixtures.write(slice.encoded(), to: "\(root)/stage_2_train/\(slice.header.sopInstanceUID).dcm")
            labels +=
                index == 1
                ? InputFixtures.rows("ID_000000001", "epidural", "any") : InputFixtures.rows("ID_00000000\(index)")
        }
        labels += InputFixtures.rows("ID_000000001", "epidural", "any")
        // A slice outside the head: all air.
        let air = InputFixtures.slice("ID_00000000a", step: 0)
        try InputFixtures.write(air.encoded(), to: root + "/stage_2_train/ID_00000000a.dcm")
        // Truncated, not DICOM, not CT, without rows in the label file, without a file.
        try InputFixtures.write(air.encoded().dropLast(9), to: root + "/stage_2_train/ID_6431af929.dcm")
        try InputFixtures.write("text", to: root + "/stage_2_train/ID_00000000b.dcm")
        var magnetic = InputFixtures.slice("ID_00000000c")
        magnetic.header.modality = "MR"
        try InputFixtures.write(magnetic.encoded(), to: root + "/stage_2_train/ID_00000000c.dcm")
        try InputFixtures.write(
            InputFixtures.slice("ID_00000000d").encoded(), to: root + "/stage_2_train/ID_00000000d.dcm")
        for id in ["ID_00000000a", "ID_6431af929", "ID_00000000b", "ID_00000000c", "ID_00000000e"] {
            labels += InputFixtures.rows(id)
        }
        try InputFixtures.write(labels, to: root + "/stage_2_train.csv")
        try InputFixtures.write(
            InputFixtures.slice("ID_0000000f0").encoded(), to: root + "/stage_2_test/ID_0000000f0.dcm")
        try InputFixtures.write(
            "ID,Label\n" + InputFixtures.rows("ID_0000000f0"), to: root + "/stage_2_sample_submission.csv")
    }

    private static func withCatalog(threads: Int = 2, _ body: (SliceCatalog, CatalogReport, String) throws -> Void)
        throws
    {
        try InputFixtures.withFolder { folder in
            try makeCompetition(folder + "/in")
            let catalog = SliceCatalog(path: folder + "/catalog.sqlite")
            let input = try CompetitionFolder.locate(in: folder + "/in")
            let report = try catalog.build(CatalogSettings(input: input, threads: threads))
            try body(catalog, report, folder)
        }
    }

    @Test("good slices are kept, bad ones are counted by reason, and the run goes on")
    func badFiles() throws {
        try Self.withCatalog { catalog, report, _ in
            let train = try #require(report.splits["train"])
            #expect(train.read == 5 && train.kept == 4 && train.droppedByBrainWindow == 1)
            #expect(train.skipped == ["truncated": 1, "not-dicom": 1, "not-ct": 1, "no-labels": 1, "no-file": 1])
            let skipped = try catalog.skippedSlices()
            #expect(
                skipped.map(\.id) == ["ID_00000000b", "ID_00000000c", "ID_00000000d", "ID_00000000e", "ID_6431af929"])
            #expect(skipped.allSatisfy { $0.path.hasPrefix("stage_2_train/") && !$0.message.isEmpty })
            #expect(report.splits["test"]?.kept == 1)
        }
    }

    @Test("slices come sorted by ID with labels, neighbours and folds")
    func slices() throws {
        try Self.withCatalog { catalog, _, folder in
            let slices = try catalog.slices(in: .train)
            #expect(slices.map(\.id) == (0..<4).map { "ID_00000000\($0)" })
            #expect(slices.map(\.labels) == [[], [.epidural, .any, .epidural, .any], [], []])
            #expect(slices.map(\.positionOrd) == [1, 0.5, 1, 0.5])
            #expect(slices[0].leftLabel == "epidural any epidural any" && slices[0].rightLabel == "")
            #expect(slices[0].fold == slices[1].fold && slices.allSatisfy { $0.fold.map((0..<5).contains) == true })
            #expect(slices[0].path == folder + "/in/stage_2_train/ID_000000000.dcm")
            #expect(try catalog.slices(in: .test).map(\.fold) == [nil])
        }
    }

    @Test("the export has the original's columns and Python's floats")
    func export() throws {
        try Self.withCatalog { catalog, _, _ in
            func lines(_ split: Split) throws -> [Substring] {
                var bytes: [UInt8] = []
                try catalog.writeCSV(of: split) { bytes.append(contentsOf: $0) }
                return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            }
            let train = try lines(.train)
            #expect(
                train[0]
                    == "ID,labels,PatientID,WindowCenter,WindowWidth,RescaleIntercept,RescaleSlope,Position3,PositionOrd,LeftLabel,RightLabel,fold"
            )
            #expect(train[4].hasPrefix("ID_000000003,,ID_p2,35,80,0.0,1.0,7.0,0.5,,,"))
            #expect(try lines(.test)[1] == "ID_0000000f0,,ID_0a1b2c3d,40,80,0.0,1.0,24.988293,1.0,,")
        }
    }

    @Test("quirks are counted")
    func quirks() throws {
        try Self.withCatalog { _, report, _ in
            let quirks = try #require(report.splits["train"]?.quirks)
            #expect(quirks["identifiers that are not valid UIDs"] == 5)
            #expect(quirks["listed twice in the label file"] == 1)
            #expect(quirks["window fractional"] == 1)
            #expect(quirks["pixels 16-bit signed, intercept 0"] == 5)
            #expect(quirks["patients with several studies"] == 0)
            #expect(report.splits["train"]?.sizes == ["4 x 6": 5])
        }
    }

    @Test("what a catalog says depends neither on the number of threads nor on where it is")
    func threads() throws {
        var fingerprints: Set<String> = []
        for threads in 1...3 {
            try Self.withCatalog(threads: threads) { catalog, _, _ in
                fingerprints.insert(try catalog.contentFingerprint())
            }
        }
        #expect(fingerprints.count == 1)
    }

    @Test("wrapped slices are dropped or fed as they are by default, and repaired on request")
    func wrap() throws {
        try InputFixtures.withFolder { folder in
            var slice = InputFixtures.slice("ID_000000000")
            slice.header.bitsStored = 12
            slice.header.highBit = 11
            slice.header.pixelRepresentation = 0
            slice.header.rescaleIntercept = 1
            // Air and brain: all at or above the window's upper end, or in its middle.
            slice.pixels = slice.pixels.indices.map { $0 % 2 == 0 ? 3096 : 35 }
            try InputFixtures.write(slice.encoded(), to: folder + "/in/stage_2_train/ID_000000000.dcm")
            try InputFixtures.write(
                "ID,Label\n" + InputFixtures.rows("ID_000000000"), to: folder + "/in/stage_2_train.csv")
            let catalog = SliceCatalog(path: folder + "/catalog.sqlite")
            var settings = CatalogSettings(input: try .locate(in: folder + "/in"))
            let asOriginal = try catalog.build(settings)
            #expect(asOriginal.splits["train"]?.quirks["pixels wrapped around (12-bit, intercept near 0)"] == 1)
            let before = try #require(try catalog.records(in: .train).first)
            #expect(before.customSpread == 80 - 36 && !before.isKept)
            settings.repairsWrap = true
            let repaired = try catalog.build(settings)
            #expect(repaired.repairsWrap)
            let after = try #require(try catalog.records(in: .train).first)
            #expect(after.customMin == 0 && after.customMax == 35)
            #expect(after.hounsfieldSHA256 != before.hounsfieldSHA256)
            #expect(repaired.splits["train"]?.quirks["pixels wrapped around (12-bit, intercept near 0)"] == 1)
        }
    }

    private static func failureOfBuild(_ folder: String) throws -> Failure? {
        let settings = CatalogSettings(input: try .locate(in: folder + "/in"))
        return InputFixtures.failure { try SliceCatalog(path: folder + "/catalog.sqlite").build(settings) }
    }

    @Test("a bad label file ends the build and leaves the old catalog")
    func badLabels() throws {
        try Self.withCatalog { catalog, report, folder in
            let labels = folder + "/in/stage_2_train.csv"
            try InputFixtures.write("ID,Label\nID_a_stroke,0\n", to: labels)
            #expect(try Self.failureOfBuild(folder)?.status == .badInput)
            #expect(try catalog.report() == report)
            try FileManager.default.removeItem(atPath: labels)
            #expect(try Self.failureOfBuild(folder)?.status == .inputMissing)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["catalog.sqlite", "in"])
        }
    }

    @Test("no catalog and a file that is none are told apart")
    func noCatalog() throws {
        try InputFixtures.withFolder { folder in
            let catalog = SliceCatalog(path: folder + "/catalog.sqlite")
            #expect(InputFixtures.failure { _ = try catalog.report() }?.status == .inputMissing)
            try InputFixtures.write(String(repeating: "no database ", count: 100), to: catalog.path)
            #expect(InputFixtures.failure { _ = try catalog.report() }?.status == .badInput)
        }
    }

    @Test(
        "only a catalog of this program is replaced: another database, a text, a link, a folder and their .partial are refused"
    )
    func foreignFiles() throws {
        try Self.withCatalog { catalog, report, folder in
            let files = FileManager.default
            try files.moveItem(atPath: catalog.path, toPath: folder + "/own.sqlite")
            let makers: [(String) throws -> Void] = [
                { try InputFixtures.write("my notes", to: $0) },
                { try Database(path: $0).execute("CREATE TABLE mine (a); CREATE TABLE setting (name, value)") },
                { try files.createDirectory(atPath: $0, withIntermediateDirectories: false) },
                { try files.createSymbolicLink(atPath: $0, withDestinationPath: "own.sqlite") },
            ]
            for place in [catalog.path, catalog.path + ".partial"] {
                for (number, make) in makers.enumerated() {
                    try make(place)
                    let failure = try Self.failureOfBuild(folder)
                    #expect(failure?.status == .badUsage && failure?.message.contains(place) == true, "\(number)")
                    #expect(failure?.message.contains("disk") == false)
                    try files.removeItem(atPath: place)
                }
            }
            #expect(try SliceCatalog(path: folder + "/own.sqlite").report() == report)
            // One that was just begun, and an older one, whose permissions the new one has.
            try Database(path: catalog.path + ".partial").execute("PRAGMA journal_mode = WAL")
            #expect(try Self.failureOfBuild(folder) == nil)
            chmod(catalog.path, 0o600)
            #expect(try Self.failureOfBuild(folder) == nil)
            var status = stat()
            #expect(stat(catalog.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        }
    }

    @Test("a catalog that somebody else holds open is said to be so, and a full disk is not")
    func locked() throws {
        try Self.withCatalog { catalog, _, folder in
            let other = try Database(path: catalog.path + ".partial")
            try CatalogSchema.create(in: other)
            try other.execute("BEGIN EXCLUSIVE")
            let failure = try Self.failureOfBuild(folder)
            #expect(failure?.status == .inputOutput && failure?.message.contains("has the file open") == true)
            #expect(failure?.message.contains("space") == false)
        }
    }

    @Test("a build that was interrupted goes on: files as they were are not read again, changed ones are")
    func resume() throws {
        try InputFixtures.withFolder { folder in
            try Self.makeCompetition(folder + "/in")
            let settings = CatalogSettings(input: try .locate(in: folder + "/in"), threads: 2)
            let catalog = SliceCatalog(path: folder + "/catalog.sqlite")
            try catalog.build(settings)
            let expected = try catalog.contentFingerprint()
            // What an interrupted build leaves: some slices read, and one of them changed since.
            try FileManager.default.removeItem(atPath: catalog.path)
            let list = try SliceList(settings.input)
            let partial = try PartialCatalog(path: catalog.path + ".partial")
            try partial.begin(settings: CatalogBuilder(settings: settings, path: catalog.path).settingRows(list))
            let files = try partial.unread(list.slices[...], list)
            #expect(files.count == list.slices.count)
            let kept = try #require(files.first { $0.slice.id == "ID_000000001" })
            let (header, measured) = try readSlice(at: list.path(of: kept.slice)) { header, pixels in
                (header, SliceMeasurement(of: pixels, header: header, repairsWrap: false))
            }
            var marked = SliceRecord(
                split: .train, id: kept.slice.id, path: "stage_2_train/ID_000000001.dcm", header: header,
                measured: measured, labels: kept.slice.labels, isRepeated: true)
            marked.hounsfieldSHA256 = Digest.sha256(ofEach: [measured.hounsfield])[0]
            marked.studyID = "read by the first run"
            let changed = try #require(files.first { $0.slice.id == "ID_000000002" })
            try partial.write { database in
                try partial.insert(marked, in: database)
                try partial.note(kept, wasRead: true, in: database)
                try SkippedSlice(split: .train, id: changed.slice.id, path: "", reason: "truncated", message: "then")
                    .insert(into: database)
                try partial.note(
                    .init(slice: changed.slice, facts: .init(stat())), wasRead: false, in: database)
            }
            partial.close()
            try catalog.build(settings)
            #expect(try catalog.record(ofSlice: "ID_000000001")?.studyID == "read by the first run")
            #expect(try catalog.record(ofSlice: "ID_000000002") != nil)
            #expect(try !catalog.skippedSlices().contains { $0.id == "ID_000000002" })
            #expect(!FileManager.default.fileExists(atPath: catalog.path + ".partial"))
            // Other settings begin anew.
            try catalog.build(settings)
            #expect(try catalog.contentFingerprint() == expected)
        }
    }

    @Test("a catalog of schema 1 gets what it lacks when it is opened; one of a newer schema is refused")
    func migration() throws {
        try Self.withCatalog { catalog, report, _ in
            func change(_ sql: String) throws { try Database(path: catalog.path).execute(sql) }
            func indexes() throws -> Int {
                try catalog.read {
                    try $0.value("SELECT COUNT(*) FROM sqlite_master WHERE name GLOB 'sliceBy*'") ?? 0
                }
            }
            let before = try catalog.contentFingerprint()
            #expect(try indexes() == 5)
            try change(
                "DROP INDEX sliceByImage; DROP INDEX sliceByPatient; DROP INDEX sliceByStudy; DROP INDEX sliceBySeries; DROP INDEX sliceByFold; UPDATE setting SET value = '1' WHERE name = 'schema'"
            )
            #expect(try indexes() == 5)
            #expect(try catalog.report() == report && catalog.contentFingerprint() == before)
            try change("UPDATE setting SET value = '4' WHERE name = 'schema'")
            let failure = InputFixtures.failure { _ = try catalog.report() }
            #expect(failure?.status == .badInput && failure?.message.contains("schema is 4") == true)
        }
    }

    @Test("slices by any of their names make one catalog; two names of one slice are an error; other files are counted")
    func fileNames() throws {
        try InputFixtures.withFolder { folder in
            func build(_ names: [String]) throws -> (catalog: SliceCatalog, notes: [String]) {
                let input = folder + "/\(names.count)-\(names[0])"
                for (number, name) in names.enumerated() {
                    try InputFixtures.write(InputFixtures.slice(step: Int32(number)).encoded(), to: "\(input)/\(name)")
                }
                try InputFixtures.write("no slice", to: input + "/notes.txt")
                try InputFixtures.write("no slice", to: input + "/README")
                mkfifo(input + "/pipe", 0o644)
                let catalog = SliceCatalog(path: input + ".sqlite")
                var notes: [String] = []
                try catalog.build(CatalogSettings(input: .locate(in: input)), note: { notes.append($0) })
                return (catalog, notes)
            }
            let plain = try build(["a.dcm", "b.dcm", "c.dcm", "7.dcm"])
            for names in [["a.DCM", "b.IMA", "c", "7"], ["a", "b.dicom", "c.dcm", "7.Dcm"]] {
                let other = try build(names)
                #expect(
                    try other.catalog.records(in: .test).map(\.hounsfieldSHA256)
                        == plain.catalog.records(in: .test).map(\.hounsfieldSHA256))
                #expect(try other.catalog.records(in: .test).map(\.id) == ["7", "a", "b", "c"])
                #expect(
                    other.notes.count == 1 && other.notes[0].contains("3 (") && other.notes[0].contains("pipe"),
                    "\(other.notes)")
            }
            #expect(InputFixtures.failure { _ = try build(["a.dcm", "a.IMA"]) }?.status == .badInput)
        }
    }

    @Test("a folder none of whose slices can be read is no success, and the first reason is said")
    func nothingReadable() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("no slice", to: folder + "/in/a.dcm")
            let failure = InputFixtures.failure {
                try SliceCatalog(path: folder + "/c.sqlite").build(CatalogSettings(input: .locate(in: folder + "/in")))
            }
            #expect(failure?.status == .badInput && failure?.message.contains("not-dicom 1") == true)
        }
    }

    @Test(
        "what is odd about files is counted in the report, forgotten with the file, and no part of the catalog's hash")
    func oddFiles() throws {
        try InputFixtures.withFolder { folder in
            let bytes = try InputFixtures.slice().encoded()
            let catalog = SliceCatalog(path: folder + "/c.sqlite")
            func build(_ bytes: [UInt8]) throws -> CatalogReport {
                try InputFixtures.write(bytes, to: folder + "/in/a.dcm")
                return try catalog.build(CatalogSettings(input: .locate(in: folder + "/in")))
            }
            let name = SliceQuirk.noPreamble.rawValue
            #expect(try build(bytes).splits["test"]?.quirks[name] == nil)
            let hash = try catalog.contentFingerprint()
            #expect(try build(Array(bytes.dropFirst(128 + 4))).splits["test"]?.quirks[name] == 1)
            #expect(try catalog.contentFingerprint() == hash)
            #expect(try catalog.report().text.contains("\(name): 1"))
        }
    }

    @Test("what people look for is found by an index")
    func indexed() throws {
        try Self.withCatalog { catalog, _, _ in
            let queries = [
                "hounsfieldSHA256 = 'x'", "patientID = 'x'", "studyInstanceUID = 'x' ORDER BY positionOrd",
                "seriesInstanceUID = 'x' ORDER BY position3", "fold = 1", "split = 'train' AND id = 'x'",
            ]
            for query in queries {
                let plan = try catalog.read { database in
                    // The columns are id, parent, notused and detail.
                    try database.rows("EXPLAIN QUERY PLAN SELECT id FROM slice WHERE \(query)") { row -> String in
                        try row[3]
                    }
                }
                #expect(!plan.isEmpty && plan.allSatisfy { $0.contains("SEARCH") }, "\(query): \(plan)")
            }
        }
    }

    @Test("equal images under different names are counted")
    func equalImages() throws {
        try Self.withCatalog { _, report, _ in #expect(report.splits["train"]?.equalImages == 4) }
    }

    /// `REPRO_REAL_CT` names the folder with 01.dcm ... 28.dcm; `golden/preprocessing.md` says which they are.
    @Test(
        "28 real slices catalogue without complaint and give pydicom's Hounsfield units",
        .enabled(if: ProcessInfo.processInfo.environment["REPRO_REAL_CT"] != nil))
    func realSlices() throws {
        let source = try #require(ProcessInfo.processInfo.environment["REPRO_REAL_CT"])
        let expected = try InputFixtures.table("real-ct.csv")
        try InputFixtures.withFolder { folder in
            let catalog = SliceCatalog(path: folder + "/catalog.sqlite")
            let report = try catalog.build(CatalogSettings(input: try .locate(in: source), threads: 2))
            #expect(report.splits["test"]?.read == 28 && report.splits["test"]?.skipped == [:])
            #expect(
                try catalog.records(in: .test).map(\.hounsfieldSHA256) == expected.map { $0["sha256_of_hu_int16_le"] })
        }
    }

    @Test(
        "a record of the catalog has the columns' values in the order of docs/formats.md, and reads back by their names"
    )
    func columns() throws {
        let names = SliceRecord.columns.map(\.name)
        #expect(Set(names).count == names.count)
        let page = try String(contentsOfFile: InputFixtures.root + "/docs/formats.md", encoding: .utf8)
        // In the page's table, columns stand in backquotes in the first cell of each row.
        let start = try #require(page.range(of: "**`slice`**"))
        let rows = page[start.upperBound...].split(separator: "\n").drop { !$0.hasPrefix("| `split`") }
            .prefix { $0.hasPrefix("|") }
        let documented = rows.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { !$0.contains(" ") && !$0.contains(",") }
        }
        #expect(documented.map(String.init) == names)
    }
}
