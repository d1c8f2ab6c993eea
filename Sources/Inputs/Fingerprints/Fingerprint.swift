import Basics
import Foundation

/// Fingerprints of files and folders: the manifest of everything under some paths.
package enum Fingerprint {
    /// What was found in a folder and has no fingerprint, and why.
    package struct PassedOver: Sendable, Codable, Equatable {
        package var path: String
        package var reason: String

        /// Up to 20 of some, a line each.
        package static func lines(_ some: [PassedOver]) -> [String] {
            some.prefix(20).map { "passed over \($0.path): \($0.reason)" }
                + (some.count > 20 ? ["passed over \(some.count - 20) more"] : [])
        }
    }

    private struct File {
        var name: String
        var path: String
        /// Whether it was named itself, and not found in a folder.
        var isNamed = false
    }

    /// Hashes every regular file under `paths`, on the given number of threads.
    ///
    /// A single folder gives paths relative to it, so that its manifest can be checked wherever the folder is; otherwise files are
    /// named by the path that was given, as `sha256sum` does. Links are followed. Left out are the program's own files at the top
    /// of a folder: `manifest.sha256` and names that start with `.repro-`.
    /// - Throws: ``Failure``: `inputMissing` if a path is not there, `badInput` if one that was named cannot be read,
    ///   `inputOutput` if a device fails.
    ///
    /// - Parameters:
    ///   - journal: vouches for files that need not be hashed again, and remembers the others.
    ///   - passOver: told of what in a folder is no file or cannot be read.
    package static func manifest(
        of paths: [String], threads: Int, journal: HashJournal? = nil, passOver: (PassedOver) -> Void = { _ in },
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> Manifest {
        var (entries, files) = ([Manifest.Entry](), [File]())
        for file in try Self.files(in: paths, passOver: passOver) {
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
                do {
                    let (hash, facts) = try result.get()
                    entries.append(.init(sha256: hash, path: file.name))
                    guard let facts else { continue }
                    finished.append((file.name, .init(sha256: hash, size: facts.size, modified: facts.modified)))
                } catch let failure as Failure where failure.status == .inputMissing {
                    guard !file.isNamed else { throw Failure(.badInput, failure.message) }
                    passOver(.init(path: file.path, reason: "cannot be opened for reading"))
                }
            }
            try journal?.record(finished)
            progress(known + start + batch.count, all)
        }
        return Manifest(entries)
    }

    /// The files of a folder at any depth, by their path relative to it, without the program's own; a link, a pipe or a device is one too.
    package static func everything(in folder: String) throws -> [(name: String, path: String)] {
        var files: [File] = []
        try list(folder, prefix: "", isTop: true, ancestors: [], followsLinks: false, into: &files) {
            throw Failure(.inputOutput, "\($0.path): \($0.reason)")
        }
        return files.map { ($0.name, $0.path) }
    }

    private static func files(in paths: [String], passOver: (PassedOver) -> Void) throws -> [File] {
        var files: [File] = []
        for path in paths {
            guard let kind = FileKind(path) else { throw InputFile.missing(path) }
            guard kind.isFolder else {
                // A shell's <(...) has a writer; a pipe with a name may wait for one for ever, and a device has no end.
                guard kind.isFile || (kind.isPipe && path.hasPrefix("/dev/")) else {
                    throw Failure(.badInput, "\(path): is \(kind.description). Give files and folders.")
                }
                files.append(File(name: path, path: path, isNamed: true))
                continue
            }
            let prefix = paths.count == 1 ? "" : path.hasSuffix("/") ? path : path + "/"
            // Named itself, it must be one that can be listed.
            _ = try namesInFolder(path)
            try list(
                path, prefix: prefix, isTop: true, ancestors: [], followsLinks: true, into: &files, passOver: passOver)
        }
        return files
    }

    /// What a path leads to.
    private struct FileKind {
        let identity: [UInt64]
        private let type: mode_t

        var isFolder: Bool { type == S_IFDIR }
        var isFile: Bool { type == S_IFREG }
        var isPipe: Bool { type == S_IFIFO }

        /// Nil if it leads nowhere; `errno` says why.
        init?(_ path: String, followsLinks: Bool = true) {
            var status = stat()
            guard path.withPath({ followsLinks ? stat($0, &status) : lstat($0, &status) }) == 0 else { return nil }
            type = status.st_mode & S_IFMT
            identity = [UInt64(status.st_dev), UInt64(status.st_ino)]
        }

        var description: String {
            switch type {
            case S_IFIFO: "a pipe, and no file"
            case S_IFSOCK: "a socket, and no file"
            default: "a device, and no file"
            }
        }
    }

    private static func list(
        _ folder: String, prefix: String, isTop: Bool, ancestors: [[UInt64]], followsLinks: Bool,
        into files: inout [File], passOver: (PassedOver) throws -> Void
    ) throws {
        guard let kind = FileKind(folder) else { return }
        // A link to a folder above would never end.
        guard !ancestors.contains(kind.identity) else {
            return try passOver(.init(path: folder, reason: "a link to a folder that it lies in"))
        }
        let names: [String]
        do {
            names = try namesInFolder(folder)
        } catch {
            return try passOver(.init(path: folder, reason: "a folder that cannot be listed"))
        }
        for name in names {
            if isTop && Manifest.isOwn(name) { continue }
            let path = folder + "/" + name
            guard let found = FileKind(path, followsLinks: followsLinks) else {
                let reason = errno == ENOENT ? "a link that leads nowhere" : String(cString: strerror(errno))
                try passOver(.init(path: path, reason: reason))
                continue
            }
            if found.isFolder {
                try list(
                    path, prefix: prefix + name + "/", isTop: false, ancestors: ancestors + [kind.identity],
                    followsLinks: followsLinks, into: &files, passOver: passOver)
            } else if found.isFile || !followsLinks {
                files.append(File(name: prefix + name, path: path))
            } else {
                try passOver(.init(path: path, reason: found.description))
            }
        }
    }
}
