/// The members of an uncompressed tar file (POSIX ustar and pax), by name, as views of the file's bytes.
///
/// PyTorch's first container was a tar file of four members; `docs/checkpoints.md` says which files are still of this kind.
struct StoredTar {
    private static let block = 512

    private(set) var members: [String: UnsafeRawBufferPointer] = [:]

    /// Whether the bytes begin with a tar header.
    static func isTar(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= block && bytes[257..<262].elementsEqual("ustar".utf8)
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var reader = CheckpointReader(bytes, of: "the tar file")
        while true {
            let place = reader.place()
            let header = try reader.take(Self.block)
            // A block of zeros ends the archive.
            if header.allSatisfy({ $0 == 0 }) { return }
            guard Self.isTar(header), let recorded = Self.octal(header[148..<156]), recorded == Self.checksum(header),
                let size = Self.octal(header[124..<136]),
                let name = String(validating: header[..<100].prefix { $0 != 0 }, as: UTF8.self)
            else { throw CheckpointError(.malformed, at: place, "a tar header with its checksum expected") }
            let contents = try reader.take(size)
            _ = try reader.take((Self.block - size % Self.block) % Self.block)
            // Regular files only; pax headers (type x) hold times, which do not matter here.
            guard header[156] == UInt8(ascii: "0") || header[156] == 0 else { continue }
            guard members.updateValue(contents, forKey: name) == nil else {
                throw CheckpointError(.malformed, at: place, "the member \(name) comes twice")
            }
        }
    }

    /// A reader of a member's bytes.
    func reader(of name: String) throws(CheckpointError) -> CheckpointReader {
        guard let contents = members[name] else {
            throw CheckpointError(
                .unsupported, at: "the tar file",
                "no member \(name): not a PyTorch checkpoint. If it is an archive, unpack it")
        }
        return CheckpointReader(contents, of: "the member \(name)")
    }

    /// A number in octal digits, ended by a space or zero byte; nil if it is none or too large for any file.
    private static func octal(_ field: Slice<UnsafeRawBufferPointer>) -> Int? {
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") && $0 != 0 }
        return digits.isEmpty
            ? nil : Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 < 0 ? nil : $0 }
    }

    /// The sum of a header's bytes with its own checksum field read as spaces.
    private static func checksum(_ header: UnsafeRawBufferPointer) -> Int {
        let all = header.reduce(0) { $0 + Int($1) }
        let field = header[148..<156].reduce(0) { $0 + Int($1) }
        return all - field + 8 * 32
    }
}
