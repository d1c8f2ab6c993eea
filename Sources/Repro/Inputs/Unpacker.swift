import Crypto
import Foundation

/// Unpacks an archive into a folder and fingerprints every member in the same pass; a folder is fingerprinted where it is.
///
/// Each member is written under a temporary name and renamed when it is whole; the manifest is written last, so a folder with a
/// `manifest.sha256` is complete. Run again after an interruption, it keeps the members that its journal vouches for.
struct Unpacker {
    /// An archive, or a folder that is already unpacked.
    let archive: String
    let destination: String

    /// What was done, for people and for `--json`.
    struct Report: Sendable, Codable {
        struct Refusal: Sendable, Codable, Equatable {
            var member: String
            var reason: String
        }
        /// Where the files are: the destination, or the folder that was given instead of an archive.
        var folder = ""
        var rootHash = ""
        var files = 0
        var bytes: Int64 = 0
        /// Files that an earlier, interrupted run had already unpacked.
        var alreadyThere = 0
        /// Members that were not unpacked because their path or kind is unsafe.
        var refused: [Refusal] = []
    }

    /// - Parameter progress: called after each member with the MiB of the archive that are done and those of all.
    /// - Throws: ``Failure``: `inputMissing` without an archive, `badInput` if it is damaged, truncated, encrypted, empty or none,
    ///   `inputOutput` if a file cannot be written. Whole members stay; no manifest is written.
    func run(progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }) throws -> (
        report: Report, manifest: Manifest
    ) {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: archive, isDirectory: &isFolder), isFolder.boolValue {
            return try fingerprintFolder(progress: progress)
        }
        let reader = try ArchiveReader(path: archive)
        try makeFolder(destination)
        let manifestPath = destination + "/" + Manifest.fileName
        let journal = try UnpackJournal(archive: archive, destination: destination)
        if unlink(manifestPath) != 0 && errno != ENOENT { throw systemFailure("replace", manifestPath) }
        var report = Report(folder: destination)
        var entries: [String: String] = [:]
        while let member = try reader.nextMember() {
            if let reason = refusal(of: member) {
                report.refused.append(.init(member: member.path, reason: reason))
                continue
            }
            let name = Self.normalized(member.path)
            if member.kind == .folder {
                try makeFolder(destination + "/" + name)
                continue
            }
            guard entries[name] == nil else {
                report.refused.append(
                    .init(member: member.path, reason: "the archive has this path twice; the first is kept"))
                continue
            }
            if let known = journal.vouches(for: name, size: member.size) {
                entries[name] = known.sha256
                report.bytes += known.size
                report.alreadyThere += 1
            } else {
                let written = try write(name, from: reader)
                try journal.record(name, sha256: written.sha256)
                entries[name] = written.sha256
                report.bytes += written.size
            }
            report.files += 1
            progress(reader.position >> 20, reader.size >> 20)
        }
        guard report.files > 0 || !report.refused.isEmpty else {
            throw Failure(.badInput, "\(archive): an archive without any file. Give the competition's archive.")
        }
        let manifest = Manifest(entries.map { .init(sha256: $0.value, path: $0.key) })
        report.rootHash = manifest.rootHash
        // The members reach the disk before the manifest that vouches for them; one by one would take hours for the real archive.
        sync()
        try AtomicFile.write(manifest.text, to: manifestPath)
        return (report, manifest)
    }

    private func fingerprintFolder(progress: (Int, Int) -> Void) throws -> (report: Report, manifest: Manifest) {
        let manifest = try Fingerprint.manifest(of: [archive], threads: 1, progress: progress)
        let report = Report(
            folder: archive, rootHash: manifest.rootHash, files: manifest.entries.count,
            alreadyThere: manifest.entries.count)
        return (report, manifest)
    }

    /// Writes the current member, whole or not at all.
    private func write(_ name: String, from reader: ArchiveReader) throws -> (sha256: String, size: Int64) {
        let path = destination + "/" + name
        try makeFolder((path as NSString).deletingLastPathComponent)
        let temporary = destination + "/.repro-member"
        var hash = SHA256()
        var size: Int64 = 0
        do {
            let file = try OutputFile(at: temporary, naming: path)
            defer { file.close() }
            try reader.readMember { piece in
                hash.update(bufferPointer: piece)
                size += Int64(piece.count)
                try file.append(piece)
            }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let failure = systemFailure("write", path)
            unlink(temporary)
            throw failure
        }
        return (Digest.hexadecimal(hash.finalize()), size)
    }

    /// Why a member must not be written, or nil.
    private func refusal(of member: ArchiveReader.Member) -> String? {
        switch member.kind {
        case .link: return "a link; the competition's archive has none, and a link can lead out of the destination"
        case .other: return "neither a file nor a folder"
        case .file, .folder: break
        }
        let parts = member.path.split(separator: "/").filter { $0 != "." }
        if member.path.hasPrefix("/") { return "an absolute path; only paths below the destination are written" }
        if parts.contains("..") {
            return "a path that climbs out with '..'; only paths below the destination are written"
        }
        if parts.isEmpty { return member.kind == .folder && !member.path.isEmpty ? nil : "an empty path" }
        if parts.count == 1, parts[0] == Manifest.fileName || parts[0].hasPrefix(".repro-") {
            return "a name that the program uses for its own files"
        }
        return linkOnTheWay(parts.map(String.init)).map {
            "the destination has a link at \($0), which may lead elsewhere"
        }
    }

    /// The first part of a path below the destination that is a symbolic link.
    private func linkOnTheWay(_ parts: [String]) -> String? {
        var path = destination
        for part in parts {
            path += "/" + part
            var status = stat()
            if lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK { return path }
        }
        return nil
    }

    private static func normalized(_ path: String) -> String {
        path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    private func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(.inputOutput, "\(path): cannot make this folder: \(error.localizedDescription)")
        }
    }
}
