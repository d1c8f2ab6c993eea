import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

/// Zips whose directories say less than what is in them, or something else.
@Suite("Directories of zips")
struct ZipDirectoryTests {
    private func unpack(_ archive: String, into folder: String) throws -> [String] {
        let (report, manifest) = try Unpacker(archive: archive, destination: folder + "/out", threads: 2).run()
        #expect(report.damaged.isEmpty && report.refused.isEmpty, "\(report.damaged) \(report.refused)")
        #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == manifest)
        #expect(try ArchiveFingerprint(archive: archive, threads: 2).manifest() == manifest)
        return manifest.entries.map(\.path)
    }

    /// That unpacking ends before anything is written, and why.
    private func refusal(_ bytes: Data, in folder: String) throws -> Failure? {
        try bytes.write(to: URL(fileURLWithPath: folder + "/a.zip"))
        let failure = InputFixtures.failure {
            _ = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run()
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
        return failure
    }

    @Test(
        "of more members than 16 bits count, all are there, without zip64 too, and whether the count wrapped or stopped"
    )
    func manyMembers() throws {
        try InputFixtures.withFolder { folder in
            let members = (0..<65_540).map { ZipFixture.Member(name: "ID_\($0).dcm", bytes: []) }
            for stated in [4, 0xFFFF] {
                try ZipFixture(members: members, statedCount: stated).write(to: folder + "/a.zip")
                let archive = try #require(try ZipArchive(of: try FileRegion(path: folder + "/a.zip")))
                #expect(archive.members.count == 65_540 && archive.isMended)
                #expect(archive.members.last?.path == "ID_65539.dcm")
            }
            // Who unpacked it with a reader that believed the count begins anew.
            #expect(try Unpacker.identity(of: folder + "/a.zip").hasSuffix(" mended"))
        }
    }

    @Test(
        "a count that is neither the members' nor what is left of it in 16 bits is a contradiction",
        arguments: [false, true])
    func wrongCount(isZip64: Bool) throws {
        try InputFixtures.withFolder { folder in
            let members = (0..<3).map { ZipFixture.Member(name: "\($0)", bytes: [1]) }
            for stated in [0, 1, 2, 4, 300] {
                let zip = ZipFixture(members: members, isZip64: isZip64, statedCount: stated)
                try zip.write(to: folder + "/b.zip")
                let failure = try refusal(try Data(contentsOf: URL(fileURLWithPath: folder + "/b.zip")), in: folder)
                #expect(failure?.status == .badInput)
                #expect(failure?.message.contains("has 3 members and says that they are \(stated)") == true)
            }
        }
    }

    @Test("offsets that wrapped at 4 GiB, once and several times, are found by header and checksum")
    func wrappedOffsets() throws {
        try InputFixtures.withFolder { folder in
            let period = 1 << 32
            let members: [ZipFixture.Member] = [
                .init(name: "a", bytes: Array("first".utf8), offset: 0),
                .init(name: "b", bytes: Array("near the end".utf8), offset: period - 20),
                .init(name: "c", bytes: Array("beyond".utf8), offset: period + 100),
                .init(name: "same", bytes: [1], offset: period + 1000),
                .init(name: "same/2", bytes: [2], offset: 2 * period + 1000),
                .init(name: "d", bytes: [3], offset: 3 * period + 7),
            ]
            // In the order in which they lie there, and in another.
            for order in [[0, 1, 2, 3, 4, 5], [3, 4, 2, 1, 0, 5]] {
                let list = order.map { members[$0] }
                try ZipFixture(members: list).write(to: folder + "/a.zip")
                let archive = try #require(try ZipArchive(of: try FileRegion(path: folder + "/a.zip")))
                #expect(archive.isMended)
                for member in archive.members {
                    var bytes: [UInt8] = []
                    try ZipExtractor().read(member, in: archive.region) { bytes += $0 }
                    #expect(bytes == members.first { $0.name == member.path }?.bytes, "\(member.path)")
                }
            }
            try ZipFixture(members: members.filter { $0.name != "same" }).write(to: folder + "/a.zip")
            #expect(try unpack(folder + "/a.zip", into: folder) == ["a", "b", "c", "d", "same/2"])
        }
    }

    @Test("two members of one name whose offsets are the same in 32 bits keep their own bytes")
    func sameOffsets() throws {
        try InputFixtures.withFolder { folder in
            let place = 500
            let members: [ZipFixture.Member] = [
                .init(name: "x", bytes: [1, 1], offset: place),
                .init(name: "x", bytes: [2, 2, 2], offset: 1 << 32 + place),
            ]
            try ZipFixture(members: members).write(to: folder + "/a.zip")
            let archive = try #require(try ZipArchive(of: try FileRegion(path: folder + "/a.zip")))
            let read = try archive.members.map { member in
                var bytes: [UInt8] = []
                try ZipExtractor().read(member, in: archive.region) { bytes += $0 }
                return bytes
            }
            #expect(read == [[1, 1], [2, 2, 2]])
        }
    }

    @Test("backslashes separate folders in what Windows packed, and in what has no other separator")
    func backslashes() throws {
        func names(_ members: [(String, UInt8)]) throws -> [String] {
            try InputFixtures.withFolder { folder in
                let members = members.map { ZipFixture.Member(name: $0.0, bytes: [1], system: $0.1) }
                try ZipFixture(members: members).write(to: folder + "/a.zip")
                return try unpack(folder + "/a.zip", into: folder)
            }
        }
        #expect(
            try names([("stage_2_train\\a.dcm", 0), ("stage_2_test\\b\\c.dcm", 0)]) == [
                "stage_2_test/b/c.dcm", "stage_2_train/a.dcm",
            ])
        #expect(try names([("a\\b", 3), ("c", 3)]) == ["a/b", "c"])
        // Unix allows it in a name.
        #expect(try names([("a\\b", 3), ("c/d", 3)]) == ["a\\b", "c/d"])
    }

    @Test("a path that climbs out with backslashes is refused like another")
    func climbingBackslashes() throws {
        try InputFixtures.withFolder { folder in
            let members = ["..\\..\\x", "\\y", "good\\z"].map { ZipFixture.Member(name: $0, bytes: [1], system: 0) }
            try ZipFixture(members: members).write(to: folder + "/a.zip")
            let report = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run().report
            #expect(report.refused.map(\.member) == ["../../x", "/y"] && report.files == 1)
            // What was left out is told again.
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/manifest.sha256"))
            let again = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run().report
            #expect(again.refused == report.refused && again.alreadyThere == 1)
        }
    }

    @Test("names that are no UTF-8 keep their bytes, and two of them are two files")
    func nameBytes() throws {
        try InputFixtures.withFolder { folder in
            let names: [[UInt8]] = [[0x61, 0xE9, 0x2E], [0x61, 0xE8, 0x2E]]
            let members = names.map { ZipFixture.Member(name: "", bytes: [1], nameBytes: Array("d/".utf8) + $0) }
            try ZipFixture(members: members).write(to: folder + "/a.zip")
            _ = try unpack(folder + "/a.zip", into: folder)
            #expect(Set(try namesInFolder(folder + "/out/d").map(\.pathBytes)) == Set(names))
            #expect(
                try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run().report.alreadyThere == 2)
        }
    }

    @Test("a volume of a split archive is called that, whatever tool split it")
    func volumes() throws {
        try InputFixtures.withFolder { folder in
            var zip = ZipFixture(members: [.init(name: "a", bytes: [UInt8](repeating: 1, count: 300))])
            try zip.write(to: folder + "/whole.zip")
            let whole = try Data(contentsOf: URL(fileURLWithPath: folder + "/whole.zip"))
            zip.volume = 1
            try zip.write(to: folder + "/last.zip")
            try InputFixtures.write([0x50, 0x4B, 7, 8] + whole.prefix(200), to: folder + "/first.z01")
            for name in ["w.zip.001", "w.zip.part1", "w.zip.aa", "w.zipaa"] {
                try InputFixtures.write(whole.prefix(200), to: "\(folder)/\(name)")
            }
            try InputFixtures.write(whole.suffix(200), to: folder + "/w.zip.002")
            for name in ["t.tar.gz.001", "t.tar.gz.002"] {
                try InputFixtures.write([0x1F, 0x8B, 8, 0], to: "\(folder)/\(name)")
            }
            for name in [
                "last.zip", "first.z01", "w.zip.001", "w.zip.002", "w.zip.part1", "w.zip.aa", "w.zipaa", "t.tar.gz.001",
            ] {
                let failure = InputFixtures.failure {
                    _ = try Unpacker(archive: "\(folder)/\(name)", destination: folder + "/out").run()
                }
                #expect(
                    failure?.status == .badInput && failure?.message.contains("one volume of a split archive") == true,
                    "\(name)")
            }
            let inFolder = InputFixtures.failure {
                try InputFixtures.write(whole, to: folder + "/f/t.zip")
                for name in ["w.zip.001", "w.zip.002"] { try InputFixtures.write([1], to: "\(folder)/f/\(name)") }
                _ = try Unpacker(archive: folder + "/f", destination: folder + "/out").run()
            }
            #expect(inFolder?.message.contains("w.zip.001: is one volume") == true)
            for name in ["a.zip", "b.tar.gz", "c.zip.1", "c.zip.sha256", "d.zip.asc", "e.zip.gz", "ID_001.dcm"] {
                #expect(!ArchiveNames.isVolume(name), "\(name)")
            }
            // One that was not split after all is read.
            try whole.write(to: URL(fileURLWithPath: folder + "/n.zip.001"))
            #expect(try unpack(folder + "/n.zip.001", into: folder) == ["a"])
        }
    }

    @Test("a zip in a zip that was cut off behind it, and two zips joined, are not taken for the last one")
    func joined() throws {
        try InputFixtures.withFolder { folder in
            try ZipFixture(members: [.init(name: "inner", bytes: [1])]).write(to: folder + "/inner.zip")
            let inner = try Data(contentsOf: URL(fileURLWithPath: folder + "/inner.zip"))
            try ZipFixture(members: [.init(name: "a", bytes: [2]), .init(name: "inner.zip", bytes: Array(inner))])
                .write(
                    to: folder + "/outer.zip")
            let outer = try Data(contentsOf: URL(fileURLWithPath: folder + "/outer.zip"))
            // The local headers, and all of the inner zip.
            let cut = outer.prefix(30 + 1 + 1 + 30 + 9 + inner.count)
            for bytes in [cut, inner + outer, outer + inner.dropLast(22)] {
                let failure = try refusal(bytes, in: folder)
                #expect(
                    failure?.message.contains("two were joined, or the download is cut off") == true, "\(bytes.count)")
            }
        }
    }

    @Test("a member that libarchive has to unpack must have the name that the directory has")
    func otherMethods() throws {
        try InputFixtures.withFolder { folder in
            let member = ZipFixture.Member(name: "a.dcm", bytes: [1])
            try ZipFixture(members: [member]).write(to: folder + "/b.zip")
            var bytes = try Data(contentsOf: URL(fileURLWithPath: folder + "/b.zip"))
            // The directory says bzip2, the header of the member none: its bytes are right by their checksum.
            let entry = try #require(bytes.firstRange(of: Data([0x50, 0x4B, 1, 2]))).lowerBound
            bytes[entry + 10] = 12
            for (name, isRight) in [("a", true), ("b", false)] {
                bytes[30] = try #require(name.utf8.first)
                try bytes.write(to: URL(fileURLWithPath: folder + "/a.zip"))
                let out = folder + "/" + name
                let failure = InputFixtures.failure {
                    _ = try Unpacker(archive: folder + "/a.zip", destination: out).run()
                }
                #expect((failure == nil) == isRight, "\(name): \(String(describing: failure))")
                #expect(FileManager.default.fileExists(atPath: out + "/manifest.sha256") == isRight)
            }
        }
    }

    @Test("a nested zip that contradicts itself is named; what else there is is unpacked, without a manifest")
    func nested() throws {
        try InputFixtures.withFolder { folder in
            try ZipFixture(members: [.init(name: "x", bytes: [1])], statedCount: 7).write(to: folder + "/n.zip")
            let inner = try Data(contentsOf: URL(fileURLWithPath: folder + "/n.zip"))
            try ZipFixture(members: [.init(name: "a", bytes: [2]), .init(name: "n.zip", bytes: Array(inner))]).write(
                to: folder + "/a.zip")
            let report = try Unpacker(archive: folder + "/a.zip", destination: folder + "/out").run().report
            #expect(report.damaged.map(\.member) == ["n.zip"] && report.files == 1)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/manifest.sha256"))
        }
    }

    @Test("a Git LFS pointer or a web page in the place of an archive is called that")
    func impostors() throws {
        try InputFixtures.withFolder { folder in
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
            for (text, words) in [(pointer, "git lfs pull"), ("<!DOCTYPE HTML><title>403", "web page")] {
                let failure = try refusal(Data(text.utf8), in: folder)
                #expect(failure?.message.contains(words) == true)
            }
        }
    }

    @Test("of 300 damaged zips each gives members as they were packed, or an error and no manifest")
    func mutations() throws {
        try InputFixtures.withFolder { folder in
            var random = SeededBytes(seed: 3)
            let members = ["a.dcm", "d/b.dcm", "c\\d.dcm"].map {
                ZipFixture.Member(name: $0, bytes: Array("contents of \($0)".utf8), system: 0)
            }
            let zips = try [false, true].map { isZip64 in
                try ZipFixture(members: members, isZip64: isZip64).write(to: folder + "/whole.zip")
                return Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/whole.zip")))
            }
            let contents = Set(members.map { Digest.sha256($0.bytes) })
            for round in 0..<300 {
                try InputFixtures.write(random.mutated(zips[round % 2]), to: folder + "/a.zip")
                let out = "\(folder)/out\(round)"
                let unpacker = Unpacker(archive: folder + "/a.zip", destination: out, threads: 1)
                guard let (report, manifest) = try? unpacker.run() else {
                    #expect(!FileManager.default.fileExists(atPath: out + "/manifest.sha256"))
                    continue
                }
                #expect(manifest.entries.allSatisfy { contents.contains($0.sha256) }, "\(round)")
                #expect(manifest.entries.count == 3 || unpacker.failure(of: report) != nil, "\(round)")
            }
        }
    }
}
