import Foundation

/// Keeps a second run out of a work directory for as long as this value lives, also when the process is killed.
///
/// It is `flock(2)` on a file there: the kernel lets go of it with the process, so there is no stale lock to clean up.
package final class WorkLock: Sendable {
    private let descriptor: Int32

    /// - Parameter patience: seconds to wait for the lock. A process that was killed keeps it until the kernel has taken its
    ///   memory back, a second or so after it is gone from the user's sight.
    package init(folder: String, name: String = "run.lock", patience: Double = 3) throws {
        let path = "\(folder)/\(name)"
        descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            // ELOOP is what Linux says of a link.
            let reason = errno == ELOOP ? "is a link, and no lock of this program; remove it" : nil
            throw Failure(
                .inputOutput, "\(path): \(reason ?? "cannot be opened: \(String(cString: strerror(errno)))").")
        }
        guard Self.isLock(descriptor) else {
            close(descriptor)
            throw Failure(
                .inputOutput, "\(path): is no lock of this program, which has to have one of this name. Move it away.")
        }
        let begun = ProgressMeter.uptime()
        var isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        while !isLocked && ProgressMeter.uptime() - begun < patience {
            usleep(50_000)
            isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        }
        guard isLocked else {
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            close(descriptor)
            throw Failure(
                .inputOutput,
                "\(folder): another run is working here\(holder.isEmpty ? "" : " (process \(holder))"). "
                    + "Wait for it to end, or give this one another folder.")
        }
        let process = Array("\(getpid())".utf8)
        ftruncate(descriptor, 0)
        _ = pwrite(descriptor, process, process.count, 0)
    }

    /// Whether a file is empty or has a process in it, as every lock of this program: anything else would be lost.
    private static func isLock(_ descriptor: Int32) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= 20 else {
            return false
        }
        var text = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &text, text.count, 0)
        return count >= 0 && text.prefix(count).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    deinit { close(descriptor) }
}
