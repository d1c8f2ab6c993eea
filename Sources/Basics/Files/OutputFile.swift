import Foundation

/// A file being written; every error names the path that the user knows it by.
package struct OutputFile: ~Copyable {
    private let descriptor: Int32
    private let name: String

    package init(at path: String, naming name: String) throws {
        self.name = name
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("create", name) }
    }

    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        try writeAll(bytes, to: descriptor, naming: name)
    }

    /// Size and time that the file is left with, once everything is written.
    package func facts() throws -> FileFacts {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemFailure("write", name) }
        return FileFacts(status)
    }

    /// What has been written, to be read; it stays there when the file has lost its name.
    package func region() throws -> FileRegion {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw systemFailure("read", name) }
        return FileRegion(descriptor: copy, name: name)
    }

    package func close() { _ = Foundation.close(descriptor) }
}

/// Gives a finished file its name: what is in it reaches the disk first, so that a file that has its name is whole. It gets the
/// owner and the permissions of the one that it replaces.
package func publish(_ temporary: String, as path: String) throws {
    let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemFailure("write", path) }
    defer { close(descriptor) }
    AtomicFile.keepAttributes(of: path, on: descriptor)
    guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw systemFailure("write", path) }
}
