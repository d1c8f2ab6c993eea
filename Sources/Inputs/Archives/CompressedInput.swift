import Basics
import CArchive
import Foundation

/// The table inside a `.gz` or `.zip`, told by its first bytes and whatever its name is.
package enum CompressedInput {
    /// The bytes themselves, or what is packed in them.
    ///
    /// - Throws: ``Failure`` with status `badInput` if the file is damaged, encrypted, or a zip of anything but one file.
    package static func unpacked(_ bytes: Data, name: String) throws -> Data {
        let isGzip = bytes.starts(with: [0x1F, 0x8B])
        guard isGzip || bytes.starts(with: [0x50, 0x4B, 3, 4]) else { return bytes }
        guard let archive = archive_read_new() else { throw Failure(.bug, "libarchive gave no reader") }
        defer { archive_read_free(archive) }
        if isGzip {
            archive_read_support_filter_gzip(archive)
            archive_read_support_format_raw(archive)
        } else {
            archive_read_support_format_zip(archive)
        }
        return try bytes.withUnsafeBytes { packed in
            func damaged() -> Failure {
                let reason = archive_error_string(archive).map { String(cString: $0) } ?? "unexpected end"
                return Failure(
                    .badInput, "\(name): is compressed and cannot be unpacked (\(reason)). Download or pack it again.")
            }
            guard archive_read_open_memory(archive, packed.baseAddress, packed.count) == ARCHIVE_OK else {
                throw damaged()
            }
            var table: (name: String, bytes: Data)?
            var entry: OpaquePointer?
            while true {
                let status = archive_read_next_header(archive, &entry)
                if status == ARCHIVE_EOF { break }
                guard status == ARCHIVE_OK, let entry else { throw damaged() }
                // What is too short for a gzip header is passed through as it is.
                guard !isGzip || archive_filter_code(archive, 0) == ARCHIVE_FILTER_GZIP else { throw damaged() }
                let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
                if member.hasSuffix("/") || member.hasPrefix("__MACOSX/") { continue }
                if let table {
                    throw Failure(
                        .badInput,
                        "\(name): holds several files (\(table.name), \(member), ...); expected a single one. Unpack it and name the one."
                    )
                }
                guard let content = content(of: archive) else { throw damaged() }
                table = (member, content)
            }
            guard let table else { throw Failure(.badInput, "\(name): holds no file; expected one.") }
            return table.bytes
        }
    }

    /// The current member's bytes; nil if they are damaged.
    private static func content(of archive: OpaquePointer) -> Data? {
        var content = Data()
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = archive_read_data(archive, &piece, piece.count)
            if count == 0 { return content }
            guard count > 0 else { return nil }
            content.append(contentsOf: piece[..<count])
        }
    }
}
