import Basics
import CDeflate
import Foundation

/// Gzip files (RFC 1952) in memory, checked as Python's `gzip` checks them: libarchive, which knows them too, ignores their checksums.
enum Gzip {
    static let magic: [UInt8] = [0x1F, 0x8B]

    /// What is packed in all of the file's members, one after the other; zeros may follow the last.
    ///
    /// - Throws: ``Gzip/Defect`` if a member is damaged or cut off, something else follows, or the content has more bytes than the limit.
    static func unpacked(_ packed: UnsafeRawBufferPointer, limit: Int) throws(Defect) -> Data {
        guard let decompressor = libdeflate_alloc_decompressor() else { throw .tooLarge }
        defer { libdeflate_free_decompressor(decompressor) }
        var content = Data()
        var rest = packed
        repeat {
            let (member, count) = try unpackedMember(rest, decompressor, limit: limit - content.count)
            // The usual file has one member, which is not copied.
            if content.isEmpty { content = member } else { content.append(member) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } while !rest.allSatisfy { $0 == 0 }
        return content
    }

    /// Why a gzip file cannot be unpacked.
    enum Defect: Error {
        case damaged
        case tooLarge
    }

    private static func unpackedMember(
        _ packed: UnsafeRawBufferPointer, _ decompressor: OpaquePointer, limit: Int
    ) throws(Defect) -> (content: Data, packedCount: Int) {
        // The last four bytes say how long the content is, modulo 2^32, if this is the last member. Memory that is not written to costs
        // nothing.
        let claimed = packed.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        // Deflate packs 1032 bytes into one at most.
        let most = min(1032 * packed.count + 1, limit)
        var capacity = min(max(claimed + 1, 4 * packed.count), most)
        while true {
            guard let buffer = malloc(capacity) else { throw .tooLarge }
            var (packedCount, count) = (0, 0)
            let result = libdeflate_gzip_decompress_ex(
                decompressor, packed.baseAddress, packed.count, buffer, capacity, &packedCount, &count)
            guard result == LIBDEFLATE_SUCCESS else {
                free(buffer)
                guard result == LIBDEFLATE_INSUFFICIENT_SPACE else { throw .damaged }
                guard capacity < most else { throw .tooLarge }
                capacity = min(4 * capacity, most)
                continue
            }
            // What is left of the buffer goes back.
            let whole = realloc(buffer, max(count, 1)) ?? buffer
            return (Data(bytesNoCopy: whole, count: count, deallocator: .free), packedCount)
        }
    }

    /// The bytes packed as one member without name and time, so that equal bytes give equal files.
    static func packed(_ bytes: UnsafeRawBufferPointer) -> Data? {
        // Level 6 is gzip's own choice.
        guard let compressor = libdeflate_alloc_compressor(6) else { return nil }
        defer { libdeflate_free_compressor(compressor) }
        let bound = libdeflate_gzip_compress_bound(compressor, bytes.count)
        guard let buffer = malloc(bound) else { return nil }
        let count = libdeflate_gzip_compress(compressor, bytes.baseAddress, bytes.count, buffer, bound)
        guard count > 0 else {
            free(buffer)
            return nil
        }
        return Data(bytesNoCopy: realloc(buffer, count) ?? buffer, count: count, deallocator: .free)
    }
}
