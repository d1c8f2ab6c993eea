import Foundation

/// A file, pipe or descriptor that was named as an input, read to its end.
package enum InputFile {
    /// The most that is read into memory: half of what is free.
    package static var limit: Int { Machine.availableMemoryBytes / 2 }

    /// All bytes of what a path leads to.
    ///
    /// A file is copied and not mapped: pages of a file that somebody else makes shorter would end the program.
    ///
    /// - Throws: ``Failure``: `inputMissing` if it cannot be opened or is a folder, `badInput` if it is a device, is changed while it is
    ///   read or has more bytes than the limit.
    package static func read(_ path: String, limit: Int = limit) throws -> Data {
        var status = stat()
        // Asked before it is opened, which is enough to make some devices act.
        guard path.withPath({ stat($0, &status) }) == 0 else { throw missing(path) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw Failure(.inputMissing, "\(path): is a folder; expected a file. Name the file in it.")
        }
        guard ![S_IFCHR, S_IFBLK].contains(status.st_mode & S_IFMT) || isHandedOver(path) else {
            throw Failure(.badInput, "\(path): is a device; expected a file, a pipe or \"-\" for standard input.")
        }
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw missing(path) }
        defer { close(descriptor) }
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            // A pipe, or one of the system's files that have no size.
            return try readStream(descriptor, name: path, limit: limit)
        }
        let count = Int(status.st_size)
        guard count <= limit else { throw tooLarge(path, limit) }
        var buffer: UnsafeMutableRawPointer?
        // Whole large pages are quicker to get.
        guard posix_memalign(&buffer, count > hugePage ? hugePage : 16, count) == 0, let buffer else {
            throw tooLarge(path, limit)
        }
        if count > hugePage { madvise(buffer, count, Int32(MADV_HUGEPAGE)) }
        var after = stat()
        let isWhole =
            read(UnsafeMutableRawBufferPointer(start: buffer, count: count), of: descriptor)
            && fstat(descriptor, &after) == 0 && FileFacts(after) == FileFacts(status)
        guard isWhole else {
            free(buffer)
            throw Failure(.badInput, "\(path): was changed while it was read. Wait for what writes it, and try again.")
        }
        return Data(bytesNoCopy: buffer, count: count, deallocator: .free)
    }

    /// All that comes from an open file until its end.
    ///
    /// - Throws: ``Failure``: `inputMissing` if it cannot be read, `badInput` if there is more than the limit.
    package static func readStream(_ descriptor: Int32, name: String, limit: Int = limit) throws -> Data {
        var bytes = Data()
        let pieceSize = 1 << 18
        return try withUnsafeTemporaryAllocation(byteCount: pieceSize, alignment: 16) { piece in
            while true {
                let count = uninterrupted { Foundation.read(descriptor, piece.baseAddress, pieceSize) }
                guard count >= 0 else {
                    throw Failure(.inputMissing, "\(name): cannot be read: \(String(cString: strerror(errno))).")
                }
                if count == 0 { return bytes }
                guard count <= limit - bytes.count else { throw tooLarge(name, limit) }
                bytes.append(contentsOf: piece[..<count])
            }
        }
    }

    /// Says now what reading would say of a path that leads nowhere.
    package static func checkIsThere(_ path: String) throws {
        var status = stat()
        guard path.withPath({ stat($0, &status) }) == 0 else { throw missing(path) }
    }

    /// Why a path leads to no input, by the system's last error.
    package static func missing(_ path: String) -> Failure {
        let reason = errno
        if path.isEmpty { return Failure(.inputMissing, "an input's name is empty; expected the path of a file.") }
        if reason == ENOENT { return Failure(.inputMissing, "\(path): there is no such file or folder.") }
        return Failure(.inputMissing, "\(path): cannot be read: \(String(cString: strerror(reason))).")
    }

    /// What is said of an input that is, or would unpack to, more than is read into memory.
    package static func tooLarge(_ name: String, _ limit: Int) -> Failure {
        Failure(
            .badInput,
            """
            \(name): holds more than \(Numbers.bytes(limit)), the most that is read into memory here. Is it the file that was meant? \
            If so, leave out what is not needed, or make more memory free.
            """)
    }

    /// Whether a path is a descriptor that the program was started with: a terminal may be one.
    private static func isHandedOver(_ path: String) -> Bool { path == "/dev/stdin" || path.hasPrefix("/dev/fd/") }

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
                let count = uninterrupted { pread(descriptor, rest.baseAddress, rest.count, off_t(offset)) }
                guard count > 0 else { return false }
                rest = UnsafeMutableRawBufferPointer(rebasing: rest.dropFirst(count))
                offset += count
            }
            return true
        }.allSatisfy { $0 }
    }
}
