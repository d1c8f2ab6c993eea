import Basics

/// A file, folder or link of a zip archive, as the archive's directory has it.
package struct ZipMember: Sendable, Equatable {
    package enum Method: UInt16, Sendable { case stored = 0, deflated = 8 }

    package var path: String
    package var kind: ArchiveReader.Member.Kind
    package var method: Method
    /// Bytes unpacked, and in the archive.
    package var size: Int
    package var packedSize: Int
    /// CRC-32 of the unpacked bytes.
    package var checksum: UInt32
    /// Where its local header starts.
    package var offset: Int
}

/// The directory at the end of a zip or zip64 archive (APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16).
///
/// libarchive reads archives from the front, one member after the other, and gives up at the first damage. With the directory
/// every member can be read by itself: several at once, the good ones beside a damaged one, and none that is not wanted.
package struct ZipDirectory: Sendable {
    package let region: FileRegion
    package let members: [ZipMember]
    /// SHA-256 of the directory's bytes: equal for archives with the same names, sizes and checksums in the same places.
    package let hash: String

    private static let endSize = 22
    private static let longestComment = 65_535

    /// Reads the directory; nil if there is none that makes sense, or a member that takes more than deflate to unpack: the
    /// archive is then cut off, damaged or no zip at all, and libarchive has to say what can be done.
    ///
    /// - Throws: ``Failure``: `badInput` if a member is encrypted, `inputOutput` if the device cannot be read.
    package init?(of region: FileRegion) throws {
        guard let place = try Self.locate(in: region) else { return nil }
        let bytes = try region.bytes(at: place.offset, count: place.size)
        guard bytes.count == place.size else { return nil }
        var members: [ZipMember] = []
        members.reserveCapacity(place.count)
        var fields = LittleEndianFields(bytes)
        for _ in 0..<place.count {
            guard let member = try Self.member(&fields, region: region, bias: place.bias) else { return nil }
            members.append(member)
        }
        self.region = region
        self.members = members
        hash = Digest.sha256(bytes)
    }

    private struct Place {
        var offset: Int
        var size: Int
        var count: Int
        /// What offsets in the directory fall short by: bytes that somebody put before the archive.
        var bias: Int
    }

    private static func locate(in region: FileRegion) throws -> Place? {
        let start = max(0, region.size - endSize - longestComment)
        let tail = try region.bytes(at: start, count: region.size - start)
        guard
            let end = stride(from: tail.count - endSize, through: 0, by: -1).first(where: { isEnd(tail, at: $0) })
        else { return nil }
        var fields = LittleEndianFields(tail, at: end + 8)
        guard let count = fields.number(2), fields.skip(2), let size = fields.number(4), let offset = fields.number(4)
        else {
            return nil
        }
        var place = Place(offset: offset, size: size, count: count, bias: 0)
        var directoryEnd = start + end
        if let wide = try locateWide(before: start + end, in: region) {
            place = wide.place
            directoryEnd = wide.start
        }
        // The directory ends where the record about it starts.
        place.bias = directoryEnd - place.size - place.offset
        guard place.bias >= 0, place.size >= 0, place.count >= 0, place.count <= place.size / 46 else { return nil }
        place.offset += place.bias
        return place
    }

    /// Whether an end record and its comment fit here.
    private static func isEnd(_ tail: [UInt8], at place: Int) -> Bool {
        guard tail[place] == 0x50, tail[place + 1] == 0x4B, tail[place + 2] == 5, tail[place + 3] == 6 else {
            return false
        }
        let comment = Int(tail[place + 20]) | Int(tail[place + 21]) << 8
        return place + endSize + comment <= tail.count
    }

    /// The zip64 record, which a locator of 20 bytes just before the end record points to.
    private static func locateWide(before end: Int, in region: FileRegion) throws -> (place: Place, start: Int)? {
        guard end >= 20 else { return nil }
        var locator = LittleEndianFields(try region.bytes(at: end - 20, count: 20))
        guard locator.number(4) == 0x0706_4B50, locator.skip(4), let stated = locator.number(8) else { return nil }
        // Where it says, or, with bytes before the archive, straight before the locator.
        for start in [stated, end - 20 - 56] where start >= 0 && start <= end - 20 - 56 {
            var record = LittleEndianFields(try region.bytes(at: start, count: 56))
            guard record.number(4) == 0x0606_4B50, record.skip(28), let count = record.number(8),
                let size = record.number(8), let offset = record.number(8), size <= start, offset <= start
            else { continue }
            return (Place(offset: offset, size: size, count: count, bias: 0), start)
        }
        return nil
    }

    private static func member(_ fields: inout LittleEndianFields, region: FileRegion, bias: Int) throws -> ZipMember? {
        guard fields.number(4) == 0x0201_4B50, fields.skip(1), let host = fields.number(1), fields.skip(2),
            let flags = fields.number(2), let method = fields.number(2), fields.skip(4),
            let checksum = fields.number(4),
            var packedSize = fields.number(4), var size = fields.number(4), let nameLength = fields.number(2),
            let extraLength = fields.number(2), let commentLength = fields.number(2), fields.skip(4),
            let attributes = fields.number(4), var offset = fields.number(4), let name = fields.bytes(nameLength),
            let extra = fields.bytes(extraLength), fields.skip(commentLength)
        else { return nil }
        guard widen(&size, &packedSize, &offset, from: extra) else { return nil }
        // Old archives have names in another code page; libarchive converts them.
        guard let path = String(validating: name, as: UTF8.self), !path.utf8.contains(0) else { return nil }
        guard flags & 1 == 0 else {
            throw Failure(
                .badInput,
                "\(region.name): the member \(path) is encrypted. Kaggle's archive has no password; download it again, or decrypt it first."
            )
        }
        guard let method = ZipMember.Method(rawValue: UInt16(method)) else { return nil }
        let (place, isTooFar) = offset.addingReportingOverflow(bias)
        guard !isTooFar else { return nil }
        // The upper half of the attributes is Unix's mode, if Unix (3) or macOS (19) made the archive.
        let mode = host == 3 || host == 19 ? attributes >> 16 & 0o170000 : 0
        let kind: ArchiveReader.Member.Kind =
            switch mode {
            case 0o120000: .link
            case 0o020000, 0o060000, 0o010000, 0o140000: .other
            default: name.last == UInt8(ascii: "/") ? .folder : .file
            }
        return ZipMember(
            path: path, kind: kind, method: method, size: size, packedSize: packedSize, checksum: UInt32(checksum),
            offset: place)
    }

    /// Takes sizes and offset that do not fit 32 bits from the zip64 extra field (0x0001), which has those alone, in this order.
    private static func widen(
        _ size: inout Int, _ packedSize: inout Int, _ offset: inout Int, from extra: ArraySlice<UInt8>
    )
        -> Bool
    {
        let full = Int(UInt32.max)
        guard size == full || packedSize == full || offset == full else { return true }
        var fields = LittleEndianFields(extra)
        while let kind = fields.number(2), let length = fields.number(2), let content = fields.bytes(length) {
            guard kind == 1 else { continue }
            var wide = LittleEndianFields(content)
            func take(_ value: inout Int) -> Bool {
                guard value == full else { return true }
                guard let number = wide.number(8), number >= 0 else { return false }
                value = number
                return true
            }
            return take(&size) && take(&packedSize) && take(&offset)
        }
        // Exactly 4 GiB - 1, without the field.
        return true
    }
}

/// Reads little-endian numbers one after the other; nil once the bytes are used up.
package struct LittleEndianFields {
    private let all: ArraySlice<UInt8>
    private var place: Int

    package init(_ bytes: [UInt8], at offset: Int = 0) { (all, place) = (bytes[...], offset) }
    package init(_ bytes: ArraySlice<UInt8>) { (all, place) = (bytes, bytes.startIndex) }

    /// A number of 1 to 8 bytes; nil also if it does not fit `Int`.
    package mutating func number(_ count: Int) -> Int? {
        guard all.endIndex - place >= count else { return nil }
        var value: UInt64 = 0
        for index in 0..<count { value |= UInt64(all[place + index]) << UInt64(8 * index) }
        place += count
        return Int(exactly: value)
    }

    package mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        guard all.endIndex - place >= count else { return nil }
        defer { place += count }
        return all[place..<(place + count)]
    }

    package mutating func skip(_ count: Int) -> Bool { bytes(count) != nil }
}
