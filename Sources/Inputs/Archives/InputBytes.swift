import Basics
import Foundation

/// The bytes of what a command was given as an input: a file, or standard input for "-"; unpacked, if it is a `.gz` or `.zip`.
package enum InputBytes {
    /// - Throws: ``Failure``: `inputMissing` if the file cannot be read, `badInput` if it is compressed and damaged.
    package static func read(_ path: String) throws -> Data {
        if path == "-" {
            let bytes = try FileHandle.standardInput.readToEnd() ?? Data()
            return try CompressedInput.unpacked(bytes, name: name(path))
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Failure(.inputMissing, "\(path): there is no such file.")
        }
        guard !isDirectory.boolValue else {
            throw Failure(.inputMissing, "\(path): is a folder; expected a file.")
        }
        guard let bytes = try mapped(path) ?? FileHandle(forReadingAtPath: path).map({ try $0.readToEnd() ?? Data() })
        else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it is readable.")
        }
        return try CompressedInput.unpacked(bytes, name: path)
    }

    /// A file's pages themselves, without a copy; nil of what cannot be mapped, such as a pipe or an empty file.
    private static func mapped(_ path: String) -> Data? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            return nil
        }
        let count = Int(status.st_size)
        guard let pages = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), pages != MAP_FAILED else {
            return nil
        }
        return Data(bytesNoCopy: pages, count: count, deallocator: .unmap)
    }

    /// Whether what a path names is gone once it is read: standard input, or a pipe.
    package static func isReadOnce(_ path: String) -> Bool {
        guard path != "-" else { return true }
        var status = stat()
        return stat(path, &status) == 0 && [S_IFIFO, S_IFSOCK, S_IFCHR].contains(status.st_mode & S_IFMT)
    }

    /// What an input is called in messages.
    package static func name(_ path: String) -> String { path == "-" ? "standard input" : path }

    /// Refuses a command line that names standard input for more than one input.
    package static func checkAtMostOneStandardInput(_ paths: [String]) throws {
        guard paths.count(where: { $0 == "-" }) <= 1 else {
            throw Failure(.badUsage, "\"-\" is given more than once, but standard input can be read only once.")
        }
    }
}
