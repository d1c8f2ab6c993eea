import Basics
import CArchive
import Foundation

/// Writes a zip archive through libarchive; equal members give equal bytes, whenever and wherever it runs.
package final class ArchiveWriter {
    private let path: String
    private let temporary: String
    private let archive: OpaquePointer
    private let descriptor: Int32
    private var isOpen = true

    /// Modification time of every member: the competition's last day, 13 November 2019, noon UTC.
    private static let modified: time_t = 1_573_646_400

    package init(path: String) throws {
        guard let archive = archive_write_new() else { throw Failure(.bug, "libarchive gave no writer") }
        self.path = path
        self.archive = archive
        temporary = AtomicFile.temporaryPath(of: path)
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        // The writer is whole by now, so that deinit frees the archive.
        guard descriptor >= 0 else { throw systemFailure("create", path) }
        archive_write_set_format_zip(archive)
        // A zip file has no padding after its directory.
        archive_write_set_bytes_in_last_block(archive, 1)
        guard archive_write_open_fd(archive, descriptor) == ARCHIVE_OK else { throw failure("create") }
    }

    deinit {
        archive_write_free(archive)
        guard descriptor >= 0 else { return }
        Foundation.close(descriptor)
        if isOpen { unlink(temporary) }
    }

    /// Whether a file is an archive that a writer like this one has written: its first member has the time that only we give.
    package static func isItsOwn(_ path: String) -> Bool {
        guard let region = try? FileRegion(path: path), let start = try? region.bytes(at: 0, count: 512) else {
            return false
        }
        // The extended timestamp of the member's extra field: 5455, its length, which times follow, the modification time.
        let time = withUnsafeBytes(of: UInt32(modified).littleEndian) { Array($0) }
        return start.starts(with: [0x50, 0x4B, 3, 4])
            && start.indices.dropLast(9).contains { place in
                start[place] == 0x55 && start[place + 1] == 0x54 && Array(start[(place + 5)..<(place + 9)]) == time
            }
    }

    package func add(_ name: String, bytes: [UInt8]) throws {
        guard let entry = archive_entry_new() else { throw Failure(.bug, "libarchive gave no entry") }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, name)
        // AE_IFREG, a macro that Swift does not see.
        archive_entry_set_filetype(entry, 0o100000)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_mtime(entry, Self.modified, 0)
        archive_entry_set_size(entry, Int64(bytes.count))
        guard archive_write_header(archive, entry) == ARCHIVE_OK,
            archive_write_data(archive, bytes, bytes.count) == bytes.count
        else { throw failure("write \(name)") }
    }

    /// Ends the archive and gives it its name.
    package func close() throws {
        guard archive_write_close(archive) == ARCHIVE_OK else { throw failure("write") }
        try publish(temporary, as: path)
        isOpen = false
    }

    private func failure(_ action: String) -> Failure {
        let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unknown reason"
        let cause = archive_errno(archive) > 0 ? " (\(String(cString: strerror(archive_errno(archive)))))" : ""
        return Failure(
            .inputOutput, "\(path): cannot \(action): \(reason)\(cause). Check the folder and its free space.")
    }
}
