import Basics
import Foundation

/// The bytes of what a command was given as an input: a file, or standard input for "-"; unpacked, if it is compressed.
package enum InputBytes {
    /// - Parameter limit: the most bytes that it may have, packed and unpacked.
    /// - Throws: ``Failure``: `inputMissing` if it cannot be read, `badInput` if it is a device, has more bytes than the limit, or is
    ///   compressed and damaged.
    package static func read(_ path: String, limit: Int = limit) throws -> Data {
        let bytes =
            path == "-"
            ? try InputFile.readStream(STDIN_FILENO, name: name(path), limit: limit)
            : try InputFile.read(path, limit: limit)
        return try CompressedInput.unpacked(bytes, name: name(path), limit: limit)
    }

    /// The most bytes that a table may have: a quarter of the free memory, for what is made of it needs as much again, and 2 GB at most,
    /// ten times the largest of the competition's.
    package static var limit: Int { min(Machine.availableMemoryBytes / 4, 2_000_000_000) }

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
