import Basics

/// The members of a zip file that are stored, not compressed, as `torch.save` writes them: views of the file's bytes, by name.
struct StoredZip {
    private let bytes: UnsafeRawBufferPointer
    private let members: [String: ZipMember]
    /// Where the directory begins and so every member has ended.
    private let directoryStart: Int

    /// The members' names, in no order.
    var names: some Collection<String> { members.keys }

    init(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        self.bytes = bytes
        let directory = try Self.directory(of: bytes)
        directoryStart = directory.place.lowerBound
        var members: [String: ZipMember] = [:]
        for member in directory.members {
            guard members.updateValue(member, forKey: member.path) == nil else {
                throw CheckpointError(.malformed, at: "the zip directory", "the member \(member.path) is listed twice")
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
        guard !member.isEncrypted, member.method == .stored, member.packedSize == member.size else {
            throw CheckpointError(
                .unsupported, at: place, "it is compressed or encrypted; torch.save stores its members")
        }
        var header = ByteReader(bytes, from: min(member.offset, directoryStart))
        guard let header = header.take(member.headerSize), let start = member.contentStart(header: header) else {
            throw CheckpointError(
                .malformed, at: place, "its header is not the one that the zip directory announces")
        }
        guard start <= directoryStart, member.size <= directoryStart - start else {
            throw CheckpointError(.malformed, at: place, "its \(member.size) bytes run into the zip directory")
        }
        let contents = UnsafeRawBufferPointer(rebasing: bytes[start..<start + member.size])
        guard CRC32.of(contents) == member.checksum else {
            throw CheckpointError(.malformed, at: place, "its CRC-32 is not the one recorded: the file is damaged")
        }
        return contents
    }

    private static func directory(of bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> ZipDirectory {
        let cutShort = CheckpointError(
            .truncated, at: "the end",
            "the file begins as a zip file but has no zip directory at its end: it is cut short, copy it again")
        let read = ZipDirectory.read(fileSize: bytes.count) { offset, count in
            [UInt8](bytes[offset..<min(bytes.count, offset + count)])
        }
        switch read {
        case .success(let directory):
            guard directory.end == bytes.count else {
                throw CheckpointError(
                    .malformed, at: "the end",
                    "\(bytes.count - directory.end) bytes too many: they follow the end of the zip file. Copy it again")
            }
            return directory
        case .failure(.noEndRecord): throw cutShort
        case .failure(.outside(let size, let offset)):
            throw CheckpointError(
                .malformed, at: "the end", "the zip directory's \(size) bytes at \(offset) overlap its own end record")
        case .failure(.badEntry(let position)):
            throw CheckpointError(
                .malformed, at: "byte \(position) of the zip directory", "an entry of the zip directory expected")
        case .failure(.badName(let position)):
            throw CheckpointError(
                .malformed, at: "byte \(position) of the zip directory", "a name without a zero expected before it")
        case .failure(.contradiction(let how)):
            throw CheckpointError(.malformed, at: "the end", "the zip directory \(how)")
        case .failure(.split):
            throw CheckpointError(.malformed, at: "the end", "it is one volume of a split zip file: join them first")
        }
    }
}
