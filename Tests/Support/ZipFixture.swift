import Foundation

import Inputs

/// Lays out zip archives by hand from APPNOTE.TXT, so that reader and writer cannot share a mistake; members are stored.
struct ZipFixture {
    struct Member {
        var name: String
        var bytes: [UInt8]
        /// Where its local header goes; nil puts it after the one before.
        var offset: Int?
        /// Unix mode in the attributes.
        var mode = 0o100644
        /// The system that made it: Unix (3), or MS-DOS (0).
        var system: UInt8 = 3
        /// Bytes of its name that are no UTF-8.
        var nameBytes: [UInt8]?

        var shownName: [UInt8] { nameBytes ?? Array(name.utf8) }
    }

    var members: [Member]
    /// Whether sizes and offsets are in zip64 fields, as they must be beyond 4 GiB.
    var isZip64 = false
    /// Bytes that somebody put before the archive.
    var prefix: [UInt8] = []
    /// Counts that are not those of the members.
    var statedCount: Int?
    /// The number of the volume that this is, from 0.
    var volume = 0

    /// Writes the archive with holes where nothing is.
    func write(to path: String) throws {
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
        defer { close(descriptor) }
        func put(_ bytes: [UInt8], at offset: Int) {
            _ = pwrite(descriptor, bytes, bytes.count, off_t(offset + prefix.count))
        }
        _ = pwrite(descriptor, prefix, prefix.count, 0)
        var (end, directory) = (0, [UInt8]())
        for member in members {
            let start = member.offset ?? end
            let local =
                Self.number(0x0403_4B50, 4) + Self.number(20, 2) + [UInt8](repeating: 0, count: 8)
                + Self.number(Int(Self.crc(member.bytes)), 4) + Self.number(member.bytes.count, 4)
                + Self.number(member.bytes.count, 4) + Self.number(member.shownName.count, 2) + Self.number(0, 2)
                + member.shownName + member.bytes
            put(local, at: start)
            end = start + local.count
            directory += entry(member, start: start)
        }
        put(directory, at: end)
        put(trailer(directory: directory.count, at: end), at: end + directory.count)
    }

    private func entry(_ member: Member, start: Int) -> [UInt8] {
        let size = member.bytes.count
        let extra =
            isZip64 ? Self.number(1, 2) + Self.number(24, 2) + [size, size, start].flatMap { Self.number($0, 8) } : []
        let (shownSize, shownStart) = isZip64 ? (0xFFFF_FFFF, 0xFFFF_FFFF) : (size, start)
        // Made by Unix (3), attributes with the mode in the upper half.
        return Self.number(0x0201_4B50, 4) + [45, member.system] + Self.number(45, 2) + [UInt8](repeating: 0, count: 8)
            + Self.number(Int(Self.crc(member.bytes)), 4) + Self.number(shownSize, 4) + Self.number(shownSize, 4)
            + Self.number(member.shownName.count, 2) + Self.number(extra.count, 2) + [UInt8](repeating: 0, count: 6)
            + Self.number(member.mode << 16, 4) + Self.number(shownStart, 4) + member.shownName + extra
    }

    private func trailer(directory size: Int, at offset: Int) -> [UInt8] {
        let count = statedCount ?? members.count
        let wide =
            Self.number(0x0606_4B50, 4) + Self.number(44, 8) + Self.number(45, 2) + Self.number(45, 2)
            + Self.number(0, 8) + Self.number(count, 8) + Self.number(count, 8) + Self.number(size, 8)
            + Self.number(offset, 8)
        let locator =
            Self.number(0x0706_4B50, 4) + Self.number(0, 4) + Self.number(offset + size, 8) + Self.number(1, 4)
        let shown = isZip64 ? (0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF) : (count, size, offset)
        return (isZip64 ? wide + locator : []) + Self.number(0x0605_4B50, 4) + Self.number(volume, 2)
            + Self.number(0, 2)
            + Self.number(shown.0, 2)
            + Self.number(shown.0, 2) + Self.number(shown.1, 4) + Self.number(shown.2, 4) + Self.number(0, 2)
    }

    static func number(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }

    /// CRC-32 bit by bit (ISO 3309).
    static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~0 as UInt32) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
        }
    }
}
