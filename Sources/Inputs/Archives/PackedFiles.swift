import Basics
import CArchive
import Foundation

/// The files in an archive or a compressed file that is in memory, whatever its name is: zip, tar, 7z, gzip, bzip2, xz, zstd.
package struct PackedFiles {
    package let name: String
    package let bytes: Data

    /// Whether bytes begin as something that is packed.
    package static func isPacked(_ bytes: Data) -> Bool {
        let signatures: [[UInt8]] = [
            [0x50, 0x4B, 3, 4], [0x1F, 0x8B], Array("BZh".utf8), [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0],
            [0x28, 0xB5, 0x2F, 0xFD], [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], Array("Rar!".utf8),
        ]
        return signatures.contains { bytes.starts(with: $0) }
    }

    /// All regular files in their order; what macOS adds for itself is left out.
    ///
    /// - Parameter limit: bytes, all files together: no more are unpacked into memory.
    /// - Throws: ``Failure`` with status `badInput` if the bytes are damaged, encrypted, of another kind, or more than the limit.
    package static func unpacked(_ packed: Data, name: String, limit: Int) throws -> [PackedFiles] {
        guard let archive = archive_read_new() else { throw Failure(.bug, "libarchive gave no reader") }
        defer { archive_read_free(archive) }
        archive_read_support_filter_all(archive)
        archive_read_support_format_all(archive)
        archive_read_support_format_raw(archive)
        return try packed.withUnsafeBytes { raw in
            func damaged() -> Failure {
                let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unexpected end"
                return Failure(
                    .badInput, "\(name): is packed and cannot be unpacked (\(reason)). Download or pack it again.")
            }
            guard archive_read_open_memory(archive, raw.baseAddress, raw.count) == ARCHIVE_OK else { throw damaged() }
            var files: [PackedFiles] = []
            var left = limit
            var entry: OpaquePointer?
            while true {
                let status = archive_read_next_header(archive, &entry)
                if status == ARCHIVE_EOF { return files }
                guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else { throw damaged() }
                // A zip or 7z that is none is taken for a raw file: its bytes come back as they were.
                guard archive_format(archive) != ARCHIVE_FORMAT_RAW || archive_filter_count(archive) > 1 else {
                    throw Failure(.badInput, "\(name): is packed and damaged: its archive has no end. Copy it again.")
                }
                let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
                let isOwn = member.split(separator: "/").last?.hasPrefix("._") != true && !member.hasPrefix("__MACOSX/")
                guard archive_entry_filetype(entry) == S_IFREG || archive_entry_filetype(entry) == 0, isOwn,
                    !member.hasSuffix("/")
                else { continue }
                var content = Data()
                var piece = [UInt8](repeating: 0, count: 1 << 18)
                while true {
                    let count = archive_read_data(archive, &piece, piece.count)
                    if count == 0 { break }
                    guard count > 0 else { throw damaged() }
                    left -= count
                    guard left >= 0 else {
                        throw Failure(
                            .badInput, "\(name): unpacks to more than \(Numbers.bytes(limit)). Unpack it first.")
                    }
                    content.append(contentsOf: piece[..<count])
                }
                files.append(PackedFiles(name: member, bytes: content))
            }
        }
    }
}
