import Foundation

/// Fingerprints of files and folders: the manifest of everything under some paths.
enum Fingerprint {
    /// Hashes every regular file under `paths`, on the given number of threads.
    ///
    /// A single folder gives paths relative to it, so that its manifest can be checked wherever the folder is; otherwise files are
    /// named by the path that was given, as `sha256sum` does. Links are followed. Left out are the program's own files at the top
    /// of a folder: `manifest.sha256` and names that start with `.repro-`.
    /// - Throws: ``Failure``: `inputMissing` if a path is not there, `inputOutput` if a file cannot be read.
    static func manifest(of paths: [String], threads: Int, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in })
        throws -> Manifest
    {
        var files: [(name: String, path: String)] = []
        for path in paths {
            guard let kind = fileKind(path) else {
                throw Failure(.inputMissing, "\(path): no such file or folder. Check the path.")
            }
            guard kind.isFolder else { files.append((path, path)); continue }
            let prefix = paths.count == 1 ? "" : path.hasSuffix("/") ? path : path + "/"
            try list(path, prefix: prefix, isTop: true, ancestors: [], into: &files)
        }
        var entries: [Manifest.Entry] = []
        entries.reserveCapacity(files.count)
        // In batches, so that progress can be told and memory does not grow with what is in flight.
        for start in stride(from: 0, to: files.count, by: 512) {
            let batch = Array(files[start..<min(start + 512, files.count)])
            let hashes = mapInParallel(count: batch.count, threads: threads) { index in
                Result { try Digest.sha256(file: batch[index].path) }
            }
            for (file, hash) in zip(batch, hashes) {
                do {
                    entries.append(.init(sha256: try hash.get(), path: file.name))
                } catch let failure as Failure {
                    throw failure
                } catch {
                    throw Failure(.inputOutput, "\(file.path): cannot be read: \(error.localizedDescription)")
                }
            }
            progress(entries.count, files.count)
        }
        return Manifest(entries)
    }

    private struct FileKind {
        var isFolder: Bool
        var identity: [UInt64]
    }

    /// What a path leads to, through links; nil if nowhere.
    private static func fileKind(_ path: String) -> FileKind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileKind(
            isFolder: status.st_mode & S_IFMT == S_IFDIR, identity: [UInt64(status.st_dev), UInt64(status.st_ino)])
    }

    private static func list(
        _ folder: String, prefix: String, isTop: Bool, ancestors: [[UInt64]],
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
            guard let found = fileKind(path) else { continue }
            if found.isFolder {
                try list(
                    path, prefix: prefix + name + "/", isTop: false, ancestors: ancestors + [kind.identity],
                    into: &files)
            } else {
                files.append((prefix + name, path))
            }
        }
    }
}
