import Basics
import CArchive
import Foundation

/// Streams the members of an archive through libarchive: zip and zip64, tar (plain, gzip, bzip2, xz, zstd), 7-zip.
///
/// Nothing is held but one member's header; ``nextMember()`` skips what was not read of the member before.
package final class ArchiveReader {
    package struct Member: Sendable {
        package enum Kind: Sendable { case file, folder, link, other }
        package var path: String
        package var kind: Kind
        /// Unpacked size in bytes, if the archive tells it beforehand.
        package var size: Int64?
        /// Where its bytes lie in the archive's file, if they lie there as they are: those of a plain tar's members.
        package var offset: Int?
    }

    package let path: String
    private let archive: OpaquePointer
    /// What unpacks the file, if it is a gzip.
    private let gzip: GzipStream?
    private var current: Member?
    package private(set) var membersSeen = 0
    /// The members' names so far, in whatever order.
    private var namesSeen = 0
    /// Where the current member of a tar ends with its last block, in what the tar unpacks to; 0 where that cannot be told.
    private var tarMemberEnd = 0
    /// Bytes of the archive's file.
    package let size: Int
    /// How many of these the reader has come to; it may jump to and fro.
    package var position: Int { gzip?.position ?? Int(archive_filter_bytes(archive, -1)) }

    /// Whether what comes out may be more than what the file has.
    package var isCompressed: Bool {
        isWholeStream || archive_format(archive) & Self.formatMask != Self.tarFormat
    }

    /// - Throws: ``Failure``: `inputMissing` if there is no such file, `badInput` if it is no archive.
    package init(path: String) throws {
        self.path = path
        guard access(path, R_OK) == 0 else {
            throw Failure(.inputMissing, "\(path): \(String(cString: strerror(errno))). Check the path of the archive.")
        }
        gzip = try GzipStream(FileRegion(path: path))
        guard let archive = archive_read_new() else { throw Failure(.bug, "libarchive gave no reader") }
        self.archive = archive
        var status = stat()
        size = stat(path, &status) == 0 ? Int(status.st_size) : 0
        // Only these: libarchive would take a text file for an mtree archive, and run programs for rare compressions.
        for support in [
            archive_read_support_format_zip, archive_read_support_format_tar, archive_read_support_format_7zip,
        ] {
            _ = support(archive)
        }
        for support in [
            archive_read_support_filter_bzip2, archive_read_support_filter_xz, archive_read_support_filter_zstd,
        ] {
            _ = support(archive)
        }
        // Tars that were joined end to end: without it all but the first one would be left out without a word.
        _ = archive_read_set_option(archive, "tar", "read_concatenated_archives", "1")
        let opened = gzip?.open(for: archive) ?? archive_read_open_filename(archive, path, Self.blockSize)
        guard opened == ARCHIVE_OK else {
            // The reader is whole by now, so that deinit frees the archive.
            throw unreadable()
        }
    }

    deinit { archive_read_free(archive) }

    /// Bytes that are read at once: little more than what is needed of a tar whose members are read elsewhere.
    private static let blockSize = 1 << 16

    private static let expectation = "Expected the competition's zip (or a tar or 7-zip of it, or the unpacked folder)."

    /// The next member, or nil after the last one.
    ///
    /// - Throws: ``Failure`` with status `badInput` if the archive is no archive, damaged, truncated or encrypted.
    package func nextMember() throws -> Member? {
        var entry: OpaquePointer?
        // A name that libarchive cannot convert is out of memory to it where an earlier call on the thread was.
        errno = 0
        let status = archive_read_next_header(archive, &entry)
        if status == ARCHIVE_EOF {
            try checkEnd()
            return nil
        }
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let entry else {
            if isAfterEndOfTar {
                try checkEndOfGzip()
                return nil
            }
            if membersSeen == 0 {
                throw unreadable()
            }
            throw damaged("after \(current?.path ?? "its start")")
        }
        let name = archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry)
        let member = Member(
            path: name.map { String(path: UnsafeRawBufferPointer(start: $0, count: strlen($0))) } ?? "",
            kind: Self.kind(of: entry),
            size: archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : nil, offset: offset(of: entry))
        guard archive_entry_is_encrypted(entry) == 0 else {
            throw Failure(
                .badInput,
                "\(path): the member \(member.path) is encrypted. Kaggle's archive has no password; download it again, or decrypt it first."
            )
        }
        tarMemberEnd = tarEnd(of: entry)
        current = member
        membersSeen += 1
        namesSeen &+= Self.hash(ofName: member.path)
        return member
    }

    /// Whether the reader has come to the zeros that end a tar, after which there is less than another header.
    private var isAfterEndOfTar: Bool {
        tarMemberEnd > 0 && hasReadEndOfTar && reason == "Truncated tar archive"
    }

    /// Whether at least a block has been read after the last member's.
    private var hasReadEndOfTar: Bool { Int(archive_filter_bytes(archive, 0)) - 512 >= tarMemberEnd }

    /// What has been consumed so far ends where the member's bytes begin, which go on to the end of a block.
    private func tarEnd(of entry: OpaquePointer) -> Int {
        guard archive_format(archive) & Self.formatMask == Self.tarFormat, archive_entry_sparse_count(entry) == 0
        else { return 0 }
        let (start, size) = (Int(archive_filter_bytes(archive, 0)), Int(max(0, archive_entry_size(entry))))
        // A tar's sizes may be anything.
        return size < Int.max / 2 ? start + (size + 511) / 512 * 512 : 0
    }

    /// What has been consumed so far ends where the member's bytes begin. Of a sparse file only some bytes are there.
    private func offset(of entry: OpaquePointer) -> Int? {
        guard !isCompressed, archive_entry_sparse_count(entry) == 0 else { return nil }
        return Int(archive_filter_bytes(archive, 0))
    }

    /// Passes the current member's bytes on, piece by piece.
    package func readMember(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = archive_read_data(archive, buffer.baseAddress, buffer.count)
            if count == 0 { return }
            // A warning here is a failed checksum: the bytes are not what was packed.
            guard count > 0 else { throw damaged("in \(current?.path ?? "a member")") }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Fills the buffer with the current member's bytes, which must be as many.
    package func readMember(into buffer: UnsafeMutableRawBufferPointer) throws {
        var filled = 0
        while filled < buffer.count {
            let count = archive_read_data(archive, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
            guard count > 0 else { throw damaged("in \(current?.path ?? "a member")") }
            filled += count
        }
        var more: UInt8 = 0
        guard archive_read_data(archive, &more, 1) == 0 else { throw damaged("in \(current?.path ?? "a member")") }
    }

    /// An archive cut off between two members reads as a shorter one; what comes last is then missing: a zip's directory, or the block
    /// of zeros that ends a tar.
    private func checkEnd() throws {
        try checkEndOfGzip()
        if let current, tarMemberEnd > 0, !hasReadEndOfTar { throw damaged("after \(current.path)") }
        guard archive_format(archive) & Self.formatMask == Self.zipFormat else { return }
        let file = try FileRegion(path: path)
        let directory = try ZipDirectory.read(fileSize: file.size) { try file.bytes(at: $0, count: $1) }
        // libarchive goes by the members' own headers.
        guard case .success(let found) = directory,
            found.members.reduce(0, { $0 &+ Self.hash(ofName: $1.path) }) == namesSeen
        else {
            throw damaged("after \(current?.path ?? "its start")")
        }
    }

    /// A tar ends before the gzip around it does, whose checksum comes last.
    private func checkEndOfGzip() throws {
        guard let gzip else { return }
        while !gzip.next().isEmpty {}
        if gzip.defect != nil { throw damaged("after \(current?.path ?? "its start")") }
    }

    /// The same whichever way folders are separated, for libarchive has a rule of its own.
    private static func hash(ofName path: String) -> Int {
        path.split(whereSeparator: { $0 == "/" || $0 == "\\" }).joined(separator: "/").hashValue
    }

    // libarchive writes these as macros that Swift does not see: ARCHIVE_FORMAT_BASE_MASK, ARCHIVE_FORMAT_ZIP, ARCHIVE_FORMAT_TAR.
    private static let formatMask: Int32 = 0xFF_0000
    private static let zipFormat: Int32 = 0x05_0000
    private static let tarFormat: Int32 = 0x03_0000

    /// The error for a member that is larger than what is left of the file.
    package func endsInside() -> Failure { damaged("in \(current?.path ?? "a member")") }

    /// Whether members were compressed together, so that damage shows late.
    package var isWholeStream: Bool { gzip != nil || archive_filter_code(archive, 0) != 0 }

    /// The error for a file whose first member cannot be read: cut off before there is enough to unpack, or no archive at all.
    private func unreadable() -> Failure {
        // What libarchive says of a whole stream with something else in it.
        guard reason != "Unrecognized archive format",
            let start = try? FileRegion(path: path).bytes(at: 0, count: ArchiveStart.size),
            ArchiveStart(start).isOtherKind
        else {
            return Failure(.badInput, "\(path): not an archive that can be read (\(reason)). \(Self.expectation)")
        }
        return Failure(
            .badInput,
            "\(path): the archive is damaged or truncated near its start, so that no member can be read (\(reason)). Compare its size with the one that Kaggle names and download it again."
        )
    }

    private func damaged(_ place: String) -> Failure {
        Failure(
            .badInput,
            "\(path): the archive is damaged or truncated \(place) (\(reason)). "
                + (isWholeStream
                    ? "A compressed archive has no checksum of its members: what was unpacked before that may be wrong too. "
                    : "Members before that are whole. ")
                + "Compare its size with the one that Kaggle names and download it again.")
    }

    private var reason: String {
        gzip?.defect ?? archive_error_string(archive).map { String(cString: $0) } ?? "unexpected end"
    }

    private static func kind(of entry: OpaquePointer) -> Member.Kind {
        if archive_entry_hardlink(entry) != nil || archive_entry_symlink(entry) != nil { return .link }
        switch archive_entry_filetype(entry) {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        case S_IFLNK: return .link
        default: return .other
        }
    }
}
