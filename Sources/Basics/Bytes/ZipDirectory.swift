/// A file, folder or link of a zip file, as the file's directory has it.
package struct ZipMember: Sendable, Equatable {
    /// How its bytes are packed (APPNOTE.TXT 6.3.10, section 4.4.5).
    package enum Method: UInt16, Sendable { case stored = 0, deflated = 8 }

    /// With slashes between folders; a name that is no UTF-8 as `String(path:)` has it.
    package fileprivate(set) var path: String
    /// Its type and permissions as `stat` has them in `st_mode`; 0 if the file was not made on Unix.
    package let unixMode: UInt16
    /// Nil for a method that is not one of these.
    package let method: Method?
    package let isEncrypted: Bool
    /// Bytes unpacked, and in the file.
    package let size: Int
    package let packedSize: Int
    /// CRC-32 of the unpacked bytes.
    package let checksum: UInt32
    /// Where its local header starts in the file; of an offset that wrapped at 4 GiB, where it does so most likely.
    package fileprivate(set) var offset: Int
    /// Whether the archive's offsets wrapped at 4 GiB, so that the header may as well lie some times 4 GiB before or after `offset`.
    package let isOffsetWrapped: Bool
    /// Where it may start instead: the offset had 32 bits, and this is where the directory begins.
    private let lastOffset: Int
    fileprivate let isFromUnix: Bool

    /// Bytes of its local header, aside from the extra field that follows.
    package var headerSize: Int { 30 + (path.isPlainPath ? path.utf8.count : path.pathBytes.count) }

    /// Where its own bytes start in the file; nil if these are not the first `headerSize` bytes of its local header.
    package func contentStart(header: UnsafeRawBufferPointer) -> Int? {
        contentStart(header: header, at: offset)?.start
    }

    /// The same for a header at a place; and whether it has the member's checksum, which it may have after the bytes instead.
    package func contentStart(
        header: UnsafeRawBufferPointer, at offset: Int
    ) -> (start: Int, hasChecksum: Bool)? {
        let length = headerSize - 30
        var fields = ByteReader(header)
        guard fields.number(UInt32.self) == 0x0403_4B50, fields.skip(10), let checksum = fields.integer(UInt32.self),
            fields.skip(8), fields.number(UInt16.self) == length, let extraLength = fields.number(UInt16.self),
            let name = fields.take(length), isName(name)
        else { return nil }
        return (offset + headerSize + extraLength, checksum == self.checksum)
    }

    /// The other places where its header may start.
    package var otherOffsets: [Int] {
        let period = 1 << 32
        return stride(from: offset % period, to: lastOffset, by: period).filter { $0 != offset }
    }

    /// Whether the bytes are its name, with backslashes where the path may have slashes.
    private func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        func isSame(_ a: UInt8, _ b: UInt8) -> Bool { a == b || a == UInt8(ascii: "\\") && b == UInt8(ascii: "/") }
        return path.isPlainPath
            ? bytes.elementsEqual(path.utf8, by: isSame) : bytes.elementsEqual(path.pathBytes, by: isSame)
    }

    /// Whether its name has backslashes that separate folders: it was not packed on Unix, where a name may have them, or nothing else
    /// separates folders in the archive.
    fileprivate func hasWindowsPath(archiveHasSlashes: Bool) -> Bool {
        path.utf8.contains(UInt8(ascii: "\\")) && (!isFromUnix || !archiveHasSlashes)
    }
}

/// The directory at the end of a zip or zip64 file (APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16).
package struct ZipDirectory: Sendable {
    package let members: [ZipMember]
    /// Where the directory lies in the file.
    package let place: Range<Int>
    /// Where the record after the directory ends, and so the zip file.
    package let end: Int
    /// Whether a reader who takes its count, offsets and names as they stand would find something else.
    package let isMended: Bool

    /// Why a file has no directory that can be read.
    package enum Problem: Error, Equatable {
        /// No record at the end says where the directory is: the file is cut off or no zip file.
        case noEndRecord
        /// The directory does not fit between the file's start and the record about it.
        case outside(size: Int, offset: Int)
        /// There is no whole entry at this byte of the directory.
        case badEntry(at: Int)
        /// The entry that ends at this byte of the directory has a name with a zero in it.
        case badName(at: Int)
        /// It says one thing in one place and another in another, so that something is missing; the text goes on after "the directory".
        case contradiction(String)
        /// The file is one volume of an archive that was split, the last one if it has a directory.
        case split
    }

    /// Reads the directory of a file, of which `read` gives the bytes from an offset on: as many as asked for, or as there are.
    package static func read<ReadError: Error>(
        fileSize: Int, _ read: (_ offset: Int, _ count: Int) throws(ReadError) -> [UInt8]
    ) throws(ReadError) -> Result<ZipDirectory, Problem> {
        let tailStart = max(0, fileSize - EndRecord.size - EndRecord.longestComment)
        let tail = try read(tailStart, fileSize - tailStart)
        let head = try read(0, 4)
        guard let end = EndRecord(tail: tail, start: tailStart) else {
            return .failure(head == volumeMark ? .split : .noEndRecord)
        }
        let wide = try Zip64EndRecord(before: end.start, read)
        guard !end.isVolume, wide?.isVolume != true else { return .failure(.split) }
        let (size, offset) = wide.map { ($0.size, $0.offset) } ?? (end.size, end.offset)
        // The directory ends where the record about it starts. What its offset falls short by, somebody put before the zip file, or
        // it is a multiple of 4 GiB that the offset's 32 bits did not hold.
        let directoryEnd = wide?.start ?? end.start
        let start = directoryEnd - size
        guard start >= 0, offset <= start else { return .failure(.outside(size: size, offset: offset)) }
        let bytes = try read(start, size)
        guard bytes.count == size else { return .failure(.outside(size: size, offset: offset)) }
        let isWrapped = wide == nil && start - offset > Int(UInt32.max)
        let bytesBefore = isWrapped ? (start - offset) & Int(UInt32.max) : start - offset
        let rest = tail.suffix(fileSize - end.end)
        guard bytesBefore == 0 || head != memberMark, !rest.starts(with: memberMark) else {
            return .failure(
                .contradiction(
                    "is that of another zip that lies in the file: two were joined, or the download is cut off"))
        }
        let place = Place(start: start, bytesBefore: bytesBefore, isWrapped: isWrapped)
        return Result { () throws(Problem) in
            var members = try members(in: bytes, place)
            if let problem = end.contradiction(count: members.count, wide: wide) { throw .contradiction(problem) }
            let isMended = isWrapped || wide == nil && members.count > Int(UInt16.max)
            let hasWindowsPaths = separateFolders(&members)
            return ZipDirectory(
                members: members, place: start..<directoryEnd, end: end.end, isMended: isMended || hasWindowsPaths)
        }
    }

    /// What a member begins with, and the first volume of a split archive.
    private static let memberMark: [UInt8] = [0x50, 0x4B, 3, 4]
    private static let volumeMark: [UInt8] = [0x50, 0x4B, 7, 8]

    /// Where the directory lies, and what has to be done to its members' offsets.
    fileprivate struct Place {
        var start: Int
        var bytesBefore: Int
        var isWrapped: Bool
    }

    /// Bytes of an entry, aside from its name, extra field and comment.
    private static let entrySize = 46

    /// Reads the directory to its end, whatever it says about how many entries it has.
    private static func members(in directory: [UInt8], _ place: Place) throws(Problem) -> [ZipMember] {
        var members: [ZipMember] = []
        members.reserveCapacity(directory.count / (2 * entrySize))
        let result = directory.withUnsafeBytes { bytes in
            var entries = ByteReader(bytes)
            return Result { () throws(Problem) in
                while entries.remaining > 0, !isSignature(entries) {
                    var member = try ZipMember(entry: &entries, place)
                    // Members mostly lie in the directory's order.
                    if place.isWrapped, let last = members.last {
                        let periods = max(0, last.offset - member.offset + Int(UInt32.max)) >> 32
                        if member.offset + periods << 32 < place.start { member.offset += periods << 32 }
                    }
                    members.append(member)
                }
            }
        }
        try result.get()
        return members
    }

    /// Whether all that is left is the record of a digital signature, which may end a directory.
    private static func isSignature(_ entries: ByteReader) -> Bool {
        var fields = entries
        guard fields.number(UInt32.self) == 0x0505_4B50, let length = fields.number(UInt16.self) else { return false }
        return fields.remaining == length
    }

    /// Puts slashes where names have backslashes that separate folders.
    private static func separateFolders(_ members: inout [ZipMember]) -> Bool {
        guard members.contains(where: { $0.path.utf8.contains(UInt8(ascii: "\\")) }) else { return false }
        let hasSlashes = members.contains { $0.path.utf8.contains(UInt8(ascii: "/")) }
        var isAny = false
        for index in members.indices where members[index].hasWindowsPath(archiveHasSlashes: hasSlashes) {
            members[index].path = String(members[index].path.map { $0 == "\\" ? "/" : $0 })
            isAny = true
        }
        return isAny
    }
}

// MARK: - Records

extension ByteReader {
    /// The next integer; nil also if it does not fit `Int`.
    fileprivate mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Int? {
        integer(type).flatMap { Int(exactly: $0) }
    }
}

extension ZipMember {
    /// Reads an entry of the directory.
    fileprivate init(entry fields: inout ByteReader, _ directory: ZipDirectory.Place) throws(ZipDirectory.Problem) {
        let start = fields.position
        guard fields.number(UInt32.self) == 0x0201_4B50, fields.skip(1), let system = fields.integer(UInt8.self),
            fields.skip(2), let flags = fields.integer(UInt16.self), let method = fields.integer(UInt16.self),
            fields.skip(4), let checksum = fields.integer(UInt32.self), var packedSize = fields.number(UInt32.self),
            var size = fields.number(UInt32.self), let nameLength = fields.number(UInt16.self),
            let extraLength = fields.number(UInt16.self), let commentLength = fields.number(UInt16.self),
            let volume = fields.integer(UInt16.self), fields.skip(2), let attributes = fields.integer(UInt32.self),
            let shortOffset = fields.number(UInt32.self),
            let name = fields.take(nameLength), let extra = fields.take(extraLength), fields.skip(commentLength)
        else { throw .badEntry(at: start) }
        var offset = shortOffset
        guard Self.widen(&size, &packedSize, &offset, from: extra) else { throw .badEntry(at: start) }
        guard volume == 0 || volume == UInt16.max else { throw .split }
        guard !name.contains(0) else { throw .badName(at: fields.position) }
        let (place, isTooFar) = offset.addingReportingOverflow(directory.bytesBefore)
        guard !isTooFar else { throw .badEntry(at: start) }
        path = String(path: name)
        // The upper half of the attributes is the mode, if Unix (3) or macOS (19) made the file.
        isFromUnix = system == 3 || system == 19
        unixMode = isFromUnix ? UInt16(attributes >> 16) : 0
        isOffsetWrapped = directory.isWrapped && offset == shortOffset
        lastOffset = offset == shortOffset ? directory.start : 0
        self.method = Method(rawValue: method)
        isEncrypted = flags & 1 != 0
        self.size = size
        self.packedSize = packedSize
        self.checksum = checksum
        self.offset = place
    }

    /// Takes sizes and offset that do not fit 32 bits from the zip64 extra field (0x0001), which has those alone, in this order.
    private static func widen(
        _ size: inout Int, _ packedSize: inout Int, _ offset: inout Int, from extra: UnsafeRawBufferPointer
    ) -> Bool {
        let full = Int(UInt32.max)
        guard size == full || packedSize == full || offset == full else { return true }
        var fields = ByteReader(extra)
        while let kind = fields.number(UInt16.self), let length = fields.number(UInt16.self),
            let content = fields.take(length)
        {
            guard kind == 1 else { continue }
            var wide = ByteReader(content)
            func take(_ value: inout Int) -> Bool {
                guard value == full else { return true }
                guard let number = wide.number(UInt64.self) else { return false }
                value = number
                return true
            }
            return take(&size) && take(&packedSize) && take(&offset)
        }
        // Exactly 4 GiB - 1, without the field.
        return true
    }
}

/// The record that ends a zip file.
private struct EndRecord {
    static let size = 22
    static let longestComment = 65_535

    let start: Int
    let end: Int
    /// The directory's size and offset, and how many entries it has.
    let size: Int
    let offset: Int
    let count: Int
    /// How many of them are in this volume.
    let countHere: Int
    /// Whether this is the end of a split archive.
    let isVolume: Bool

    /// How the directory contradicts the number of its entries; nil if not. A count that did not fit its 16 bits wrapped, or stopped
    /// there, where a writer knew no zip64.
    func contradiction(count found: Int, wide: Zip64EndRecord?) -> String? {
        let full = Int(UInt16.max)
        func fits(_ count: Int, _ stated: Int) -> Bool {
            stated == count || (stated == full ? count > full : count > full && count & full == stated)
        }
        let stated = wide?.count ?? count
        guard wide.map({ $0.count == found }) ?? fits(found, count) else {
            return "has \(found) members and says that they are \(stated)"
        }
        // A zip64 record may say what fits the other one too, which then need not.
        guard wide != nil || countHere == count else {
            return "says that it has \(count) members, and \(countHere) of them in this file"
        }
        return nil
    }

    /// The last record in a file's last bytes, which begin at `start`, that fits there with its comment.
    init?(tail: [UInt8], start: Int) {
        let places = stride(from: tail.count - Self.size, through: 0, by: -1)
        let found = tail.withUnsafeBytes { tail in
            places.lazy.compactMap { EndRecord(at: $0, in: tail, start: start) }.first
        }
        guard let found else { return nil }
        self = found
    }

    private init?(at place: Int, in tail: UnsafeRawBufferPointer, start: Int) {
        var fields = ByteReader(tail, from: place)
        guard fields.number(UInt32.self) == 0x0605_4B50, let volume = fields.integer(UInt16.self),
            let firstVolume = fields.integer(UInt16.self), let countHere = fields.number(UInt16.self),
            let count = fields.number(UInt16.self), let size = fields.number(UInt32.self),
            let offset = fields.number(UInt32.self),
            let commentLength = fields.number(UInt16.self), fields.skip(commentLength)
        else { return nil }
        (self.start, end) = (start + place, start + fields.position)
        (self.size, self.offset, self.count) = (size, offset, count)
        self.countHere = countHere
        isVolume = [volume, firstVolume].contains { $0 != 0 && $0 != UInt16.max }
    }
}

/// The record of a zip64 file, which a locator of 20 bytes just before the end record points to.
private struct Zip64EndRecord {
    let start: Int
    let size: Int
    let offset: Int
    let count: Int
    let isVolume: Bool

    private static let recordSize = 56
    private static let locatorSize = 20

    init?<ReadError: Error>(before end: Int, _ read: (Int, Int) throws(ReadError) -> [UInt8]) throws(ReadError) {
        let locatorStart = end - Self.locatorSize
        guard locatorStart >= 0,
            let stated = Self.recordOffset(locator: try read(locatorStart, Self.locatorSize))
        else { return nil }
        // Where it says, or, with bytes before the zip file, straight before the locator.
        let last = locatorStart - Self.recordSize
        for start in [stated, last] where start >= 0 && start <= last {
            guard let record = Zip64EndRecord(try read(start, Self.recordSize), start: start) else { continue }
            self = record
            return
        }
        return nil
    }

    private init?(_ record: [UInt8], start: Int) {
        let numbers: (volumes: UInt64, count: Int, size: Int, offset: Int)? = record.withUnsafeBytes { record in
            var fields = ByteReader(record)
            guard fields.number(UInt32.self) == 0x0606_4B50, fields.skip(12),
                let volumes = fields.integer(UInt64.self), fields.skip(8), let count = fields.number(UInt64.self),
                let size = fields.number(UInt64.self), let offset = fields.number(UInt64.self)
            else { return nil }
            return (volumes, count, size, offset)
        }
        guard let numbers, numbers.size <= start, numbers.offset <= start else { return nil }
        (self.start, size, offset, count) = (start, numbers.size, numbers.offset, numbers.count)
        // This volume's number and that of the directory's first one, of 32 bits each.
        isVolume = numbers.volumes != 0
    }

    private static func recordOffset(locator: [UInt8]) -> Int? {
        locator.withUnsafeBytes { locator in
            var fields = ByteReader(locator)
            guard fields.number(UInt32.self) == 0x0706_4B50, fields.skip(4) else { return nil }
            return fields.number(UInt64.self)
        }
    }
}
