import Foundation

/// Writes a file so that it is either whole or absent: to a temporary name beside it, fsync, rename.
///
/// A link is followed, and the file that it leads to replaced. A pipe or a device is no file to be replaced, and is written to.
/// What may not be written to is not replaced either, though the folder would allow it.
package enum AtomicFile {
    /// Replaces the file at `path` with what `body` writes; on any error the old file, if there was one, is untouched.
    ///
    /// - Throws: ``Failure`` with status `inputOutput` that names the path and the system's reason (a full disk, say).
    package static func write(
        to path: String, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    )
        throws
    {
        if let descriptor = openDescriptor(path) { return try body { try writeAll($0, to: descriptor, naming: path) } }
        let target = try followingLinks(path)
        guard try isReplaced(target) else { return try writeThrough(to: target, body) }
        let temporary = temporaryPath(of: target)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("create", path) }
        do {
            defer { close(descriptor) }
            keepAttributes(of: target, on: descriptor)
            try body { try writeAll($0, to: descriptor, naming: path) }
            guard fsync(descriptor) == 0 else { throw systemFailure("write", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, target) == 0 else {
            let error = systemFailure("rename", path)
            unlink(temporary)
            throw error
        }
        syncDirectory(of: target)
    }

    /// Gives a file the owner and the permissions of the one that it is to replace, if there is one.
    ///
    /// Done before anything is in it. An owner that only root could give stays what it is, and then so does the group if it has to.
    package static func keepAttributes(of path: String, on descriptor: Int32) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        if fchown(descriptor, status.st_uid, status.st_gid) != 0 {
            // The caller may be no member of the group.
            _ = fchown(descriptor, uid_t.max, status.st_gid)
        }
        fchmod(descriptor, status.st_mode & 0o777)
    }

    /// Says now what ``write(to:_:)`` would say of the path later.
    ///
    /// - Throws: ``Failure`` with status `inputOutput` for a folder, a read-only file, or a folder that is not there or read-only.
    package static func check(_ path: String) throws {
        guard openDescriptor(path) == nil else { return }
        let target = try followingLinks(path)
        guard try isReplaced(target), access(folderName(target), W_OK) != 0 else { return }
        throw systemFailure("create", path)
    }

    /// The descriptor that a name stands for, such as `/dev/stdout`: it is written to where it stands, in a file too.
    private static func openDescriptor(_ path: String) -> Int32? {
        switch path {
        case "/dev/stdout": return STDOUT_FILENO
        case "/dev/stderr": return STDERR_FILENO
        default:
            for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
                return Int32(path.dropFirst(folder.count))
            }
            return nil
        }
    }

    /// What the links at a path's end lead to; it need not be there.
    package static func followingLinks(_ path: String) throws -> String {
        var path = path
        // As many as Linux follows.
        for _ in 0..<40 {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return path }
            path = target.hasPrefix("/") ? target : folderName(path) + "/" + target
        }
        throw Failure(.inputOutput, "\(path): a link that leads to itself.")
    }

    /// Whether what has the name, if anything, is a file to be replaced; a pipe or a device is written to as it is.
    private static func isReplaced(_ path: String) throws -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return true }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            // Root may write to anything; a file without the permission is protected all the same.
            guard status.st_mode & 0o222 != 0, access(path, W_OK) == 0 else {
                throw Failure(.inputOutput, "\(path): is read-only. Make it writable, or give another name.")
            }
            return true
        case S_IFDIR: throw Failure(.inputOutput, "\(path): is a folder; expected the name of a file.")
        default: return false
        }
    }

    private static func writeThrough(
        to path: String, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemFailure("write", path) }
        defer { close(descriptor) }
        try body { try writeAll($0, to: descriptor, naming: path) }
    }

    /// Where a file is written before it gets its name: beside it, and no longer than a name may be (255 bytes).
    package static func temporaryPath(of path: String) -> String {
        var start = fileName(path)[...]
        while start.utf8.count > 200 { start.removeLast() }
        return "\(folderName(path))/\(start).\(getpid()).tmp"
    }

    package static func write(_ bytes: some ContiguousBytes, to path: String) throws {
        try write(to: path) { append in try bytes.withUnsafeBytes(append) }
    }

    package static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    /// Makes the rename itself durable; a file system that cannot sync a directory is no error.
    private static func syncDirectory(of path: String) {
        let descriptor = open(folderName(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }
}
