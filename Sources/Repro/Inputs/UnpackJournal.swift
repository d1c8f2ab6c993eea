import Foundation

/// Remembers which members of which archive are already unpacked and whole, so that an interrupted run can go on.
///
/// One line a member, appended when it has its final name: hash, size, modification time, path. The first line identifies the
/// archive by size and modification time; the journal of another archive is thrown away.
final class UnpackJournal {
    struct Entry {
        var sha256: String
        var size: Int64
        var modified: Int64
    }

    private let destination: String
    private let path: String
    private var entries: [String: Entry] = [:]
    private let descriptor: Int32

    init(archive: String, destination: String) throws {
        self.destination = destination
        path = destination + "/.repro-journal"
        let identity = Self.facts(archive).map { "archive \($0.size) \($0.modified)" } ?? "archive"
        let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
        // The last line may have been cut off by a kill: what does not end with a line break is dropped.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let isResumed = lines.first.map(String.init) == identity
        if isResumed {
            for line in lines.dropFirst() {
                let parts = line.split(separator: " ", maxSplits: 3).map(String.init)
                guard parts.count == 4, let size = Int64(parts[1]), let modified = Int64(parts[2]) else { continue }
                entries[parts[3]] = Entry(sha256: parts[0], size: size, modified: modified)
            }
        }
        let kept = isResumed ? lines.joined(separator: "\n") + "\n" : identity + "\n"
        try AtomicFile.write(kept, to: path)
        descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemFailure("write", path) }
    }

    deinit { close(descriptor) }

    /// The record of a member whose file is there with the size and time that it was left with.
    func vouches(for name: String, size: Int64?) -> Entry? {
        guard let entry = entries[name], size == nil || size == entry.size,
            let facts = Self.facts(destination + "/" + name),
            facts.size == entry.size, facts.modified == entry.modified
        else { return nil }
        return entry
    }

    func record(_ name: String, sha256: String) throws {
        // A name with a line break is not remembered; it is unpacked again if need be.
        guard !name.contains("\n"), let facts = Self.facts(destination + "/" + name) else { return }
        let line = "\(sha256) \(facts.size) \(facts.modified) \(name)\n"
        guard
            line.utf8.withContiguousStorageIfAvailable({ write(descriptor, $0.baseAddress, $0.count) })
                == line.utf8.count
        else { throw systemFailure("write", path) }
    }

    private static func facts(_ path: String) -> (size: Int64, modified: Int64)? {
        var status = stat()
        guard lstat(path, &status) == 0 || stat(path, &status) == 0 else { return nil }
        return (Int64(status.st_size), Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
    }
}
