import Basics
import CArchive
import Foundation

/// What is inside a compressed file or an archive of one file, told by its first bytes and whatever its name is.
package enum CompressedInput {
    /// How a file is packed.
    private enum Packing: CaseIterable {
        case gzip, bzip2, xz, zstd, zip, tar

        init?(_ bytes: Data) {
            guard let packing = Packing.allCases.first(where: { $0.begins(bytes) }) else { return nil }
            self = packing
        }

        private func begins(_ bytes: Data) -> Bool {
            switch self {
            case .gzip: bytes.starts(with: Gzip.magic)
            case .bzip2: bytes.starts(with: Array("BZh".utf8))
            case .xz: bytes.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0])
            case .zstd: bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD])
            // The first member, or the end of a directory without members.
            case .zip: bytes.starts(with: [0x50, 0x4B, 3, 4]) || bytes.starts(with: [0x50, 0x4B, 5, 6])
            case .tar: bytes.dropFirst(257).starts(with: Array("ustar".utf8))
            }
        }

        /// libarchive's filter, as it numbers it; nil for what is no stream but an archive of files.
        var filter: Int32? {
            switch self {
            case .gzip: ARCHIVE_FILTER_GZIP
            case .bzip2: ARCHIVE_FILTER_BZIP2
            case .xz: ARCHIVE_FILTER_XZ
            case .zstd: ARCHIVE_FILTER_ZSTD
            case .zip, .tar: nil
            }
        }

        var format: Int32 {
            switch self {
            case .zip: ARCHIVE_FORMAT_ZIP
            case .tar: ARCHIVE_FORMAT_TAR
            case .gzip, .bzip2, .xz, .zstd: ARCHIVE_FORMAT_RAW
            }
        }
    }

    /// The bytes themselves, or what is packed in them, once.
    ///
    /// - Throws: ``Failure`` with status `badInput` if the file is damaged, encrypted, or an archive of anything but one file.
    package static func unpacked(_ bytes: Data, name: String) throws -> Data {
        guard let packing = Packing(bytes) else { return bytes }
        return try bytes.withUnsafeBytes { packed in
            if packing != .gzip { return try unpacked(packed, packing, name: name) }
            do throws(Gzip.Defect) {
                return try Gzip.unpacked(packed)
            } catch {
                throw damaged(name, error.rawValue)
            }
        }
    }

    /// The same for tables, which may be packed more than once, as a `.csv.gz` in a `.zip` is.
    ///
    /// - Throws: ``Failure`` as without layers.
    package static func whollyUnpacked(_ bytes: Data, name: String) throws -> Data {
        var content = bytes
        // Who packs more than three times makes bombs.
        for _ in 0..<3 where Packing(content) != nil { content = try unpacked(content, name: name) }
        return content
    }

    private static func damaged(_ name: String, _ reason: String) -> Failure {
        Failure(.badInput, "\(name): is compressed and cannot be unpacked (\(reason)). Download or pack it again.")
    }

    /// What libarchive unpacks.
    private static func unpacked(_ packed: UnsafeRawBufferPointer, _ packing: Packing, name: String) throws -> Data {
        guard let archive = archive_read_new() else { throw Failure(.bug, "libarchive gave no reader") }
        defer { archive_read_free(archive) }
        func damaged(_ reason: String? = nil) -> Failure {
            let told = archive_error_string(archive).map { String(cString: $0) }
            return Self.damaged(name, reason ?? told ?? "it ends too early")
        }
        // A filter that libarchive was built without would start a program.
        guard packing.filter.map({ archive_read_support_filter_by_code(archive, $0) }) ?? ARCHIVE_OK == ARCHIVE_OK,
            archive_read_support_format_by_code(archive, packing.format) == ARCHIVE_OK,
            packing.filter == nil || archive_read_support_format_empty(archive) == ARCHIVE_OK
        else { throw damaged("the libarchive of this system was built without \(packing); unpack it first") }
        guard archive_read_open_memory(archive, packed.baseAddress, packed.count) == ARCHIVE_OK else { throw damaged() }
        var table: (name: String, bytes: Data)?
        var entry: OpaquePointer?
        while true {
            let status = archive_read_next_header(archive, &entry)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK, let entry else { throw damaged() }
            // What is too short for the filter's header is passed through as it is.
            guard packing.filter == nil || archive_filter_code(archive, 0) == packing.filter else { throw damaged() }
            let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
            if let document = document(holding: member) { throw Failure(.badInput, "\(name): \(document)") }
            if member.hasSuffix("/") || isCompanion(member) { continue }
            if let table {
                throw Failure(
                    .badInput,
                    "\(name): holds several files (\(table.name), \(member), ...); expected a single one. Unpack it and name the one."
                )
            }
            switch content(of: archive) {
            case .success(let content): table = (member, content)
            case .failure(let defect): throw damaged(defect == .memory ? defect.rawValue : nil)
            }
        }
        // libarchive takes what follows the last stream for padding, also a second stream whose beginning is damaged.
        if packing.filter != nil {
            let rest = packed.dropFirst(Int(archive_filter_bytes(archive, -1)))
            guard rest.allSatisfy({ $0 == 0 }) else { throw damaged("something else follows its end") }
        }
        if packing.filter != nil && table == nil { return Data() }
        guard let table else { throw Failure(.badInput, "\(name): holds no file; expected one.") }
        return table.bytes
    }

    /// Whether a member is what macOS adds to files: folders of attributes, and files of them beside their own.
    private static func isCompanion(_ member: String) -> Bool {
        member.hasPrefix("__MACOSX/") || member.split(separator: "/").last?.hasPrefix("._") == true
            || member.split(separator: "/").last == ".DS_Store"
    }

    /// What an archive is that has this member, if it is a document in a zip's clothes.
    private static func document(holding member: String) -> String? {
        if member == "[Content_Types].xml" || member.hasPrefix("xl/") || member == "mimetype" {
            return "is a workbook or another office document (such as .xlsx). Save its sheet as CSV."
        }
        if member.hasSuffix(".npy") {
            return "holds NumPy arrays (.npz). Write what they hold as a table of CSV, or as a file of torch.save."
        }
        if member.hasSuffix("/data.pkl") || member == "data.pkl" {
            return "is a file of torch.save, or was one. Where a table is wanted, write what it holds as CSV."
        }
        return nil
    }

    /// The current member's bytes.
    private static func content(of archive: OpaquePointer) -> Result<Data, Gzip.Defect> {
        var content = Data()
        let most = Machine.availableMemoryBytes / 2
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = archive_read_data(archive, &piece, piece.count)
            if count == 0 { return .success(content) }
            guard count > 0 else { return .failure(.damaged) }
            guard content.count + count <= most else { return .failure(.memory) }
            content.append(contentsOf: piece[..<count])
        }
    }
}
