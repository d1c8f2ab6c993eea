/// A file, folder or link of a zip file, as the file's directory has it.
package struct ZipMember: Sendable, Equatable {
    /// How its bytes are packed (APPNOTE.TXT 6.3.10, section 4.4.5).
    package enum Method: UInt16, Sendable { case stored = 0, deflated = 8 }

    package let path: String
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
    /// Where its local header starts in the file.
    package let offset: Int

    /// Bytes of its local header, aside from the extra field that follows.
    package var headerSize: Int { 30 + path.utf8.count }

    /// Where its own bytes start in the file; nil if these are not the first `headerSize` bytes of its local header.
    package func contentStart(header: UnsafeRawBufferPointer) -> Int? {
        var fields = ByteReader(header)
        guard fields.number(UInt32.self) == 0x0403_4B50, fields.skip(22),
            fields.number(UInt16.self) == path.utf8.count, let extraLength = fields.number(UInt16.self),
            let name = fields.take(path.utf8.count), name.elementsEqual(path.utf8)
        else { return nil }
        return offset + headerSize + extraLength
    }
}

/// The directory at the end of a zip or zip64 file (APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16).
package struct ZipDirectory: Sendable {
    package let members: [ZipMember]
    /// Where the directory lies in the file.
    package let place: Range<Int>
    /// Where the record after the directory ends, and so the zip file.
    package let end: Int

    /// Why a file has no directory that can be read.
    package enum Problem: Error, Equatable {
        /// No record at the end says where the directory is: the file is cut off or no zip file.
        case noEndRecord
        /// The directory does not fit between the file's start and the record about it.
        case outside(size: Int, offset: Int)
        /// There is no whole entry at this byte of the directory.
        case badEntry(at: Int)
        /// The entry that ends at this byte of the directory has a name that is not UTF-8, as old archives do.
        case badName(at: Int)
    }

    /// Reads the directory of a file, of which `read` gives the bytes from an offset on: as many as asked for, or as there are.
    package static func read<ReadError: Error>(
        fileSize: Int, _ read: (_ offset: Int, _ count: Int) throws(ReadError) -> [UInt8]
    ) throws(ReadError) -> Result<ZipDirectory, Problem> {
        let tailStart = max(0, fileSize - EndRecord.size - EndRecord.longestComment)
        guard let end = EndRecord(tail: try read(tailStart, fileSize - tailStart), start: tailStart) else {
            return .failure(.noEndRecord)
        }
        let wide = try Zip64EndRecord(before: end.start, read)
        let (size, offset, count) = wide.map { ($0.size, $0.offset, $0.count) } ?? (end.size, end.offset, end.count)
        // The directory ends where the record about it starts. What its offset falls short by, somebody put before the zip file.
        let directoryEnd = wide?.start ?? end.start
        let start = directoryEnd - size
        guard offset <= start, count <= size / entrySize else {
            return .failure(.outside(size: size, offset: offset))
        }
        let bytes = try read(start, size)
        guard bytes.count == size else { return .failure(.outside(size: size, offset: offset)) }
        return Result { () throws(Problem) in
            ZipDirectory(
                members: try members(count, in: bytes, bytesBefore: start - offset), place: start..<directoryEnd,
                end: end.end)
        }
    }

    /// Bytes of an entry, aside from its name, extra field and comment.
    private static let entrySize = 46

    private static func members(_ count: Int, in directory: [UInt8], bytesBefore: Int) throws(Problem) -> [ZipMember] {
        var members: [ZipMember] = []
        members.reserveCapacity(count)
        let result = directory.withUnsafeBytes { bytes in
            var entries = ByteReader(bytes)
            return Result { () throws(Problem) in
                for _ in 0..<count { members.append(try ZipMember(entry: &entries, bytesBefore: bytesBefore)) }
            }
        }
        try result.get()
        return members
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
    /// Reads an entry of the directory; `bytesBefore` is what its offset falls short by.
    fileprivate init(entry fields: inout ByteReader, bytesBefore: Int) throws(ZipDirectory.Problem) {
        let start = fields.position
        guard fields.number(UInt32.self) == 0x0201_4B50, fields.skip(1), let system = fields.integer(UInt8.self),
            fields.skip(2), let flags = fields.integer(UInt16.self), let method = fields.integer(UInt16.self),
            fields.skip(4), let checksum = fields.integer(UInt32.self), var packedSize = fields.number(UInt32.self),
            var size = fields.number(UInt32.self), let nameLength = fields.number(UInt16.self),
            let extraLength = fields.number(UInt16.self), let commentLength = fields.number(UInt16.self),
            fields.skip(4), let attributes = fields.integer(UInt32.self), var offset = fields.number(UInt32.self),
            let name = fields.take(nameLength), let extra = fields.take(extraLength), fields.skip(commentLength),
            Self.widen(&size, &packedSize, &offset, from: extra)
        else { throw .badEntry(at: start) }
        guard let path = String(validating: name, as: UTF8.self), !path.utf8.contains(0) else {
            throw .badName(at: fields.position)
        }
        let (place, isTooFar) = offset.addingReportingOverflow(bytesBefore)
        guard !isTooFar else { throw .badEntry(at: start) }
        self.path = path
        // The upper half of the attributes is the mode, if Unix (3) or macOS (19) made the file.
        unixMode = system == 3 || system == 19 ? UInt16(attributes >> 16) : 0
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
        guard fields.number(UInt32.self) == 0x0605_4B50, fields.skip(4), let count = fields.number(UInt16.self),
            fields.skip(2), let size = fields.number(UInt32.self), let offset = fields.number(UInt32.self),
            let commentLength = fields.number(UInt16.self), fields.skip(commentLength)
        else { return nil }
        (self.start, end) = (start + place, start + fields.position)
        (self.size, self.offset, self.count) = (size, offset, count)
    }
}

/// The record of a zip64 file, which a locator of 20 bytes just before the end record points to.
private struct Zip64EndRecord {
    let start: Int
    let size: Int
    let offset: Int
    let count: Int

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
        let numbers: (count: Int, size: Int, offset: Int)? = record.withUnsafeBytes { record in
            var fields = ByteReader(record)
            guard fields.number(UInt32.self) == 0x0606_4B50, fields.skip(28), let count = fields.number(UInt64.self),
                let size = fields.number(UInt64.self), let offset = fields.number(UInt64.self)
            else { return nil }
            return (count, size, offset)
        }
        guard let numbers, numbers.size <= start, numbers.offset <= start else { return nil }
        (self.start, size, offset, count) = (start, numbers.size, numbers.offset, numbers.count)
    }

    private static func recordOffset(locator: [UInt8]) -> Int? {
        locator.withUnsafeBytes { locator in
            var fields = ByteReader(locator)
            guard fields.number(UInt32.self) == 0x0706_4B50, fields.skip(4) else { return nil }
            return fields.number(UInt64.self)
        }
    }
}
