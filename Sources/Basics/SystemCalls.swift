import Foundation

/// Repeats a system call for as long as a signal interrupts it (`EINTR`).
package func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// Writes all bytes to an open file.
///
/// - Parameter name: what the error calls the file.
/// - Throws: ``Failure`` with status `inputOutput`, for a full disk say.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, naming name: String) throws {
    var rest = bytes
    while !rest.isEmpty {
        let written = uninterrupted { write(descriptor, rest.baseAddress, rest.count) }
        guard written >= 0 else { throw systemFailure("write", name) }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
}

/// The system's last error as a ``Failure`` with status `inputOutput` that names the path.
package func systemFailure(_ action: String, _ path: String) -> Failure {
    let reason = String(cString: strerror(errno))
    let remedy = errno == ENOSPC ? " Free some space and run the same command again; it goes on where it stopped." : ""
    return Failure(.inputOutput, "\(path): cannot \(action): \(reason).\(remedy)")
}
