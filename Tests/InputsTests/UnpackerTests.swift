import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("Unpacking")
struct UnpackerTests {
    /// A zip of three members, one of them larger than libarchive's buffers.
    private static func makeArchive(_ path: String) throws -> [String: [UInt8]] {
        var random = DemoRandom(seed: 5)
        let members: [(String, [UInt8])] = [
            ("top/stage_2_train/ID_1.dcm", (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }),
            ("top/stage_2_train/ID_2.dcm", Array("two".utf8)), ("top/empty.csv", []),
        ]
        let archive = try ArchiveWriter(path: path)
        for (name, bytes) in members { try archive.add(name, bytes: bytes) }
        try archive.close()
        return Dictionary(uniqueKeysWithValues: members)
    }

    @Test(
        "a file that was edited after it was unpacked is the archive's again, also if its hash was looked at meanwhile")
    func edited() throws {
        try InputFixtures.withFolder { folder in
            let archive = try ArchiveWriter(path: folder + "/a.zip")
            for index in 0..<3 { try archive.add("ID_\(index).dcm", bytes: Array("slice \(index)".utf8)) }
            try archive.close()
            let unpacker = Unpacker(archive: folder + "/a.zip", destination: folder + "/out", threads: 1)
            let manifest = try unpacker.run().manifest
            try InputFixtures.write("SLICE 1", to: folder + "/out/ID_1.dcm")
            let journal = "\(folder)/out/\(Unpacker.journalName)"
            for _ in 0..<2 {
                let seen = try Fingerprint.manifest(
                    of: [folder + "/out"], threads: 1, journal: HashJournal(path: journal, source: nil))
                #expect(seen.rootHash != manifest.rootHash)
            }
            #expect(try unpacker.run().manifest == manifest)
            #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == manifest)
        }
    }

    @Test("members come out byte for byte, with a manifest that sha256sum could check")
    func unpack() throws {
        try InputFixtures.withFolder { folder in
            let members = try Self.makeArchive(folder + "/a.zip")
            let (report, manifest) = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run()
            #expect(report.files == 3 && report.refused.isEmpty && report.alreadyThere == 0)
            for (name, bytes) in members {
                #expect(FileManager.default.contents(atPath: folder + "/out/" + name).map(Array.init) == bytes)
                #expect(manifest.entries.contains { $0.path == name && $0.sha256 == Digest.sha256(bytes) })
            }
            let text = try String(contentsOfFile: folder + "/out/manifest.sha256", encoding: .utf8)
            #expect(try Manifest(parsing: text, name: "m") == manifest)
            #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 2) == manifest)
            #expect(manifest.rootHash == report.rootHash)
        }
    }

    @Test("a second run rewrites nothing but what was changed or removed")
    func resume() throws {
        try InputFixtures.withFolder { folder in
            _ = try Self.makeArchive(folder + "/a.zip")
            let unpacker = Unpacker(archive: folder + "/a.zip", destination: folder + "/out")
            let first = try unpacker.run()
            let names = ["top/stage_2_train/ID_1.dcm", "top/stage_2_train/ID_2.dcm"].map { folder + "/out/" + $0 }
            try InputFixtures.write("broken", to: names[0])
            try FileManager.default.removeItem(atPath: names[1])
            // A kill in the middle of a line of the journal.
            let journal = folder + "/out/.repro-journal"
            let cut = try Data(contentsOf: URL(fileURLWithPath: journal)) + Data("0123".utf8)
            try cut.write(to: URL(fileURLWithPath: journal))
            let second = try unpacker.run()
            #expect(second.report.alreadyThere == 1)
            #expect(second.manifest == first.manifest)
            #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == first.manifest)
            #expect(try unpacker.run().report.alreadyThere == 3)
        }
    }

    @Test("an archive cut off anywhere is an error, leaves no manifest and no partial member")
    func truncated() throws {
        try InputFixtures.withFolder { folder in
            let members = try Self.makeArchive(folder + "/a.zip")
            let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/a.zip"))
            let tail = [1, 5, 21, 22, 60, 150, 250, 300, 330, 380, 450, 500, 700].map { whole.count - $0 }
            for length in [1, 10, 40, 100, 5_000, 200_000] + tail {
                let destination = folder + "/out\(length)"
                try whole.prefix(length).write(to: URL(fileURLWithPath: folder + "/cut.zip"))
                let failure = InputFixtures.failure {
                    _ = try Unpacker(archive: folder + "/cut.zip", destination: destination).run()
                }
                #expect(
                    failure?.status == .badInput, "\(length) of \(whole.count) bytes: \(String(describing: failure))")
                #expect(!FileManager.default.fileExists(atPath: destination + "/manifest.sha256"))
                guard FileManager.default.fileExists(atPath: destination) else { continue }
                for entry in try Fingerprint.manifest(of: [destination], threads: 1).entries {
                    #expect(entry.sha256 == members[entry.path].map { Digest.sha256($0) })
                }
            }
        }
    }

    @Test("a damaged member is named and the rest goes on; of a whole copy of the archive, only that one is unpacked")
    func damaged() throws {
        try InputFixtures.withFolder { folder in
            let members = try Self.makeArchive(folder + "/a.zip")
            let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/a.zip"))
            var bytes = whole
            bytes[150_000] ^= 1
            try bytes.write(to: URL(fileURLWithPath: folder + "/a.zip"))
            let unpacker = Unpacker(archive: folder + "/a.zip", destination: folder + "/out")
            let first = try unpacker.run().report
            #expect(first.damaged.map(\.member) == ["top/stage_2_train/ID_1.dcm"] && first.files == 2)
            #expect(unpacker.failure(of: first)?.status == .badInput)
            #expect(unpacker.failure(of: first)?.message.contains("ID_1.dcm") == true)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/manifest.sha256"))
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/top/stage_2_train/ID_1.dcm"))
            try whole.write(to: URL(fileURLWithPath: folder + "/a.zip"))
            let second = try unpacker.run()
            #expect(
                second.report.alreadyThere == 2 && second.report.files == 3
                    && unpacker.failure(of: second.report) == nil)
            #expect(
                second.manifest.entries.map(\.sha256)
                    == members.sorted { $0.key < $1.key }.map { Digest.sha256($0.value) })
        }
    }

    /// Made with libarchive's option `zip:encryption=traditional`, password `secret`: one member, stage_2_train.csv.
    private static let encrypted = """
        UEsDBBQACQAIAAAAIQAAAAAAAAAAAAkAAAARABQAc3RhZ2VfMl90cmFpbi5jc3ZVVAEAAHV4CwABBAAAAAAEAAAAAJvAZTmP/uovAdE2E3doo798\
        cSeo8VMzUEsHCBFRlBsXAAAACQAAAFBLAQIUAxQACQAIAAAAIQARUZQbFwAAAAkAAAARABQAAAAAAAAAAAAAgAAAAABzdGFnZV8yX3RyYWluLmNz\
        dlVUAQAAdXgLAAEEAAAAAAQAAAAAUEsFBgAAAAABAAEAUwAAAGoAAAAAAA==
        """

    @Test("encrypted, absent, wrong and empty archives each get an error of their own")
    func wrongArchives() throws {
        try InputFixtures.withFolder { folder in
            func failure(_ name: String) -> Failure? {
                InputFixtures.failure {
                    _ = try Unpacker(archive: folder + "/" + name, destination: folder + "/out").run()
                }
            }
            try InputFixtures.write(try #require(Data(base64Encoded: Self.encrypted)), to: folder + "/encrypted.zip")
            #expect(failure("encrypted.zip")?.status == .badInput)
            #expect(failure("encrypted.zip")?.message.contains("stage_2_train.csv is encrypted") == true)
            #expect(failure("absent.zip")?.status == .inputMissing)
            try InputFixtures.write(String(repeating: "This is no archive.\n", count: 500), to: folder + "/text.zip")
            #expect(failure("text.zip")?.status == .badInput)
            try InputFixtures.write("", to: folder + "/empty.zip")
            #expect(failure("empty.zip")?.status == .badInput)
            try ArchiveWriter(path: folder + "/nothing.zip").close()
            #expect(failure("nothing.zip")?.message.contains("without any file") == true)
        }
    }

    /// A gzipped tar, made with Python's tarfile: good.txt, ../climbs.txt, /absolute.txt, a/../../climbs2.txt, out -> /tmp,
    /// out/through.txt, hard (a hard link), sub/good2.txt and good.txt once more.
    private static let hostile = """
        H4sIAAAAAAACA+2Zyw7CIBBF+RS/oDyK8D1UDW1SxbQQ/XypC+NjYTQZNOGeDaQbkpJzMzP4ELZNPEdGiMgYra9r5nnN6Lv98t3qVrCVYAVIc3RT\
        PpLVic/3z0C1NA3fjMO+mwlD4L3/8tF/KaSR8L8EZyhQNdx1cxhT3P2X/61V8B/+A2oczxXArQhQJCnwhf/GGvgP/wE1IUXyM977/7y3yli2Ujzu\
        j/Cf+v557KeQfE9WAX6R/9Zo5D/yH1DTu4l8/vdx/kuhFv+lLzCcrtz/OXV8+c3qp/1/+9L/C/T/RYingBCsGP8X73/r1/c/zP+L4LwbDtAAAAAA\
        AKAaLgVmKMQAKAAA
        """

    @Test("paths that climb out and links are refused by name; the rest is unpacked, and nothing outside is touched")
    func hostilePaths() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(try #require(Data(base64Encoded: Self.hostile)), to: folder + "/a.tar.gz")
            let (report, manifest) = try Unpacker(archive: folder + "/a.tar.gz", destination: folder + "/b/out").run()
            let refused = report.refused.map(\.member)
            #expect(refused == ["../climbs.txt", "/absolute.txt", "a/../../climbs2.txt", "out", "hard", "good.txt"])
            #expect(manifest.entries.map(\.path) == ["good.txt", "out/through.txt", "sub/good2.txt"])
            #expect(try Fingerprint.manifest(of: [folder + "/b/out"], threads: 1) == manifest)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/b") == ["out"])
            #expect(try String(contentsOfFile: folder + "/b/out/good.txt", encoding: .utf8) == "good")
        }
    }

    @Test("a link that is already in the destination is not followed")
    func linkInDestination() throws {
        try InputFixtures.withFolder { folder in
            _ = try Self.makeArchive(folder + "/a.zip")
            try FileManager.default.createDirectory(atPath: folder + "/elsewhere", withIntermediateDirectories: true)
            try FileManager.default.createDirectory(atPath: folder + "/out", withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/out/top", withDestinationPath: folder + "/elsewhere")
            let (report, _) = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run()
            #expect(report.refused.count == 3 && report.files == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/elsewhere").isEmpty)
        }
    }

    @Test("a full disk ends with the file's name and what to do")
    func fullDisk() throws {
        guard access("/dev/full", W_OK) == 0 else { return }
        let failure = InputFixtures.failure {
            let file = try OutputFile(at: "/dev/full", naming: "work/inputs/ID_1.dcm")
            defer { file.close() }
            try Array("bytes".utf8).withUnsafeBytes { try file.append($0) }
        }
        #expect(failure?.status == .inputOutput)
        #expect(failure?.message.hasPrefix("work/inputs/ID_1.dcm: cannot write") == true)
        #expect(failure?.message.contains("Free some space") == true)
    }

    @Test("a destination that cannot be made is an I/O error")
    func noDestination() throws {
        try InputFixtures.withFolder { folder in
            _ = try Self.makeArchive(folder + "/a.zip")
            try InputFixtures.write("a file", to: folder + "/out")
            let failure = InputFixtures.failure {
                _ = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run()
            }
            #expect(failure?.status == .inputOutput)
        }
    }

    @Test("a folder in the place of the archive is fingerprinted where it is")
    func folderAsArchive() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("a", to: folder + "/in/stage_2_train/a.dcm")
            let (report, manifest) = try Unpacker(archive: folder + "/in", destination: folder + "/out").run()
            #expect(report.folder == folder + "/in")
            #expect(manifest.entries.map(\.path) == ["stage_2_train/a.dcm"])
            #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
        }
    }
}
