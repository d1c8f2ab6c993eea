import Basics
import CArchive
import Foundation

/// How a file in memory is packed, told by its first bytes and whatever its name is.
package enum Packing: CaseIterable, Sendable {
    case gzip, bzip2, xz, zstd, zip, sevenZip, rar, tar

    /// nil for bytes that are not packed.
    package init?(_ bytes: Data) {
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
        case .sevenZip: bytes.starts(with: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C])
        case .rar: bytes.starts(with: Array("Rar!".utf8) + [0x1A, 7])
        case .tar: bytes.dropFirst(257).starts(with: Array("ustar".utf8))
        }
    }

    /// libarchive's filter, as it numbers it; nil for what is no stream but an archive of files.
    private var filter: Int32? {
        switch self {
        case .gzip: ARCHIVE_FILTER_GZIP
        case .bzip2: ARCHIVE_FILTER_BZIP2
        case .xz: ARCHIVE_FILTER_XZ
        case .zstd: ARCHIVE_FILTER_ZSTD
        case .zip, .sevenZip, .rar, .tar: nil
        }
    }

    private var formats: [Int32] {
        switch self {
        case .zip: [ARCHIVE_FORMAT_ZIP]
        case .sevenZip: [ARCHIVE_FORMAT_7ZIP]
        case .rar: [ARCHIVE_FORMAT_RAR, ARCHIVE_FORMAT_RAR_V5]
        case .tar: [ARCHIVE_FORMAT_TAR]
        case .gzip, .bzip2, .xz, .zstd: [ARCHIVE_FORMAT_RAW]
        }
    }

    /// Gives each file that is packed in bytes: what is in a stream, as one without a name, or an archive's files in their order.
    ///
    /// What macOS adds for itself is left out.
    ///
    /// - Parameters:
    ///   - name: the packed file's, for messages.
    ///   - limit: the most bytes that all files together may have.
    ///   - body: is given each file's name and a function that unpacks it.
    /// - Throws: ``Failure`` with status `badInput` if the bytes are damaged, encrypted, or more than the limit.
    package func forEachFile(
        in bytes: Data, name: String, limit: Int = InputFile.limit,
        _ body: (_ name: String, _ content: () throws -> Data) throws -> Void
    ) throws {
        try bytes.withUnsafeBytes { packed in
            if self == .gzip {
                return try body("") {
                    do throws(Gzip.Defect) {
                        return try Gzip.unpacked(packed, limit: limit)
                    } catch {
                        switch error {
                        case .damaged: throw Self.damaged(name, "it is damaged or cut off")
                        case .tooLarge: throw InputFile.tooLarge(name, limit)
                        }
                    }
                }
            }
            try forEachFile(in: packed, name: name, limit: limit, body)
        }
    }

    private static func damaged(_ name: String, _ reason: String) -> Failure {
        Failure(.badInput, "\(name): is compressed and cannot be unpacked (\(reason)). Download or pack it again.")
    }

    /// What libarchive unpacks.
    private func forEachFile(
        in packed: UnsafeRawBufferPointer, name: String, limit: Int, _ body: (String, () throws -> Data) throws -> Void
    ) throws {
        guard let archive = archive_read_new() else { throw Failure(.bug, "libarchive gave no reader") }
        defer { archive_read_free(archive) }
        func damaged(_ reason: String? = nil) -> Failure {
            let told = archive_error_string(archive).map { String(cString: $0) }
            return Self.damaged(name, reason ?? told ?? "it ends too early")
        }
        // A filter that libarchive was built without would start a program.
        guard filter.map({ archive_read_support_filter_by_code(archive, $0) }) ?? ARCHIVE_OK == ARCHIVE_OK,
            formats.allSatisfy({ archive_read_support_format_by_code(archive, $0) == ARCHIVE_OK }),
            filter == nil || archive_read_support_format_empty(archive) == ARCHIVE_OK
        else { throw damaged("the libarchive of this system was built without \(self); unpack it first") }
        guard archive_read_open_memory(archive, packed.baseAddress, packed.count) == ARCHIVE_OK else { throw damaged() }
        var left = limit
        func content() throws -> Data {
            var content = Data()
            var piece = [UInt8](repeating: 0, count: 1 << 18)
            while true {
                let count = archive_read_data(archive, &piece, piece.count)
                if count == 0 { return content }
                guard count > 0 else { throw damaged() }
                left -= count
                guard left >= 0 else { throw InputFile.tooLarge(name, limit) }
                content.append(contentsOf: piece[..<count])
            }
        }
        var isEmpty = true
        var entry: OpaquePointer?
        while true {
            let status = archive_read_next_header(archive, &entry)
            if status == ARCHIVE_EOF { break }
            guard status == ARCHIVE_OK, let entry else { throw damaged() }
            // What is too short for the filter's header is passed through as it is.
            guard filter == nil || archive_filter_code(archive, 0) == filter else { throw damaged() }
            isEmpty = false
            if filter != nil {
                try body("", content)
                continue
            }
            let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? ""
            let isFile = archive_entry_filetype(entry) == S_IFREG || archive_entry_filetype(entry) == 0
            if isFile, !member.hasSuffix("/"), !Self.isCompanion(member) { try body(member, content) }
        }
        guard filter != nil else { return }
        // libarchive takes what follows the last stream for padding, also a second stream whose beginning is damaged.
        let rest = packed.dropFirst(Int(archive_filter_bytes(archive, -1)))
        guard rest.allSatisfy({ $0 == 0 }) else { throw damaged("something else follows its end") }
        if isEmpty { try body("") { Data() } }
    }

    /// Whether a member is what macOS adds to files: folders of attributes, and files of them beside their own.
    private static func isCompanion(_ member: String) -> Bool {
        let last = member.split(separator: "/").last ?? ""
        return member.hasPrefix("__MACOSX/") || last.hasPrefix("._") || last == ".DS_Store"
    }
}
