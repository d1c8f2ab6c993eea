import Basics
import Foundation

/// The folder that an archive is unpacked into: decides where a member may go, and makes the folders on the way.
package final class UnpackDestination {
    package let root: String
    /// Folders below the destination that are there and are no links.
    private var safeFolders: Set<String> = []

    package init(root: String) throws {
        self.root = root
        try Basics.makeFolder(root)
    }

    package func path(_ name: String) -> String { root + "/" + name }

    /// A member's path without `.` and doubled slashes.
    package static func normalized(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    /// Why a member must not be written, by its path and kind alone; nil if it may be.
    package static func refusal(of path: String, kind: ArchiveReader.Member.Kind) -> String? {
        switch kind {
        case .link: return "a link; the competition's archive has none, and a link can lead out of the destination"
        case .other: return "neither a file nor a folder"
        case .file, .folder: break
        }
        let parts = path.split(separator: "/").filter { $0 != "." }
        if path.hasPrefix("/") { return "an absolute path; only paths below the destination are written" }
        if parts.contains("..") {
            return "a path that climbs out with '..'; only paths below the destination are written"
        }
        if parts.isEmpty { return kind == .folder && !path.isEmpty ? nil : "an empty path" }
        if parts.count == 1, parts[0] == Manifest.fileName || parts[0].hasPrefix(".repro-") {
            return "a name that the program uses for its own files"
        }
        if parts.contains(where: { String($0).pathBytes.count > 255 }) { return "a name of more than 255 bytes" }
        return nil
    }

    /// Makes the folder that a file goes into.
    package func prepareFolder(of name: String) throws {
        guard let end = name.lastIndex(of: "/") else { return }
        try makeFolder(String(name[..<end]))
    }

    /// Makes a folder below the destination, and those that it lies in.
    ///
    /// - Throws: ``MemberProblem/refused(_:)`` if a link or a file is in the way; ``Failure`` if it cannot be made.
    package func makeFolder(_ name: String) throws {
        guard !name.isEmpty, !safeFolders.contains(name) else { return }
        try prepareFolder(of: name)
        let path = path(name)
        var status = stat()
        if path.withPath({ lstat($0, &status) }) != 0 {
            guard path.withPath({ mkdir($0, 0o755) }) == 0 || errno == EEXIST else {
                throw systemFailure("make this folder", path)
            }
        } else if status.st_mode & S_IFMT == S_IFLNK {
            throw MemberProblem.refused("the destination has a link at \(path), which may lead elsewhere")
        } else if status.st_mode & S_IFMT != S_IFDIR {
            throw MemberProblem.refused("it needs a folder where \(path) is a file")
        }
        safeFolders.insert(name)
    }

    /// Writes a file: under a temporary name first, so that it is whole or absent.
    ///
    /// - Parameters:
    ///   - worker: a number that no other call at the same time has.
    ///   - produce: passes on the bytes; if it throws, nothing is left.
    /// - Throws: ``MemberProblem/refused(_:)`` if a folder has the name, ``Failure`` with status `inputOutput`.
    package static func write(
        _ name: String, in root: String, worker: Int,
        _ produce: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> HashJournal.Entry {
        var hash = Digest.Stream()
        let facts = try writeFile(name, in: root, worker: worker) { file in
            try produce { piece in
                hash.update(piece)
                try file.append(piece)
            }
        }
        return HashJournal.Entry(sha256: hash.finish(), size: facts.size, modified: facts.modified)
    }

    /// The same for bytes whose hash is known.
    package static func write(
        _ name: String, in root: String, worker: Int, bytes: UnsafeRawBufferPointer, sha256: String
    ) throws -> HashJournal.Entry {
        let facts = try writeFile(name, in: root, worker: worker) { file in try file.append(bytes) }
        return HashJournal.Entry(sha256: sha256, size: facts.size, modified: facts.modified)
    }

    private static func writeFile(
        _ name: String, in root: String, worker: Int, _ fill: (borrowing OutputFile) throws -> Void
    ) throws -> FileFacts {
        let path = root + "/" + name
        let temporary = root + "/" + temporaryPrefix + "\(worker)"
        let facts: FileFacts
        do {
            let file = try OutputFile(at: temporary, naming: path)
            defer { file.close() }
            try fill(file)
            facts = try file.facts()
        } catch {
            unlink(temporary)
            throw error
        }
        guard path.withPath({ rename(temporary, $0) }) == 0 else {
            let isFolder = errno == EISDIR
            let failure = systemFailure("write", path)
            unlink(temporary)
            throw isFolder ? MemberProblem.refused("it needs a file where \(path) is a folder") : failure
        }
        return facts
    }

    private static let temporaryPrefix = ".repro-member-"
    package static let temporaryManifest = ".repro-manifest"

    /// Removes what a run that was killed was writing.
    package func removeTemporaryFiles() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for name in names where name.hasPrefix(Self.temporaryPrefix) || name == Self.temporaryManifest {
            unlink(path(name))
        }
    }
}
