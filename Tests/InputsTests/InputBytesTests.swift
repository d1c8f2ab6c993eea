import Foundation
import Synchronization
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("Bytes of inputs")
struct InputBytesTests {
    private let table = Data("ID,Label\n".utf8) + Data((0..<3000).map { "ID_\($0 * 7919)_any,0.\($0)\n" }.joined().utf8)

    private func packed(_ bytes: Data, _ kind: CompressedOutput) throws -> Data {
        try bytes.withUnsafeBytes { try kind.packed($0) }
    }

    @Test(
        "what is written as gz, bz2 and xz is read again, and has the same bytes each time, without a name and a time")
    func roundTrip() throws {
        for kind in [CompressedOutput.gz, .bz2, .xz] {
            for bytes in [table, Data(), Data([7]), Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) })] {
                let packed = try packed(bytes, kind)
                #expect(try CompressedInput.unpacked(packed, name: "x") == bytes, "\(kind)")
                #expect(try self.packed(bytes, kind) == packed)
            }
        }
        // No flags, no time (RFC 1952).
        #expect(try packed(table, .gz).prefix(8) == Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0]))
    }

    @Test(
        "streams after each other are one file, as Python's modules and command-line tools read them; packed twice is read too"
    )
    func streams() throws {
        for kind in [CompressedOutput.gz, .bz2, .xz] {
            let parts = try packed(table.prefix(1000), kind) + packed(table.dropFirst(1000), kind)
            #expect(try CompressedInput.unpacked(parts, name: "x") == table, "\(kind)")
            #expect(try CompressedInput.unpacked(packed(packed(table, .gz), kind), name: "x") == table, "\(kind)")
        }
        #expect(try CompressedInput.unpacked(packed(table, .gz) + Data(count: 100), name: "x") == table)
    }

    @Test("a compressed file that is damaged gives its content or an error, never another content", arguments: 0..<300)
    func mutations(seed: Int) throws {
        var random = SeededBytes(seed: UInt64(seed))
        let kind = [CompressedOutput.gz, .bz2, .xz][seed % 3]
        let whole =
            try seed % 2 == 0
            ? packed(table, kind) : packed(table.prefix(999), kind) + packed(table.dropFirst(999), kind)
        let bytes = Data(random.mutated(Array(whole)))
        let failure = InputFixtures.failure {
            let content = try CompressedInput.unpacked(bytes, name: "x")
            // What lost its first bytes is not recognised, and passed on to who refuses it; a whole stream may be cut off.
            #expect(
                content == table || content == bytes || content == table.prefix(999) || content.isEmpty
                    || content == table.dropFirst(999))
        }
        #expect(failure == nil || failure?.status == .badInput)
    }

    @Test("documents in a zip's clothes are called what they are")
    func documents() throws {
        try InputFixtures.withFolder { folder in
            for (member, words) in [
                ("[Content_Types].xml", "workbook"), ("mimetype", "office document"), ("arr_0.npy", "NumPy"),
                ("archive/data.pkl", "torch.save"),
            ] {
                let path = folder + "/x"
                try ZipFixture(members: [.init(name: member, bytes: [1, 2, 3])]).write(to: path)
                let failure = InputFixtures.failure { _ = try InputBytes.read(path) }
                #expect(failure?.status == .badInput && failure?.message.contains(words) == true, "\(member)")
            }
            let path = folder + "/mac.zip"
            let members = [("t.csv", Array(table)), ("__MACOSX/._t.csv", [0, 5, 0x16, 7]), (".DS_Store", [0])]
            try ZipFixture(members: members.map { .init(name: $0.0, bytes: $0.1) }).write(to: path)
            #expect(try InputBytes.read(path) == table)
        }
    }

    @Test("a file that changes while it is read is read whole or refused, and the program lives")
    func changingFile() throws {
        try InputFixtures.withFolder { folder in
            let path = folder + "/t.csv"
            let (long, short) = (Data(repeating: 0x41, count: 3 << 20), 100)
            try long.write(to: URL(fileURLWithPath: path))
            let isDone = Atomic(false)
            let counts = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 2) { worker in
                if worker == 0 {
                    for _ in 0..<150 {
                        let failure = InputFixtures.failure {
                            let bytes = try InputBytes.read(path)
                            #expect(bytes.allSatisfy { $0 == 0x41 || $0 == 0 })
                        }
                        #expect(
                            failure == nil
                                || failure?.status == .badInput && failure?.message.contains("changed") == true)
                        counts.add(1, ordering: .relaxed)
                    }
                    isDone.store(true, ordering: .relaxed)
                } else {
                    while !isDone.load(ordering: .relaxed) {
                        truncate(path, off_t(short))
                        truncate(path, off_t(long.count))
                    }
                }
            }
            #expect(counts.load(ordering: .relaxed) == 150)
        }
    }

    @Test("an input that has more bytes than the limit, plain, streamed or unpacked, is refused and names the limit")
    func limit() throws {
        try InputFixtures.withFolder { folder in
            var inputs = ["/proc/self/status"]
            for kind in [nil, .gz, .bz2, .xz] as [CompressedOutput?] {
                inputs.append("\(folder)/\(inputs.count)")
                let bytes = try kind.map { try packed(table, $0) } ?? table
                try InputFixtures.write(Array(bytes), to: inputs[inputs.count - 1])
            }
            for input in inputs {
                let size = try InputBytes.read(input).count
                #expect(try InputBytes.read(input, limit: size + 100).count >= size)
                let failure = InputFixtures.failure { _ = try InputBytes.read(input, limit: size / 2) }
                #expect(failure?.status == .badInput, "\(input)")
                #expect(failure?.message.hasPrefix("\(input): holds more than \(Numbers.bytes(size / 2))") == true)
            }
            let bomb = folder + "/bomb"
            try InputFixtures.write(Array(packed(Data(count: 1 << 24), .gz)), to: bomb)
            #expect(InputFixtures.failure { _ = try InputBytes.read(bomb, limit: 1 << 23) }?.status == .badInput)
        }
    }

    @Test("a device is no input, and a path that leads nowhere is told why, an empty name too")
    func noInputs() throws {
        for device in ["/dev/zero", "/dev/null"] {
            let failure = InputFixtures.failure { _ = try InputBytes.read(device) }
            #expect(failure?.status == .badInput && failure?.message.hasPrefix("\(device): is a device") == true)
        }
        try InputFixtures.withFolder { folder in
            symlink("loop", folder + "/loop")
            let tooLong = folder + "/" + String(repeating: "n", count: 300)
            for (path, words) in [
                ("", "an input's name is empty"), (folder + "/none", "there is no such file"),
                (folder + "/loop", "levels of symbolic links"), (tooLong, "name too long"),
                (folder, "is a folder"),
            ] {
                let failure = InputFixtures.failure { _ = try InputBytes.read(path) }
                #expect(failure?.status == .inputMissing)
                #expect(failure?.message.localizedCaseInsensitiveContains(words) == true, "\(words)")
            }
        }
    }

    @Test("files without a size, pipes and empty files are read to their end")
    func otherFiles() throws {
        #expect(try !InputBytes.read("/proc/self/status").isEmpty)
        try InputFixtures.withFolder { folder in
            try InputFixtures.write([UInt8](), to: folder + "/empty")
            #expect(try InputBytes.read(folder + "/empty").isEmpty)
            #expect(InputFixtures.failure { _ = try InputBytes.read(folder) }?.status == .inputMissing)
        }
    }
}
