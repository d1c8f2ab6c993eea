import Basics
import Foundation

/// A zip archive whose members ``ZipExtractor`` can unpack one by one.
///
/// libarchive reads archives from the front, one member after the other, and gives up at the first damage. With the directory
/// every member can be read by itself: several at once, the good ones beside a damaged one, and none that is not wanted.
package struct ZipArchive: Sendable {
    package let region: FileRegion
    package let members: [ZipMember]
    private let directory: Range<Int>

    /// Reads the directory; nil if there is none that makes sense, or a member that takes more than deflate to unpack: the
    /// archive is then cut off, damaged or no zip at all, and libarchive has to say what can be done.
    ///
    /// - Throws: ``Failure``: `badInput` if a member is encrypted, `inputOutput` if the device cannot be read.
    package init?(of region: FileRegion) throws {
        let result = try ZipDirectory.read(fileSize: region.size) { try region.bytes(at: $0, count: $1) }
        guard case .success(let directory) = result else { return nil }
        if let member = directory.members.first(where: \.isEncrypted) {
            throw Failure(
                .badInput,
                "\(region.name): the member \(member.path) is encrypted. Kaggle's archive has no password; download it again, or decrypt it first."
            )
        }
        guard directory.members.allSatisfy({ $0.method != nil }) else { return nil }
        self.region = region
        members = directory.members
        self.directory = directory.place
    }

    /// SHA-256 of the directory's bytes: equal for archives with the same names, sizes and checksums in the same places.
    package func hash() throws -> String {
        Digest.sha256(try region.bytes(at: directory.lowerBound, count: directory.count))
    }
}

extension ZipMember {
    package var kind: ArchiveReader.Member.Kind {
        switch UInt32(unixMode) & S_IFMT {
        case S_IFLNK: .link
        case S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK: .other
        default: path.utf8.last == UInt8(ascii: "/") ? .folder : .file
        }
    }
}
