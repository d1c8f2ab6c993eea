import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("Kinds of archives")
struct ArchiveKindTests {
    private func unpack(_ archive: String, into folder: String) throws -> (report: Unpacker.Report, names: [String]) {
        let (report, manifest) = try Unpacker(archive: archive, destination: folder + "/out", threads: 2).run()
        #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == manifest)
        // Without unpacking, the same, unless some of it would not be unpacked.
        if report.refused.isEmpty {
            #expect(try ArchiveFingerprint(archive: archive, threads: 2).manifest() == manifest)
        }
        return (report, manifest.entries.map(\.path))
    }

    @Test("zip64 with a member beyond 4 GiB, and bytes before the archive", arguments: [0, 1000])
    func zip64(prefix: Int) throws {
        try InputFixtures.withFolder { folder in
            var zip = ZipFixture(
                members: [
                    .init(name: "a.dcm", bytes: Array("near".utf8)),
                    .init(name: "b.dcm", bytes: Array("far".utf8), offset: 5 << 30),
                ], isZip64: true)
            zip.prefix = [UInt8](repeating: 7, count: prefix)
            try zip.write(to: folder + "/a.zip")
            let (report, names) = try unpack(folder + "/a.zip", into: folder)
            #expect(names == ["a.dcm", "b.dcm"] && report.damaged.isEmpty && report.bytes == 7)
            #expect(try String(contentsOfFile: folder + "/out/b.dcm", encoding: .utf8) == "far")
        }
    }

    @Test("zips inside a zip come out as folders, stored or compressed, and a table's zip as the table")
    func nested() throws {
        try InputFixtures.withFolder { folder in
            func zip(_ name: String, _ members: [(String, String)]) throws -> [UInt8] {
                let archive = try ArchiveWriter(path: folder + "/" + name)
                for (name, text) in members { try archive.add(name, bytes: Array(text.utf8)) }
                try archive.close()
                return Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name)))
            }
            let train = try zip("1.zip", [("ID_1.dcm", "one"), ("ID_2.dcm", "two")])
            let test = try zip("2.zip", [("stage_1_test_images/ID_3.dcm", "three")])
            let table = try zip("3.zip", [("stage_1_train.csv", "ID,Label\n")])
            let members: [(String, [UInt8])] = [
                ("top/stage_1_train_images.zip", train), ("top/stage_1_test_images.zip", test),
                ("top/stage_1_train.csv.zip", table), ("top/notes.txt", Array("hello".utf8)),
            ]
            let expected = [
                "top/notes.txt", "top/stage_1_test_images/ID_3.dcm", "top/stage_1_train.csv",
                "top/stage_1_train_images/ID_1.dcm", "top/stage_1_train_images/ID_2.dcm",
            ]
            try ZipFixture(members: members.map { .init(name: $0.0, bytes: $0.1) }).write(to: folder + "/stored.zip")
            #expect(try unpack(folder + "/stored.zip", into: folder).names == expected)
            let compressed = try ArchiveWriter(path: folder + "/compressed.zip")
            for (name, bytes) in members { try compressed.add(name, bytes: bytes) }
            try compressed.close()
            try InputFixtures.withFolder { (other: String) throws in
                #expect(try unpack(folder + "/compressed.zip", into: other).names == expected)
                // Nothing is left of the zips in between, and a second run need not make them again.
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: other + "/out").sorted()
                        == [".repro-journal", ".repro-lock", "manifest.sha256", "top"])
                #expect(try unpack(folder + "/compressed.zip", into: other).report.alreadyThere == 5)
            }
        }
    }

    @Test("a folder of archives is taken as one archive; its tables come along")
    func folderOfArchives() throws {
        try InputFixtures.withFolder { folder in
            let base = folder + "/downloads"
            try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
            try ZipFixture(members: [.init(name: "ID_1.dcm", bytes: [1])]).write(to: base + "/stage_2_train.zip")
            try ZipFixture(members: [.init(name: "stage_2_test/ID_2.dcm", bytes: [2])]).write(
                to: base + "/stage_2_test.zip")
            try InputFixtures.write("ID,Label\n", to: base + "/stage_2_train.csv")
            // Folders are left where they are.
            try InputFixtures.write("notes", to: base + "/notes/notes.txt")
            #expect(!Unpacker.isUsedInPlace(base))
            let expected = ["stage_2_test/ID_2.dcm", "stage_2_train.csv", "stage_2_train/ID_1.dcm"]
            #expect(try unpack(base, into: folder).names == expected)
            #expect(Unpacker.isUsedInPlace(folder + "/out"))
        }
    }

    @Test("a member that does not fit in memory at once is unpacked piece by piece, and checked")
    func large() throws {
        try InputFixtures.withFolder { folder in
            let archive = try ArchiveWriter(path: folder + "/a.zip")
            let bytes = [UInt8](unsafeUninitializedCapacity: 65 << 20) { buffer, count in
                for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: index >> 12) }
                count = buffer.count
            }
            try archive.add("large.csv", bytes: bytes)
            try archive.close()
            let (report, _) = try unpack(folder + "/a.zip", into: folder)
            #expect(report.bytes == 65 << 20)
            #expect(try Digest.sha256(file: folder + "/out/large.csv") == Digest.sha256(bytes))
            var damaged = try Data(contentsOf: URL(fileURLWithPath: folder + "/a.zip"))
            damaged[damaged.count / 2] ^= 0x10
            try damaged.write(to: URL(fileURLWithPath: folder + "/b.zip"))
            let unpacker = Unpacker(archive: folder + "/b.zip", destination: folder + "/other")
            #expect(try unpacker.run().report.damaged.map(\.member) == ["large.csv"])
            #expect(!FileManager.default.fileExists(atPath: folder + "/other/large.csv"))
        }
    }

    @Test("links and devices in a zip are refused; a directory that contradicts the members is noticed")
    func hostileZip() throws {
        try InputFixtures.withFolder { folder in
            let zip = ZipFixture(members: [
                .init(name: "link", bytes: Array("/etc/passwd".utf8), mode: 0o120777), .init(name: "a", bytes: [1]),
                .init(name: "a/b", bytes: [2]), .init(name: "device", bytes: [], mode: 0o020666),
            ])
            try zip.write(to: folder + "/a.zip")
            let (report, names) = try unpack(folder + "/a.zip", into: folder)
            #expect(throws: Failure.self) { try ArchiveFingerprint(archive: folder + "/a.zip", threads: 1).manifest() }
            #expect(names == ["a"] && report.refused.map(\.member).sorted() == ["a/b", "device", "link"])
            // The name of a member changed in the directory alone.
            var bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/a.zip"))
            let place = try #require(bytes.range(of: Data("device".utf8), options: .backwards))
            bytes.replaceSubrange(place, with: Data("ID_666".utf8))
            // The upper byte of the mode: a file, no device.
            bytes[place.lowerBound - 46 + 41] = 0x81
            try bytes.write(to: URL(fileURLWithPath: folder + "/b.zip"))
            let other = Unpacker(archive: folder + "/b.zip", destination: folder + "/other")
            #expect(try other.run().report.damaged.map(\.member) == ["ID_666"])
        }
    }
}

@Suite("Unpacking into a folder that is not empty")
struct UnpackDestinationTests {
    private static func archive(_ path: String, _ names: String...) throws {
        try ZipFixture(members: names.map { .init(name: $0, bytes: Array($0.utf8)) }).write(to: path)
    }

    @Test("another archive's files are removed, somebody's own are left and named")
    func otherArchive() throws {
        try InputFixtures.withFolder { folder in
            try Self.archive(folder + "/a.zip", "in/both", "in/first")
            try Self.archive(folder + "/b.zip", "in/both", "in/second")
            _ = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run()
            try InputFixtures.write("mine", to: folder + "/out/in/mine")
            let unpacker = Unpacker(archive: folder + "/b.zip", destination: folder + "/out")
            let (report, manifest) = try unpacker.run()
            #expect(manifest.entries.map(\.path) == ["in/both", "in/second"])
            #expect(report.removed == 1 && report.strays == ["in/mine"] && report.alreadyThere == 0)
            #expect(unpacker.failure(of: report)?.status == .badInput)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/in/first"))
            // In a folder of the program's own it goes too.
            var owner = unpacker
            owner.removesStrays = true
            #expect(try owner.run().report.removed == 1)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/in/mine"))
        }
    }

    @Test("without enough space nothing is begun, and the message says how much is needed")
    func space() throws {
        try InputFixtures.withFolder { folder in
            try Self.archive(folder + "/a.zip", "one", "two")
            var unpacker = Unpacker(archive: folder + "/a.zip", destination: folder + "/out")
            unpacker.freeBytes = { _ in 8191 }
            let failure = InputFixtures.failure { _ = try unpacker.run() }
            #expect(failure?.status == .inputOutput && failure?.message.contains("8.2 kB are needed") == true)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/one"))
            unpacker.freeBytes = { _ in 8192 }
            #expect(try unpacker.run().report.files == 2)
            // What is there needs no more.
            unpacker.freeBytes = { _ in 0 }
            #expect(try unpacker.run().report.alreadyThere == 2)
        }
    }

    @Test("removing what does not belong never follows a link")
    func strayLink() throws {
        try InputFixtures.withFolder { folder in
            try Self.archive(folder + "/a.zip", "one")
            try InputFixtures.write("kept", to: folder + "/elsewhere/kept")
            try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/out/link", withDestinationPath: folder + "/elsewhere")
            var unpacker = Unpacker(archive: folder + "/a.zip", destination: folder + "/out")
            unpacker.removesStrays = true
            #expect(try unpacker.run().report.removed == 1)
            #expect(FileManager.default.fileExists(atPath: folder + "/elsewhere/kept"))
        }
    }

    @Test("after a restart of the machine only what had reached the disk is believed without hashing")
    func powerCut() throws {
        try InputFixtures.withFolder { folder in
            let path = folder + "/.repro-journal"
            for name in ["a", "b"] { try InputFixtures.write(name, to: "\(folder)/\(name)") }
            let journal = try HashJournal(path: path, source: "s")
            for name in ["a", "b"] {
                let facts = try #require(FileFacts("\(folder)/\(name)"))
                try journal.record([
                    (name, .init(sha256: Digest.sha256(name), size: facts.size, modified: facts.modified))
                ])
            }
            func believed(_ text: String) throws -> [String] {
                try InputFixtures.write(text, to: path)
                let journal = try HashJournal(path: path, source: "s")
                return ["a", "b"].filter { journal.vouches(for: $0, at: "\(folder)/\($0)") != nil }
            }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(try believed(text) == ["a", "b"])
            let lines = text.split(separator: "\n").map {
                $0.hasPrefix("session ") ? "session of-yesterday" : String($0)
            }
            let older = lines.joined(separator: "\n") + "\n"
            #expect(try believed(older) == [])
            #expect(try believed(older + "durable 1\n") == ["a"])
            #expect(try believed(older + "durable 2\ndura") == ["a", "b"])
            #expect(try believed("another journal\n" + text) == [])
        }
    }
}
