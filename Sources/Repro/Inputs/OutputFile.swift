import Foundation

/// A file being written; every error names the path that the user knows it by.
struct OutputFile: ~Copyable {
    private let descriptor: Int32
    private let name: String

    init(at path: String, naming name: String) throws {
        self.name = name
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("create", name) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while !rest.isEmpty {
            let written = write(descriptor, rest.baseAddress, rest.count)
            if written < 0 && errno == EINTR { continue }
            guard written >= 0 else { throw systemFailure("write", name) }
            rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        }
    }

    /// Size and time that the file is left with, once everything is written.
    func facts() throws -> FileFacts {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemFailure("write", name) }
        return FileFacts(status)
    }

    /// What has been written, to be read; it stays there when the file has lost its name.
    func region() throws -> FileRegion {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw systemFailure("read", name) }
        return FileRegion(descriptor: copy, name: name)
    }

    func close() { _ = Foundation.close(descriptor) }
}

/// The system's last error as a ``Failure`` with status `inputOutput` that names the path.
func systemFailure(_ action: String, _ path: String) -> Failure {
    let reason = String(cString: strerror(errno))
    let remedy = errno == ENOSPC ? " Free some space and run the same command again; it goes on where it stopped." : ""
    return Failure(.inputOutput, "\(path): cannot \(action): \(reason).\(remedy)")
}

/// Gives a finished file its name: what is in it reaches the disk first, so that a file that has its name is whole.
func publish(_ temporary: String, as path: String) throws {
    let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemFailure("write", path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw systemFailure("write", path) }
}
