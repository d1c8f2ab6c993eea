/// The directory of a zip file whose members are stored, not compressed, as `torch.save` writes them (APPNOTE.TXT 6.3).
///
/// Only what a checkpoint of a few gigabytes needs: one disk, no zip64, no encryption. Members are views of the file's bytes.
struct StoredZip {
    private struct Member {
        let method: UInt16
        let encrypted: Bool
        let checksum: UInt32
        let storedSize: Int
        let size: Int
        let headerOffset: Int
    }

    private let bytes: UnsafeRawBufferPointer
    private let members: [String: Member]
    /// Where the directory begins and so every member has ended.
    private let directoryOffset: Int

    /// The members' names, in no order.
    var names: some Collection<String> { members.keys }

    init(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        self.bytes = bytes
        let end = try Self.endRecord(in: bytes)
        var reader = ByteReader(bytes, of: "the zip file", from: end + 8)
        let count = try reader.integer(UInt16.self)
        _ = try reader.integer(UInt16.self)
        let size = try reader.integer(UInt32.self)
        let offset = try reader.integer(UInt32.self)
        guard count != .max, size != .max, offset != .max else {
            throw CheckpointError(
                .unsupported, at: reader.place(), "a zip64 file: no checkpoint of these networks needs one")
        }
        directoryOffset = Int(offset)
        guard directoryOffset + Int(size) <= end else {
            throw CheckpointError(
                .malformed, at: reader.place(),
                "the zip directory's \(size) bytes at \(offset) overlap its own end record")
        }
        var members: [String: Member] = [:]
        let directory = UnsafeRawBufferPointer(rebasing: bytes[directoryOffset..<directoryOffset + Int(size)])
        var entries = ByteReader(directory, of: "the zip directory")
        for _ in 0..<count {
            let (name, member) = try Self.directoryEntry(&entries)
            guard members.updateValue(member, forKey: name) == nil else {
                throw CheckpointError(.malformed, at: entries.place(), "the member \(name) is listed twice")
            }
        }
        self.members = members
    }

    /// A member's bytes, after checking its header, its place and its CRC-32.
    func contents(of name: String) throws(CheckpointError) -> UnsafeRawBufferPointer {
        let place = "member \(name)"
        guard let member = members[name] else {
            throw CheckpointError(.malformed, at: "the zip directory", "there is no member \(name)")
        }
        guard !member.encrypted, member.method == 0, member.storedSize == member.size else {
            throw CheckpointError(
                .unsupported, at: place, "it is compressed or encrypted; torch.save stores its members")
        }
        var reader = ByteReader(bytes, of: "the zip file", from: member.headerOffset)
        guard try reader.integer(UInt32.self) == 0x0403_4B50 else {
            throw CheckpointError(.malformed, at: reader.place(back: 4), "the header of \(name) expected")
        }
        _ = try reader.take(22)
        let nameLength = try reader.integer(UInt16.self)
        let extraLength = try reader.integer(UInt16.self)
        guard try reader.text(Int(nameLength)) == name else {
            throw CheckpointError(.malformed, at: place, "its own header has another name than the zip directory")
        }
        _ = try reader.take(Int(extraLength))
        guard reader.position + member.size <= directoryOffset else {
            throw CheckpointError(.malformed, at: place, "its \(member.size) bytes run into the zip directory")
        }
        let contents = try reader.take(member.size)
        guard Self.crc32(contents) == member.checksum else {
            throw CheckpointError(.malformed, at: place, "its CRC-32 is not the one recorded: the file is damaged")
        }
        return contents
    }

    /// The end-of-directory record's place: the last one whose comment reaches exactly to the end of the file.
    private static func endRecord(in bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> Int {
        let size = 22
        var start = bytes.count - size
        let lowest = max(0, start - Int(UInt16.max))
        while start >= lowest {
            if bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self) == 0x0605_4B50 {
                let comment = bytes.loadUnaligned(fromByteOffset: start + 20, as: UInt16.self)
                if start + size + Int(comment) == bytes.count { return start }
            }
            start -= 1
        }
        throw CheckpointError(
            .truncated, at: "the end",
            "the file begins as a zip file but has no zip directory: it is cut short, copy it again")
    }

    private static func directoryEntry(_ reader: inout ByteReader) throws(CheckpointError) -> (String, Member) {
        guard try reader.integer(UInt32.self) == 0x0201_4B50 else {
            throw CheckpointError(.malformed, at: reader.place(back: 4), "an entry of the zip directory expected")
        }
        _ = try reader.take(4)
        let flags = try reader.integer(UInt16.self)
        let method = try reader.integer(UInt16.self)
        _ = try reader.take(4)
        let checksum = try reader.integer(UInt32.self)
        let storedSize = try reader.integer(UInt32.self)
        let size = try reader.integer(UInt32.self)
        let nameLength = try reader.integer(UInt16.self)
        let extraLength = try reader.integer(UInt16.self)
        let commentLength = try reader.integer(UInt16.self)
        _ = try reader.take(8)
        let offset = try reader.integer(UInt32.self)
        guard storedSize != .max, size != .max, offset != .max else {
            throw CheckpointError(
                .unsupported, at: reader.place(back: 4), "zip64: no checkpoint of these networks needs it")
        }
        let name = try reader.text(Int(nameLength))
        _ = try reader.take(Int(extraLength) + Int(commentLength))
        let member = Member(
            method: method, encrypted: flags & 1 != 0, checksum: checksum, storedSize: Int(storedSize), size: Int(size),
            headerOffset: Int(offset))
        return (name, member)
    }

    /// CRC-32 as zip has it (reflected polynomial EDB88320), a byte at a time.
    static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        ~crcTable.withUnsafeBufferPointer { table in
            bytes.reduce(UInt32.max) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
        }
    }

    private static let crcTable: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
    }
}
