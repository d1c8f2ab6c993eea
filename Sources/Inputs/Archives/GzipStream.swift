import Basics
import CArchive
import CDeflate
import Foundation

/// A gzip file that is unpacked piece by piece for libarchive, which would pass over its checksums.
final class GzipStream {
    private let file: FileRegion
    private var stream = z_stream()
    /// Bytes of the file that zlib has been given.
    private(set) var position = 0
    /// Why there is no more; nil if nothing is wrong.
    private(set) var defect: String?
    private var isInsideMember = false
    private let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    private let unpacked = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)

    /// nil for a file that does not begin as gzip.
    init?(_ file: FileRegion) throws {
        guard try file.bytes(at: 0, count: Gzip.magic.count) == Gzip.magic else { return nil }
        self.file = file
        guard inflate_begin_gzip(&stream) == Z_OK else { throw Failure(.bug, "zlib gave no stream") }
    }

    deinit {
        inflateEnd(&stream)
        packed.deallocate()
        unpacked.deallocate()
    }

    /// The next bytes, valid until the next call: none at the end of the last member, or where a ``defect`` is.
    func next() -> UnsafeRawBufferPointer {
        stream.next_out = unpacked.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(unpacked.count)
        while defect == nil, stream.avail_out == UInt32(unpacked.count) {
            guard stream.avail_in > 0 || refill() else {
                if isInsideMember { defect = "it ends too early" }
                break
            }
            if !isInsideMember, position > Int(stream.avail_in), stream.next_in.pointee == 0 {
                // Zeros may follow the last member, as on a tape.
                stream.next_in += 1
                stream.avail_in -= 1
                continue
            }
            isInsideMember = true
            switch inflate(&stream, Z_NO_FLUSH) {
            case Z_OK, Z_BUF_ERROR: break
            case Z_STREAM_END:
                isInsideMember = false
                inflateReset(&stream)
            default: defect = stream.msg.map { String(cString: $0) } ?? "it is damaged"
            }
        }
        return UnsafeRawBufferPointer(rebasing: unpacked[..<(unpacked.count - Int(stream.avail_out))])
    }

    private func refill() -> Bool {
        guard let count = try? file.read(at: position, into: packed) else {
            defect = "it cannot be read"
            return false
        }
        position += count
        stream.next_in = packed.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = UInt32(count)
        return count > 0
    }

    /// Lets libarchive read what comes out; the stream has to live as long as the archive.
    func open(for archive: OpaquePointer) -> CInt {
        archive_read_open(
            archive, Unmanaged.passUnretained(self).toOpaque(), nil,
            { _, stream, piece in
                guard let stream else { return -1 }
                let stream_ = Unmanaged<GzipStream>.fromOpaque(stream).takeUnretainedValue()
                let bytes = stream_.next()
                piece?.pointee = bytes.baseAddress
                return stream_.defect == nil || !bytes.isEmpty ? bytes.count : -1
            }, nil)
    }
}
