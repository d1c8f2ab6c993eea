import Foundation

/// Writes a file so that it is either whole or absent: to a temporary name beside it, fsync, rename.
///
/// A pipe or a device is no file to be replaced, and is written to.
package enum AtomicFile {
    /// Replaces the file at `path` with what `body` writes; on any error the old file, if there was one, is untouched.
    ///
    /// - Throws: ``Failure`` with status `inputOutput` that names the path and the system's reason (a full disk, say).
    package static func write(
        to path: String, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    )
        throws
    {
        guard isReplaced(path) else { return try writeThrough(to: path, body) }
        let temporary = temporaryPath(of: path)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("create", temporary) }
        do {
            defer { close(descriptor) }
            try body { try writeAll($0, to: descriptor, naming: path) }
            guard fsync(descriptor) == 0 else { throw systemFailure("write", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let error = systemFailure("rename", path)
            unlink(temporary)
            throw error
        }
        syncDirectory(of: path)
    }

    /// Whether what has the name, if anything, is a file to be replaced; a pipe or a device (`/dev/stdout`) is written to as it is.
    private static func isReplaced(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) != 0 || [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    }

    private static func writeThrough(
        to path: String, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemFailure("write", path) }
        defer { close(descriptor) }
        try body { try writeAll($0, to: descriptor, naming: path) }
    }

    /// Where a file is written before it gets its name.
    package static func temporaryPath(of path: String) -> String { "\(path).\(getpid()).tmp" }

    package static func write(_ bytes: some ContiguousBytes, to path: String) throws {
        try write(to: path) { append in try bytes.withUnsafeBytes(append) }
    }

    package static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    /// Makes the rename itself durable; a file system that cannot sync a directory is no error.
    private static func syncDirectory(of path: String) {
        let folder = (path as NSString).deletingLastPathComponent
        let descriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
