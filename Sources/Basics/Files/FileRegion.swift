import Foundation

/// A part of an open file that any thread may read: an archive, or an archive that lies stored inside another one.
package final class FileRegion: Sendable {
    /// What errors call it.
    package let name: String
    /// Bytes of the region.
    package let size: Int
    private let start: Int
    private let file: OpenFile

    /// Closes its descriptor when the last region of the file is gone.
    private final class OpenFile: Sendable {
        let descriptor: Int32
        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }
    }

    /// Opens a whole file.
    ///
    /// - Throws: ``Failure``: `inputMissing` if it cannot be opened, `badInput` if it is a folder, a pipe or a device.
    package convenience init(path: String) throws {
        // Asked before it is opened: a pipe would wait for a writer.
        var status = stat()
        if path.withPath({ stat($0, &status) }) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw Failure(
                .badInput,
                "\(path): not a file. An archive is read here and there, so that a pipe or a device will not do; save it to a file first."
            )
        }
        let descriptor = path.withPath { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw InputFile.missing(path) }
        self.init(descriptor: descriptor, name: path)
    }

    /// Takes an open file over, and closes it.
    package init(descriptor: Int32, name: String) {
        file = OpenFile(descriptor)
        self.name = name
        start = 0
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    private init(name: String, start: Int, size: Int, file: OpenFile) {
        self.name = name
        self.start = start
        self.size = size
        self.file = file
    }

    /// A region inside this one; nil if it does not lie in it.
    package func part(_ name: String, offset: Int, size: Int) -> FileRegion? {
        guard offset >= 0, size >= 0, offset <= self.size, size <= self.size - offset else { return nil }
        return FileRegion(name: name, start: start + offset, size: size, file: file)
    }

    /// Fills the buffer from `offset` on, as far as the region goes; returns the number of bytes read.
    ///
    /// - Throws: ``Failure`` with status `inputOutput` if the device cannot be read.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard offset >= 0, offset < size else { return 0 }
        let wanted = min(buffer.count, size - offset)
        var done = 0
        while done < wanted {
            let count = uninterrupted {
                pread(file.descriptor, buffer.baseAddress?.advanced(by: done), wanted - done, start + offset + done)
            }
            guard count >= 0 else { throw systemFailure("read", name) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Fills the buffer, which is as large as the region.
    package func readAll(into buffer: UnsafeMutableRawBufferPointer) throws {
        guard try read(at: 0, into: buffer) == size else { throw hasShrunk() }
    }

    private func hasShrunk() -> Failure { Failure(.inputOutput, "\(name): has become shorter while it was read.") }

    /// Passes all bytes on, piece by piece.
    package func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 64) { buffer in
            var place = 0
            while place < size {
                let count = try read(at: place, into: buffer)
                guard count > 0 else { throw hasShrunk() }
                try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                place += count
            }
        }
    }

    /// The bytes from `offset` on, at most `count`.
    package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: max(0, min(count, size - offset))) { buffer, filled in
            filled = try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
