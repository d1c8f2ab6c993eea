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
    /// Whether a reader that takes the directory's counts, offsets and names as they stand would find something else.
    package let isMended: Bool

    /// Reads the directory; nil if there is none, or a member that takes more than deflate to unpack: the archive is then cut
    /// off, of another kind or no archive at all, and libarchive has to say what can be done.
    ///
    /// - Throws: ``Failure``: `badInput` if a member is encrypted, the directory contradicts itself, the file is a volume of a split
    ///   archive or no archive but what came in its place; `inputOutput` if the device cannot be read.
    package init?(of region: FileRegion) throws {
        let start = ArchiveStart(try region.bytes(at: 0, count: ArchiveStart.size))
        if let impostor = start.impostor { throw Failure(.badInput, "\(region.name): \(impostor)") }
        if start.isLaterTarVolume {
            throw Self.isVolume(region.name, remedy: "unpack it: tar -xM -f FIRST -f SECOND ...; and give the folder")
        }
        if start.isOtherKind && ArchiveNames.isVolumeBesideOthers(region.name) {
            throw Self.isVolume(region.name)
        }
        // A zip that lies at the end of such a file is a member of it.
        guard !start.isOtherKind else { return nil }
        let directory: ZipDirectory
        switch try ZipDirectory.read(fileSize: region.size, { try region.bytes(at: $0, count: $1) }) {
        case .success(let found): directory = found
        case .failure(.split):
            throw Self.isVolume(region.name, ofZip: true)
        case .failure where ArchiveNames.isVolume(region.name): throw Self.isVolume(region.name)
        case .failure(.noEndRecord): return nil
        case .failure(let problem):
            throw Failure(
                .badInput,
                "\(region.name): \(Self.description(of: problem)), so that nobody can say what should be in it. Download or copy the archive again."
            )
        }
        if let member = directory.members.first(where: \.isEncrypted) {
            throw Failure(
                .badInput,
                "\(region.name): the member \(member.path) is encrypted. Kaggle's archive has no password; download it again, or decrypt it first."
            )
        }
        guard directory.members.allSatisfy({ $0.method != nil }) else { return nil }
        self.region = region
        members = directory.members
        isMended = directory.isMended
        self.directory = directory.place
    }

    private static func description(of problem: ZipDirectory.Problem) -> String {
        switch problem {
        case .contradiction(let how): "the zip's directory \(how)"
        case .outside(let size, let offset):
            "the zip's directory, \(size) bytes at \(offset), does not lie between the file's start and its end"
        case .badEntry(let place): "the zip's directory has no whole entry at its byte \(place)"
        case .badName(let place): "the zip's directory has a name with a zero in it before its byte \(place)"
        case .noEndRecord, .split: "the zip has no directory"
        }
    }

    /// - Parameters:
    ///   - ofZip: whether the zip itself was written in volumes, whose offsets are those within a volume: what `.z01` says.
    ///   - remedy: nil to join the volumes.
    static func isVolume(_ name: String, ofZip: Bool = false, remedy: String? = nil) -> Failure {
        let isZip = ofZip || name.lowercased().wholeMatch(of: /.*\.z[0-9]{2,}/) != nil
        let joining =
            isZip
            ? "zip -s 0 NAME.zip --out whole.zip, where they lie together"
            : "cat NAME.001 NAME.002 ... > NAME, in their order"
        let what = remedy ?? "join all of them and give the whole: \(joining)"
        return Failure(.badInput, "\(name): is one volume of a split archive, which alone is not complete; \(what).")
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
