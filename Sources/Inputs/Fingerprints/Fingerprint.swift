import Basics
import Foundation

/// Fingerprints of files and folders: the manifest of everything under some paths.
package enum Fingerprint {
    /// Hashes every regular file under `paths`, on the given number of threads.
    ///
    /// A single folder gives paths relative to it, so that its manifest can be checked wherever the folder is; otherwise files are
    /// named by the path that was given, as `sha256sum` does. Links are followed. Left out are the program's own files at the top
    /// of a folder: `manifest.sha256` and names that start with `.repro-`.
    /// - Throws: ``Failure``: `inputMissing` if a path is not there, `inputOutput` if a file cannot be read.
    ///
    /// - Parameter journal: vouches for files that need not be hashed again, and remembers the others.
    package static func manifest(
        of paths: [String], threads: Int, journal: HashJournal? = nil,
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> Manifest {
        var (entries, files) = ([Manifest.Entry](), [(name: String, path: String)]())
        for file in try Self.files(in: paths) {
            if let known = journal?.vouches(for: file.name, at: file.path) {
                entries.append(.init(sha256: known.sha256, path: file.name))
            } else {
                files.append(file)
            }
        }
        let (known, all) = (entries.count, entries.count + files.count)
        // In batches, so that progress can be told and memory does not grow with what is in flight.
        for start in stride(from: 0, to: files.count, by: 512) {
            let batch = Array(files[start..<min(start + 512, files.count)])
            let hashes = concurrentMap(batch.count, threads: threads) { index in
                Result {
                    let before = FileFacts(batch[index].path)
                    return (hash: try Digest.sha256(file: batch[index].path), facts: before)
                }
            }
            var finished: [(name: String, entry: HashJournal.Entry)] = []
            for (file, result) in zip(batch, hashes) {
                let (hash, facts) = try result.get()
                entries.append(.init(sha256: hash, path: file.name))
                guard let facts else { continue }
                finished.append((file.name, .init(sha256: hash, size: facts.size, modified: facts.modified)))
            }
            try journal?.record(finished)
            progress(known + start + batch.count, all)
        }
        return Manifest(entries)
    }

    /// The regular files of a folder at any depth, by their path relative to it, without the program's own.
    ///
    /// - Parameter followsLinks: if not, a link is a file of its own, wherever it leads.
    package static func files(in folder: String, followsLinks: Bool = true) throws -> [(name: String, path: String)] {
        var files: [(name: String, path: String)] = []
        try list(folder, prefix: "", isTop: true, ancestors: [], followsLinks: followsLinks, into: &files)
        return files
    }

    private static func files(in paths: [String]) throws -> [(name: String, path: String)] {
        var files: [(name: String, path: String)] = []
        for path in paths {
            guard let kind = fileKind(path) else {
                throw Failure(.inputMissing, "\(path): no such file or folder. Check the path.")
            }
            guard kind.isFolder else { files.append((path, path)); continue }
            let prefix = paths.count == 1 ? "" : path.hasSuffix("/") ? path : path + "/"
            try list(path, prefix: prefix, isTop: true, ancestors: [], followsLinks: true, into: &files)
        }
        return files
    }

    private struct FileKind {
        var isFolder: Bool
        var identity: [UInt64]
    }

    /// What a path leads to; nil if nowhere.
    private static func fileKind(_ path: String, followsLinks: Bool = true) -> FileKind? {
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        return FileKind(
            isFolder: status.st_mode & S_IFMT == S_IFDIR, identity: [UInt64(status.st_dev), UInt64(status.st_ino)])
    }

    private static func list(
        _ folder: String, prefix: String, isTop: Bool, ancestors: [[UInt64]], followsLinks: Bool,
        into files: inout [(name: String, path: String)]
    ) throws {
        // A link to a folder above would never end.
        guard let kind = fileKind(folder), !ancestors.contains(kind.identity) else { return }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw Failure(.inputOutput, "\(folder): cannot be listed: \(error.localizedDescription)")
        }
        for name in names.sorted() {
            if isTop && (name == Manifest.fileName || name.hasPrefix(".repro-")) { continue }
            let path = folder + "/" + name
            guard let found = fileKind(path, followsLinks: followsLinks) else { continue }
            if found.isFolder {
                try list(
                    path, prefix: prefix + name + "/", isTop: false, ancestors: ancestors + [kind.identity],
                    followsLinks: followsLinks, into: &files)
            } else {
                files.append((prefix + name, path))
            }
        }
    }
}
