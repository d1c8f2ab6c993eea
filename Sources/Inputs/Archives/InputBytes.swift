import Basics
import Foundation

/// The bytes of what a command was given as an input: a file, or standard input for "-"; unpacked, if it is compressed.
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
        guard let bytes = try contents(of: path) else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it is readable.")
        }
        return try CompressedInput.unpacked(bytes, name: path)
    }

    /// Everything that a path gives; nil if it cannot be opened.
    ///
    /// A file is copied and not mapped: pages of a file that somebody else makes shorter would end the program.
    private static func contents(of path: String) throws -> Data? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            // A pipe, or one of the system's files that have no size.
            return try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).readToEnd() ?? Data()
        }
        let count = Int(status.st_size)
        var buffer: UnsafeMutableRawPointer?
        // Whole large pages are quicker to get.
        guard posix_memalign(&buffer, count > hugePage ? hugePage : 16, count) == 0, let buffer else {
            throw Failure(.badInput, "\(path): its \(Numbers.bytes(count)) do not fit the memory.")
        }
        if count > hugePage { madvise(buffer, count, Int32(MADV_HUGEPAGE)) }
        var after = stat()
        let isWhole =
            read(UnsafeMutableRawBufferPointer(start: buffer, count: count), of: descriptor)
            && fstat(descriptor, &after) == 0 && after.st_size == status.st_size
            && after.st_mtim.tv_sec == status.st_mtim.tv_sec && after.st_mtim.tv_nsec == status.st_mtim.tv_nsec
        guard isWhole else {
            free(buffer)
            throw Failure(.badInput, "\(path): was changed while it was read. Wait for what writes it, and try again.")
        }
        return Data(bytesNoCopy: buffer, count: count, deallocator: .free)
    }

    private static let hugePage = 1 << 21

    /// Reads the beginning of a file, several pieces at once; false if there is less.
    private static func read(_ buffer: UnsafeMutableRawBufferPointer, of descriptor: Int32) -> Bool {
        let pieceSize = 4 << 20
        // Every call fills a piece of its own.
        nonisolated(unsafe) let buffer = buffer
        return concurrentMap((buffer.count + pieceSize - 1) / pieceSize) { piece in
            var rest = UnsafeMutableRawBufferPointer(rebasing: buffer.dropFirst(piece * pieceSize).prefix(pieceSize))
            var offset = piece * pieceSize
            while !rest.isEmpty {
                let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = UnsafeMutableRawBufferPointer(rebasing: rest.dropFirst(count))
                offset += count
            }
            return true
        }.allSatisfy { $0 }
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
