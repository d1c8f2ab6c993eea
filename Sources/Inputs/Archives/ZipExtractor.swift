import Basics
import CDeflate

/// Why one member of an archive cannot be unpacked, while others may.
package enum MemberProblem: Error, Equatable {
    /// Its bytes are not those that were packed.
    case damaged(String)
    /// It cannot go where it wants to.
    case refused(String)
}

/// Unpacks members of zip archives into its own buffers: one for each thread.
///
/// A compressed member of up to 64 MiB is unpacked and checked as a whole before anybody sees a byte of it; a stored or a larger one
/// comes piece by piece and its checksum last.
package final class ZipExtractor {
    private static let largestWhole = 64 << 20
    /// What stays in the processor's cache while it is checked, hashed and written.
    private static let pieceSize = 1 << 18

    private var packed = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var unpacked = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private let decompressor: OpaquePointer?

    package init() { decompressor = libdeflate_alloc_decompressor() }

    deinit {
        packed.deallocate()
        unpacked.deallocate()
        libdeflate_free_decompressor(decompressor)
    }

    /// Passes a member's bytes on, at once or piece by piece.
    ///
    /// - Throws: ``MemberProblem/damaged(_:)``, also after some pieces; ``Failure`` if the archive's device cannot be read.
    package func read(_ member: ZipMember, in region: FileRegion, _ body: (UnsafeRawBufferPointer) throws -> Void)
        throws
    {
        let start = try contentStart(of: member, in: region)
        guard let content = region.part(region.name, offset: start, size: member.packedSize) else {
            throw MemberProblem.damaged("it ends beyond the end of the archive, which is cut off")
        }
        guard member.method == .deflated || member.size == member.packedSize else {
            throw MemberProblem.damaged("its two sizes differ although it is not compressed")
        }
        guard member.method == .deflated, max(member.size, member.packedSize) <= Self.largestWhole else {
            return try readInPieces(member, content, body)
        }
        let bytes = try inflateWhole(member, content)
        try check(crc: CRC32.of(bytes), of: member)
        try body(bytes)
    }

    /// Where a member's bytes start: after its local header, which must be the directory's member.
    package func contentStart(of member: ZipMember, in region: FileRegion) throws -> Int {
        func content(at offset: Int) throws -> (start: Int, hasChecksum: Bool)? {
            let header = try region.bytes(at: offset, count: member.headerSize)
            return header.withUnsafeBytes { member.contentStart(header: $0, at: offset) }
        }
        let likely = try content(at: member.offset)
        if let likely, try !member.isOffsetWrapped || isConfirmed(likely, member, in: region) { return likely.start }
        // Nobody else is asked for what has 64-bit offsets, or is smaller than 4 GiB.
        for offset in member.otherOffsets {
            if let other = try content(at: offset),
                try likely == nil && !member.isOffsetWrapped || isConfirmed(other, member, in: region)
            {
                return other.start
            }
        }
        guard let likely else {
            throw MemberProblem.damaged("its header is not the one that the archive's directory announces")
        }
        return likely.start
    }

    /// Whether a member's checksum stands in its header, or after its bytes (APPNOTE.TXT, section 4.3.9). There may be other members of
    /// its name where 32 bits of an offset are the same.
    private func isConfirmed(
        _ place: (start: Int, hasChecksum: Bool), _ member: ZipMember, in region: FileRegion
    ) throws -> Bool {
        if place.hasChecksum { return true }
        let (end, isTooFar) = place.start.addingReportingOverflow(member.packedSize)
        guard !isTooFar else { return false }
        let checksum = (0..<4).map { UInt8(truncatingIfNeeded: member.checksum >> (8 * $0)) }
        return try region.bytes(at: end, count: 8) == [0x50, 0x4B, 7, 8] + checksum
    }

    private func inflateWhole(_ member: ZipMember, _ content: FileRegion) throws -> UnsafeRawBufferPointer {
        Self.grow(&unpacked, to: member.size)
        let target = UnsafeMutableRawBufferPointer(rebasing: unpacked[..<member.size])
        Self.grow(&packed, to: member.packedSize)
        let source = UnsafeMutableRawBufferPointer(rebasing: packed[..<member.packedSize])
        guard try content.read(at: 0, into: source) == member.packedSize else {
            throw MemberProblem.damaged("the archive ends inside it")
        }
        var count = 0
        let result = libdeflate_deflate_decompress(
            decompressor, source.baseAddress, source.count, target.baseAddress, target.count, &count)
        guard result == LIBDEFLATE_SUCCESS, count == member.size else {
            throw MemberProblem.damaged("its compressed bytes make no sense")
        }
        return UnsafeRawBufferPointer(target)
    }

    private func readInPieces(
        _ member: ZipMember, _ content: FileRegion, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var crc: UInt32 = 0
        var left = member.size
        func pass(_ piece: UnsafeRawBufferPointer) throws {
            guard piece.count <= left else { throw MemberProblem.damaged("it is larger than the archive announces") }
            left -= piece.count
            crc = CRC32.of(piece, after: crc)
            try body(piece)
        }
        if member.method == .stored {
            try forEachPiece(of: content) { try pass($0) }
        } else {
            try inflate(content, pass)
        }
        guard left == 0 else { throw MemberProblem.damaged("it is smaller than the archive announces") }
        try check(crc: crc, of: member)
    }

    private func forEachPiece(of content: FileRegion, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        Self.grow(&packed, to: Self.pieceSize)
        var place = 0
        while place < content.size {
            let target = UnsafeMutableRawBufferPointer(rebasing: packed[..<min(Self.pieceSize, content.size - place)])
            let count = try content.read(at: place, into: target)
            guard count > 0 else { throw MemberProblem.damaged("the archive ends inside it") }
            try body(UnsafeMutableRawBufferPointer(rebasing: target[..<count]))
            place += count
        }
    }

    private func forEachPiece(of content: FileRegion, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try forEachPiece(of: content) { (piece: UnsafeMutableRawBufferPointer) in
            try body(UnsafeRawBufferPointer(piece))
        }
    }

    private func inflate(_ content: FileRegion, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        Self.grow(&unpacked, to: Self.pieceSize)
        let target = UnsafeMutableRawBufferPointer(rebasing: unpacked[..<Self.pieceSize])
        var stream = z_stream()
        guard inflate_begin_raw(&stream) == Z_OK else { throw Failure(.bug, "zlib gave no stream") }
        defer { inflateEnd(&stream) }
        var isAtEnd = false
        try forEachPiece(of: content) { (piece: UnsafeMutableRawBufferPointer) in
            stream.next_in = piece.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_in = UInt32(piece.count)
            repeat {
                stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(target.count)
                let result = CDeflate.inflate(&stream, Z_NO_FLUSH)
                guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
                    throw MemberProblem.damaged("its compressed bytes make no sense")
                }
                try body(UnsafeRawBufferPointer(rebasing: target[..<(target.count - Int(stream.avail_out))]))
                isAtEnd = result == Z_STREAM_END
            } while !isAtEnd && stream.avail_out == 0
        }
        guard isAtEnd else { throw MemberProblem.damaged("its compressed bytes end too early") }
    }

    private func check(crc: UInt32, of member: ZipMember) throws {
        guard crc == member.checksum else { throw MemberProblem.damaged("its checksum (CRC-32) is not the archive's") }
    }

    private static func grow(_ buffer: inout UnsafeMutableRawBufferPointer, to count: Int) {
        // At least one byte: an empty buffer has no address, and C functions want one.
        let count = max(count, 1)
        guard buffer.count < count else { return }
        buffer.deallocate()
        buffer = .allocate(byteCount: count, alignment: 64)
    }
}
