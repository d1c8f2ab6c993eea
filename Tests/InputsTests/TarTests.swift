import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

/// Tars are read from front to back; of a plain one the members' bytes are read where they lie, by several threads.
@Suite("Tars")
struct TarTests {
    /// Packs the folder `in` as GNU tar does.
    private static func pack(_ folder: String, into name: String, _ options: String...) throws -> String {
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = options + ["-f", "\(folder)/\(name)", "-C", folder + "/in", "."]
        try tar.run()
        tar.waitUntilExit()
        #expect(tar.terminationStatus == 0)
        return "\(folder)/\(name)"
    }

    @Test(
        "a tar comes out as what was packed: sparse, empty and large files and long names too; again, nothing is written twice",
        arguments: [["-c"], ["-cz"], ["-cS"], ["-czS"], ["-c", "--format=pax"], ["-cS", "--format=pax"]])
    func everyKind(options: [String]) throws {
        try InputFixtures.withFolder { folder in
            let train = folder + "/in/stage_2_train"
            for index in 0..<150 { try InputFixtures.write("slice \(index)", to: "\(train)/ID_\(index).dcm") }
            let long = String(repeating: "long", count: 50)
            try InputFixtures.write("long", to: "\(folder)/in/\(long)/\(long)")
            try InputFixtures.write("", to: folder + "/in/empty")
            // Larger than what is gathered in memory.
            try InputFixtures.write([UInt8](repeating: 7, count: GatheredWriter.largest + 1), to: folder + "/in/large")
            let sparse = open(folder + "/in/sparse", O_CREAT | O_WRONLY, 0o644)
            #expect(ftruncate(sparse, 1 << 20) == 0 && pwrite(sparse, "middle", 6, 500_000) == 6)
            close(sparse)
            let expected = try Fingerprint.manifest(of: [folder + "/in"], threads: 1)
            let archive =
                options.count == 1
                ? try Self.pack(folder, into: "a", options[0])
                : try Self.pack(folder, into: "a", options[0], options[1])
            let unpacker = Unpacker(archive: archive, destination: folder + "/out", threads: 2)
            #expect(try unpacker.run().manifest == expected)
            #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == expected)
            #expect(try ArchiveFingerprint(archive: archive, threads: 1).manifest() == expected)
            // Without the manifest the run counts as interrupted: the journal then vouches member by member.
            try FileManager.default.removeItem(atPath: folder + "/out/manifest.sha256")
            try FileManager.default.removeItem(atPath: folder + "/out/stage_2_train/ID_7.dcm")
            #expect(try unpacker.run().report.alreadyThere == 153)
        }
    }

    @Test(
        "a compressed tar with any bit flipped gives the right files or an error and no manifest; repaired, it gives the right ones",
        arguments: [CompressedOutput.gz, .bz2, .xz])
    func flippedBits(kind: CompressedOutput) throws {
        try InputFixtures.withFolder { folder in
            for index in 0..<5 { try InputFixtures.write("slice \(index * 7919)", to: "\(folder)/in/ID_\(index).dcm") }
            let expected = try Fingerprint.manifest(of: [folder + "/in"], threads: 1)
            let tar = try Data(contentsOf: URL(fileURLWithPath: Self.pack(folder, into: "a.tar", "-c")))
            let whole = try tar.withUnsafeBytes { try kind.packed($0) }
            var random = SplitMix64(state: 2019)
            for round in 0..<60 {
                var bytes = whole
                let place = Int(random.next() % UInt64(bytes.count))
                bytes[place] ^= 1 << UInt8(random.next() % 8)
                let archive = folder + "/a.tgz"
                try InputFixtures.write(bytes, to: archive)
                let out = "\(folder)/out\(round)"
                let unpacker = Unpacker(archive: archive, destination: out, threads: 1)
                let failure = InputFixtures.failure {
                    let manifest = try unpacker.run().manifest
                    #expect(manifest == expected)
                }
                guard let failure else { continue }
                #expect(failure.status == .badInput)
                #expect(!FileManager.default.fileExists(atPath: out + "/manifest.sha256"))
                // Of the same size and time, as a repair in place leaves it.
                guard round % 7 == 0, bytes.count == whole.count else { continue }
                var status = stat()
                stat(archive, &status)
                try InputFixtures.write(whole, to: archive)
                var times = [status.st_atim, status.st_mtim]
                utimensat(AT_FDCWD, archive, &times, 0)
                #expect(try unpacker.run().manifest == expected)
            }
        }
    }

    @Test("a tar cut off anywhere, between two members too, is an error; what was whole before is there")
    func cutOff() throws {
        try InputFixtures.withFolder { folder in
            for name in ["one", "two", "three"] { try InputFixtures.write(name, to: folder + "/in/\(name)") }
            let archive = try Self.pack(folder, into: "a.tar", "-c", "--sort=name")
            let whole = try Data(contentsOf: URL(fileURLWithPath: archive))
            let expected = try Fingerprint.manifest(of: [folder + "/in"], threads: 1)
            // The folder's header, three files of a header and a block each.
            let end = 512 * 7
            for length in [0, 1] + Array(stride(from: 256, through: end + 256, by: 256)) {
                try whole.prefix(length).write(to: URL(fileURLWithPath: folder + "/cut.tar"))
                let out = folder + "/out\(length)"
                let failure = InputFixtures.failure {
                    _ = try Unpacker(archive: folder + "/cut.tar", destination: out, threads: 2).run()
                }
                #expect(failure?.status == .badInput, "\(length): \(String(describing: failure))")
                #expect(!FileManager.default.fileExists(atPath: out + "/manifest.sha256"))
                guard FileManager.default.fileExists(atPath: out) else { continue }
                let found = try Fingerprint.manifest(of: [out], threads: 1)
                let differences = expected.differences(from: found)
                #expect(differences.changed.isEmpty && differences.extra.isEmpty)
                #expect(differences.missing.isEmpty || length < end)
            }
            try whole.prefix(end + 512).write(to: URL(fileURLWithPath: archive))
            #expect(try Unpacker(archive: archive, destination: folder + "/out").run().manifest == expected)
        }
    }

    @Test(
        "tars that were joined end to end are all read; less than a header after the end is passed over, more is damage"
    )
    func joined() throws {
        try InputFixtures.withFolder { folder in
            var parts: [Data] = []
            for name in ["one", "two"] {
                try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
                try InputFixtures.write(name, to: folder + "/in/\(name)")
                parts.append(try Data(contentsOf: URL(fileURLWithPath: try Self.pack(folder, into: "a.tar", "-c"))))
                try FileManager.default.removeItem(atPath: folder + "/in")
            }
            func unpack(_ bytes: Data, into out: String) throws -> [String] {
                try bytes.write(to: URL(fileURLWithPath: folder + "/b.tar"))
                return try Unpacker(archive: folder + "/b.tar", destination: folder + "/" + out).run().manifest.entries
                    .map(\.path)
            }
            #expect(try unpack(parts[0] + parts[1], into: "both") == ["one", "two"])
            #expect(try unpack(parts[0] + Data("junk".utf8), into: "junk") == ["one"])
            #expect(try unpack(parts[0] + Data(count: 700), into: "zeros") == ["one"])
            let failure = InputFixtures.failure {
                _ = try unpack(parts[0] + Data(repeating: 7, count: 600), into: "more")
            }
            #expect(failure?.status == .badInput)
            #expect(!FileManager.default.fileExists(atPath: folder + "/more/manifest.sha256"))
        }
    }

    @Test("a zip that lies last in a tar is a file of it; a later volume of a tar is called that")
    func zipInTar() throws {
        try InputFixtures.withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
            try InputFixtures.write("first", to: folder + "/in/a")
            try ZipFixture(members: [.init(name: "x", bytes: [1])]).write(to: folder + "/in/z.zip")
            let archive = try Self.pack(folder, into: "a.tar", "-c", "--sort=name")
            let names = try Unpacker(archive: archive, destination: folder + "/out").run().manifest.entries.map(\.path)
            #expect(names == ["a", "z.zip"])
            // The member's type, which says that it goes on from another volume, and the header's sum.
            var bytes = try Data(contentsOf: URL(fileURLWithPath: archive))
            bytes[156] = UInt8(ascii: "M")
            for place in 148..<156 { bytes[place] = 32 }
            let sum = String(bytes[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
            bytes.replaceSubrange(
                148..<156, with: String(repeating: "0", count: 6 - sum.count).utf8 + Array(sum.utf8) + [0, 32])
            try bytes.write(to: URL(fileURLWithPath: folder + "/later.tar"))
            let failure = InputFixtures.failure {
                _ = try Unpacker(archive: folder + "/later.tar", destination: folder + "/later").run()
            }
            #expect(failure?.message.contains("one volume of a split archive") == true)
        }
    }

    @Test("names that are no UTF-8 keep their bytes", arguments: ["--format=gnu", "--format=pax"])
    func nameBytes(format: String) throws {
        try InputFixtures.withFolder { folder in
            let names: [[UInt8]] = [[0x61, 0xE9], [0x61, 0xE8], Array("ä".utf8)]
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
            for name in names {
                let descriptor = "\(folder)/in/\(String(path: name))".withPath { open($0, O_CREAT | O_WRONLY, 0o644) }
                #expect(write(descriptor, name, name.count) == name.count)
                close(descriptor)
            }
            let expected = try Fingerprint.manifest(of: [folder + "/in"], threads: 1)
            #expect(Set(expected.entries.map(\.path.pathBytes)) == Set(names))
            let archive = try Self.pack(folder, into: "a.tar", "-c", format)
            #expect(try Unpacker(archive: archive, destination: folder + "/out").run().manifest == expected)
            #expect(try Fingerprint.manifest(of: [folder + "/out"], threads: 1) == expected)
        }
    }

    @Test("of 300 damaged tars each gives members as they were packed, or an error and no manifest")
    func mutations() throws {
        try InputFixtures.withFolder { folder in
            for name in ["one", "two", "three"] { try InputFixtures.write(name, to: folder + "/in/d/\(name)") }
            let archive = try Self.pack(folder, into: "a.tar", "-c", "--sort=name", "-b", "1")
            let whole = Array(try Data(contentsOf: URL(fileURLWithPath: archive)))
            var random = SeededBytes(seed: 7)
            for round in 0..<300 {
                // Of plain tars only the headers have a sum.
                let header = 512 * [0, 1, 2, 4, 6][random.below(5)]
                let damaged =
                    whole[..<header] + random.mutated(Array(whole[header..<header + 512])) + whole[(header + 512)...]
                try InputFixtures.write(damaged, to: folder + "/b.tar")
                let unpacker = Unpacker(archive: folder + "/b.tar", destination: "\(folder)/out\(round)", threads: 1)
                guard let (report, manifest) = try? unpacker.run() else {
                    #expect(!FileManager.default.fileExists(atPath: "\(folder)/out\(round)/manifest.sha256"))
                    continue
                }
                #expect(manifest.entries.count == 3 || unpacker.failure(of: report) != nil, "\(round)")
            }
        }
    }

    @Test("a tar that was cut off between two members and compressed then has no end either")
    func cutOffCompressed() throws {
        try InputFixtures.withFolder { folder in
            for name in ["one", "two"] { try InputFixtures.write(name, to: folder + "/in/\(name)") }
            let whole = try Data(
                contentsOf: URL(fileURLWithPath: try Self.pack(folder, into: "a.tar", "-c", "--sort=name")))
            for (length, isWhole) in [(512 * 3, false), (512 * 5, false), (512 * 6, true)] {
                try whole.prefix(length).write(to: URL(fileURLWithPath: folder + "/cut.tar"))
                let gzip = Process()
                gzip.executableURL = URL(fileURLWithPath: "/bin/gzip")
                gzip.arguments = ["-f", folder + "/cut.tar"]
                try gzip.run()
                gzip.waitUntilExit()
                let failure = InputFixtures.failure {
                    _ = try Unpacker(archive: folder + "/cut.tar.gz", destination: "\(folder)/out\(length)").run()
                }
                #expect(isWhole ? failure == nil : failure?.status == .badInput, "\(length)")
            }
        }
    }

    @Test("a plain tar is not begun without space for it")
    func space() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("one", to: folder + "/in/one")
            let archive = try Self.pack(folder, into: "a.tar", "-c")
            var unpacker = Unpacker(archive: archive, destination: folder + "/out")
            unpacker.freeBytes = { _ in 1000 }
            #expect(InputFixtures.failure { _ = try unpacker.run() }?.status == .inputOutput)
            #expect(!FileManager.default.fileExists(atPath: folder + "/out/one"))
        }
    }
}
