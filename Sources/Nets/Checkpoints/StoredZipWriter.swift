import Basics

/// Writes a zip file of stored members the way `torch.save` does (APPNOTE.TXT 6.3).
///
/// Contents begin at multiples of 64 bytes, so that a reader can map them. No time and no machine is recorded: equal members
/// are equal bytes.
struct StoredZipWriter {
    private var directory: [UInt8] = []
    private var count = 0
    /// Bytes handed out so far.
    private var position = 0

    private static let alignment = 64
    /// Names are UTF-8.
    private static let flags = 0x0800
    /// 1 January 1980, the first day that the format knows.
    private static let date = 0x0021

    /// Hands a member's header and contents to the sink.
    mutating func add(
        _ name: String, _ contents: UnsafeRawBufferPointer, to sink: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        let fixedSize = 30
        // An extra field "FB" of any length moves the contents to where they should begin.
        let unpadded = position + fixedSize + name.utf8.count + 4
        let padding = (Self.alignment - unpadded % Self.alignment) % Self.alignment
        let checksum = Int(CRC32.of(contents))

        // Version needed, flags, method, time, date, CRC, stored size, size, length of the name: the same in both places.
        var shared = little(20, 2) + little(Self.flags, 2) + little(0, 2) + little(0, 2) + little(Self.date, 2)
        shared += little(checksum, 4) + little(contents.count, 4) + little(contents.count, 4)
        shared += little(name.utf8.count, 2)
        directory += little(0x0201_4B50, 4) + little(20, 2) + shared + little(0, 12) + little(position, 4)
        directory += Array(name.utf8)

        let header = little(0x0403_4B50, 4) + shared + little(4 + padding, 2) + Array(name.utf8)
        let extra = Array("FB".utf8) + little(padding, 2) + [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
        try (header + extra).withUnsafeBytes(sink)
        try sink(contents)
        position = unpadded + padding + contents.count
        count += 1
    }

    /// Hands the directory to the sink; nothing may follow.
    func finish(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        precondition(count < 65_535 && position < 4 << 30, "these networks need no zip64")
        let end =
            little(0x0605_4B50, 4) + little(0, 4) + little(count, 2) + little(count, 2) + little(directory.count, 4)
            + little(position, 4) + little(0, 2)
        try (directory + end).withUnsafeBytes(sink)
    }

    /// A number in `count` bytes, the lowest first.
    private func little(_ number: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: number >> (8 * $0)) : 0 }
    }
}
