import Basics
import CArchive
import Foundation

/// How a file is compressed by its name: pandas and the kit's users take it for that.
package enum CompressedOutput: String, Sendable {
    case gz, bz2, xz

    /// nil for a name that promises no compression.
    package init?(path: String) {
        self.init(rawValue: (path as NSString).pathExtension.lowercased())
    }

    /// The bytes packed; equal bytes give equal files, for neither a name nor a time is in them.
    package func packed(_ bytes: UnsafeRawBufferPointer) throws -> Data {
        let packed = self == .gz ? Gzip.packed(bytes) : packedByLibarchive(bytes)
        guard let packed else { throw Failure(.bug, "the table cannot be packed as .\(rawValue).") }
        return packed
    }

    private func packedByLibarchive(_ bytes: UnsafeRawBufferPointer) -> Data? {
        guard let archive = archive_write_new(), let entry = archive_entry_new() else { return nil }
        defer {
            archive_entry_free(entry)
            archive_write_free(archive)
        }
        // What cannot be packed grows by less than a hundredth, and by a header.
        var packed = Data(count: bytes.count + bytes.count / 100 + 4096)
        var count = 0
        let isPacked = packed.withUnsafeMutableBytes { buffer in
            archive_write_add_filter(archive, self == .xz ? ARCHIVE_FILTER_XZ : ARCHIVE_FILTER_BZIP2) == ARCHIVE_OK
                && archive_write_set_format_raw(archive) == ARCHIVE_OK
                && archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK
                && archive_write_open_memory(archive, buffer.baseAddress, buffer.count, &count) == ARCHIVE_OK
                && write(bytes, to: archive, entry) && archive_write_close(archive) == ARCHIVE_OK
        }
        return isPacked ? packed.prefix(count) : nil
    }

    private func write(_ bytes: UnsafeRawBufferPointer, to archive: OpaquePointer, _ entry: OpaquePointer) -> Bool {
        archive_entry_set_pathname(entry, "table")
        // AE_IFREG, a macro that Swift does not see.
        archive_entry_set_filetype(entry, 0o100000)
        return archive_write_header(archive, entry) == ARCHIVE_OK
            && archive_write_data(archive, bytes.baseAddress, bytes.count) == bytes.count
    }
}
