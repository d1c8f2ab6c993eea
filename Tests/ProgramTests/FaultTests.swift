import Foundation
import Submit
import Testing

@testable import Basics
@testable import Catalog
@testable import Inputs
@testable import Repro
@testable import TestSupport

/// What happens when the program is killed, the disk is full or the input is damaged; `make test-faults` does all of it many times.
@Suite("Faults", .serialized)
struct FaultTests {
    /// How often each fault happens: few times by default, `REPRO_FAULT_ROUNDS` times for the long version.
    private static let rounds = ProcessInfo.processInfo.environment["REPRO_FAULT_ROUNDS"].flatMap { Int($0) } ?? 6

    private static let program = Bundle.main.bundleURL.appendingPathComponent("repro").path

    /// A competition of 20 patients; the archive and what it unpacks to.
    private static func competition(in folder: String) throws -> (archive: String, manifest: Manifest) {
        let demo = DemoCompetition(settings: DemoSettings(patients: 20, size: 64, seed: 3, threads: 2))
        let archive = try demo.write(to: folder + "/demo").archive
        return (archive, try ArchiveFingerprint(archive: archive, threads: 2).manifest())
    }

    /// Starts the program and kills it after so many microseconds, if it still runs then; returns whether it came to its end.
    private static func run(_ arguments: [String], killedAfter delay: UInt32?) throws -> (status: Int32, isWhole: Bool)
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        if let delay {
            usleep(delay)
            kill(process.processIdentifier, SIGKILL)
        }
        process.waitUntilExit()
        return (process.terminationStatus, process.terminationReason == .exit)
    }

    /// Runs the program until it has not been killed, looking after each kill; returns how often it was killed.
    private static func runKilled(
        _ arguments: [String], upTo longest: UInt64, _ random: inout DemoRandom, look: () throws -> Void
    ) throws -> Int {
        for kills in 0..<1000 {
            // Longer and longer, so that it comes to an end.
            let delay = UInt32(random.next() % (longest + longest * UInt64(kills) / 8))
            let (status, isWhole) = try run(arguments, killedAfter: delay)
            try look()
            guard isWhole else { continue }
            #expect(status == 0)
            return kills
        }
        Issue.record("killed a thousand times")
        return 1000
    }

    @Test("unpacking, killed at any moment and started again, ends as if it had not been killed")
    func killedUnpacking() throws {
        try InputFixtures.withFolder { folder in
            let (archive, expected) = try Self.competition(in: folder)
            let hashes = Dictionary(uniqueKeysWithValues: expected.entries.map { ($0.path, $0.sha256) })
            var random = DemoRandom(seed: 11)
            var kills = 0
            while kills < Self.rounds * 4 {
                let out = folder + "/out"
                kills += try Self.runKilled(["unpack", archive, "--into", out], upTo: 60_000, &random) { () throws in
                    guard FileManager.default.fileExists(atPath: out) else { return }
                    let found = try Fingerprint.manifest(of: [out], threads: 2)
                    // Whole or absent, and nothing that is not the archive's.
                    #expect(found.entries.allSatisfy { hashes[$0.path] == $0.sha256 })
                    let isComplete = FileManager.default.fileExists(atPath: out + "/manifest.sha256")
                    #expect(!isComplete || found == expected)
                }
                #expect(try Fingerprint.manifest(of: [out], threads: 2) == expected)
                #expect(try Unpacker(archive: archive, destination: out).run().report.alreadyThere == hashes.count)
                let left = try FileManager.default.contentsOfDirectory(atPath: out).filter { $0.hasPrefix(".repro-") }
                #expect(left.sorted() == [".repro-journal", ".repro-lock"])
                try FileManager.default.removeItem(atPath: out)
            }
        }
    }

    @Test("cataloguing, killed at any moment and started again, ends as if it had not been killed")
    func killedCatalog() throws {
        try InputFixtures.withFolder { folder in
            let (archive, _) = try Self.competition(in: folder)
            _ = try Unpacker(archive: archive, destination: folder + "/in").run()
            let settings = CatalogSettings(input: try .locate(in: folder + "/in"), threads: 2)
            let expected = SliceCatalog(path: folder + "/expected.sqlite")
            try expected.build(settings)
            let content = try expected.contentFingerprint()
            let work = folder + "/work"
            let catalog = SliceCatalog(path: work + "/catalog.sqlite")
            var random = DemoRandom(seed: 12)
            var kills = 0
            while kills < Self.rounds * 4 {
                let arguments = ["catalog", "--input", folder + "/in", "--work", work]
                kills += try Self.runKilled(arguments, upTo: 150_000, &random) { () throws in
                    guard FileManager.default.fileExists(atPath: catalog.path) else { return }
                    #expect(try catalog.contentFingerprint() == content)
                }
                #expect(try catalog.contentFingerprint() == content)
                #expect(
                    try FileManager.default.contentsOfDirectory(atPath: folder + "/work").sorted()
                        == ["catalog.sqlite", "run.lock"])
                try FileManager.default.removeItem(atPath: folder + "/work")
            }
        }
    }

    @Test("an archive with any bit flipped gives the right files, or names what is wrong; never a wrong file")
    func flippedBits() throws {
        try InputFixtures.withFolder { folder in
            var random = DemoRandom(seed: 13)
            let members = (0..<12).map { index in
                (name: "in/ID_\(index).dcm", bytes: (0..<40).map { UInt8(truncatingIfNeeded: $0 * index) })
            }
            let archive = try ArchiveWriter(path: folder + "/deflated.zip")
            for member in members { try archive.add(member.name, bytes: member.bytes) }
            try archive.close()
            let list = members.map { ZipFixture.Member(name: $0.name, bytes: $0.bytes) }
            try ZipFixture(members: list).write(to: folder + "/stored.zip")
            try ZipFixture(members: list, isZip64: true).write(to: folder + "/zip64.zip")
            let expected = Manifest(members.map { .init(sha256: Digest.sha256($0.bytes), path: $0.name) })
            for name in ["deflated", "stored", "zip64"] {
                let whole = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).zip")))
                for round in 0..<(Self.rounds * 10) {
                    var bytes = whole
                    bytes[Int(random.next() % UInt64(whole.count))] ^= 1 << UInt8(random.next() % 8)
                    // Every third time it is cut off as well.
                    if round % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(whole.count))) }
                    try InputFixtures.write(bytes, to: folder + "/a.zip")
                    try check(folder, expected)
                }
            }
        }
    }

    private func check(_ folder: String, _ expected: Manifest) throws {
        let out = folder + "/out"
        defer { try? FileManager.default.removeItem(atPath: out) }
        let unpacker = Unpacker(archive: folder + "/a.zip", destination: out, threads: 1)
        do {
            let (report, manifest) = try unpacker.run()
            #expect(unpacker.failure(of: report) != nil || manifest == expected)
        } catch let failure as Failure {
            #expect([.badInput, .inputOutput].contains(failure.status), "\(failure)")
        }
        guard FileManager.default.fileExists(atPath: out) else { return }
        let hashes = Dictionary(uniqueKeysWithValues: expected.entries.map { ($0.path, $0.sha256) })
        for entry in try Fingerprint.manifest(of: [out], threads: 1).entries {
            #expect(hashes[entry.path] == nil || hashes[entry.path] == entry.sha256, "\(entry.path)")
        }
    }

    @Test("random bytes in place of tables, manifests, recipes and slices end in an error or a value")
    func randomBytes() throws {
        var random = DemoRandom(seed: 14)
        let slice = try InputFixtures.slice().encoded()
        let table = Array(
            ("ID,Label\n" + InputFixtures.rows("ID_1") + InputFixtures.rows("ID_2", "any", "subdural")).utf8)
        let manifest = Array("\(Digest.sha256("a"))  a\n\\\(Digest.sha256("b"))  b\\n\n# comment\n".utf8)
        for _ in 0..<(Self.rounds * 200) {
            _ = try? readImage(in: Self.mutated(slice, &random), name: "slice").hounsfield(repairingWrap: true)
            _ = try? LabelTable(parsing: Self.mutated(table, &random), name: "table", values: .binary)
            _ = try? Manifest(parsing: Data(Self.mutated(manifest, &random)), name: "manifest")
        }
    }

    /// Some bytes changed, a piece repeated or taken out, the end cut off.
    private static func mutated(_ bytes: [UInt8], _ random: inout DemoRandom) -> [UInt8] {
        func below(_ bound: Int) -> Int { Int(random.next() % UInt64(max(1, bound))) }
        var bytes = bytes
        for _ in 0..<(1 + below(6)) where !bytes.isEmpty {
            let place = below(bytes.count)
            let end = min(bytes.count, place + below(24))
            switch below(5) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[place] ^= 1 << UInt8(below(8))
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: below(bytes.count))
            default: if below(4) == 0 { bytes.removeLast(below(bytes.count)) }
            }
        }
        return bytes
    }

    @Test("a file size limit ends with exit code 74 and leaves no partial file", arguments: ["unpack", "catalog"])
    func sizeLimit(command: String) throws {
        try InputFixtures.withFolder { folder in
            let (archive, expected) = try Self.competition(in: folder)
            let hashes = Set(expected.entries.map(\.sha256))
            let out = folder + "/out"
            if command == "catalog" { _ = try Unpacker(archive: archive, destination: out).run() }
            let arguments =
                command == "unpack" ? [archive, "--into", out] : ["--input", out, "--work", folder + "/work"]
            // In KiB; a slice has 8. A write beyond the limit then fails as on a full disk.
            let limited = try Shell.run("trap '' XFSZ; ulimit -f 6; exec \"$@\"", [Self.program, command] + arguments)
            #expect(limited.status == 74 && limited.text.contains("cannot"), "\(limited)")
            for entry in try Fingerprint.manifest(of: [out], threads: 1).entries {
                #expect(hashes.contains(entry.sha256))
            }
            #expect(try Shell.run("exec \"$@\"", [Self.program, command] + arguments).status == 0)
            #expect(try Fingerprint.manifest(of: [out], threads: 1) == expected)
        }
    }

    @Test(
        "a full disk ends with exit code 74; with more space the same command goes on to the same end",
        .enabled(if: Shell.canMount))
    func fullDisk() throws {
        try InputFixtures.withFolder { folder in
            let (archive, _) = try Self.competition(in: folder)
            let script = """
                set -e
                mount -t tmpfs -o size=400k tmpfs "$2"
                # Compressed, so that the size is not known before.
                set +e; "$1" unpack "$3/a.tar.gz" --into "$2/in"; full=$?
                mount -o remount,size=64m "$2"
                "$1" unpack "$3/a.tar.gz" --into "$2/in" && "$1" unpack "$4" --into "$3/plain" && diff -r -x '.repro-*' "$2/in" "$3/plain"; same=$?
                # Room for the beginning of a catalog.
                head -c 100m /dev/zero > "$2/filler" 2>/dev/null
                truncate -s -100k "$2/filler"
                "$1" catalog --input "$3/plain" --work "$2/work"; fullCatalog=$?
                rm "$2/filler"
                "$1" catalog --input "$3/plain" --work "$2/work" > /dev/null; whole=$?
                echo "statuses $full $same $fullCatalog $whole"
                """
            try FileManager.default.createDirectory(atPath: folder + "/disk", withIntermediateDirectories: true)
            _ = try Unpacker(archive: archive, destination: folder + "/in").run()
            #expect(
                try Shell.run(
                    "tar -czf \"$1/a.tar.gz\" -C \"$1/in\" --exclude=.repro-* --exclude=manifest.sha256 .", [folder]
                ).status == 0)
            try InputFixtures.write(script, to: folder + "/script")
            let run = try Shell.run(
                "unshare -Urm bash \"$@\"", [folder + "/script", Self.program, folder + "/disk", folder, archive])
            #expect(run.text.contains("statuses 74 0 74 0"), "\(run.text)")
        }
    }
}

/// Scripts around the program: limits and small disks.
private enum Shell {
    static func run(_ script: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", script, "bash"] + arguments
        let pipe = Pipe()
        (process.standardOutput, process.standardError) = (pipe, pipe)
        try process.run()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// Whether this user may mount a small disk in a name space of its own.
    static let canMount = (try? run("unshare -Urm mount -t tmpfs tmpfs /mnt", []).status == 0) ?? false
}
