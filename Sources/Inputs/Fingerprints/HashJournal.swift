import Basics
import Foundation
import Synchronization

/// Remembers the hash of every finished file below a folder, so that a run that was interrupted need not make or hash it again.
///
/// A file is as recorded if it has the size and the modification time (in nanoseconds) that it was left with. After a kill that is
/// enough: what was written is in the system's hands. After a power cut it is not, so that records are believed only if they were
/// made since the machine was started or a `durable` line says that the files of that many records had reached the disk by then.
///
/// The format is text, one line a record, appended; `docs/formats.md` has it.
package final class HashJournal {
    package struct Entry: Sendable, Equatable {
        package var sha256: String
        package var size: Int64
        /// Nanoseconds since 1970.
        package var modified: Int64
    }

    private let path: String
    /// Whether what is recorded is what the source gives; else it is only looked at, and may have been changed.
    private let isOfSource: Bool
    private let descriptor: Int32
    /// Files of the present source, by their path relative to the folder.
    package private(set) var entries: [String: Entry]
    /// Files that were made from another source before.
    package private(set) var formerEntries: [String: Entry]
    /// Whether all of the present source is done.
    package private(set) var isComplete: Bool

    private var recordCount: Int
    private let durable = Durable()
    private var isSyncing = false
    private var lastSync = ProgressMeter.uptime()
    /// Seconds between two requests that the disk take what has been written. A power cut costs the hashes of that much work.
    private static let syncInterval = 60.0

    /// Opens or begins the journal at `path` and takes what it says as far as it can be believed.
    ///
    /// - Parameter source: names what the files are made from, archive and all; records of another source become
    ///   ``formerEntries``. nil takes the source that the journal has, whose files are only looked at: records then change their
    ///   time, but never the hash that a file was left with.
    /// - Throws: ``Failure`` with status `inputOutput` if it cannot be written.
    package init(path: String, source: String?) throws {
        self.path = path
        isOfSource = source != nil
        descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw systemFailure("write", path) }
        var content = JournalContent()
        // Not FileManager's: a link or a device in this place must not be followed into memory.
        if let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) {
            content = JournalContent(parsing: data, session: Self.session)
        }
        if let source, content.source != source { content.begin(source: source) }
        entries = content.entries
        formerEntries = content.formerEntries
        isComplete = content.isComplete
        recordCount = content.recordCount
        // A kill may have cut off the last line.
        guard ftruncate(descriptor, off_t(content.length)) == 0, lseek(descriptor, 0, SEEK_END) >= 0 else {
            throw systemFailure("write", path)
        }
        try append(content.length == 0 ? [JournalContent.header] : [])
        if content.isNewSource { try append(["source \(content.source ?? "")"]) }
        try append(["session \(Self.session)"])
    }

    deinit { close(descriptor) }

    /// The record of the file, if it is there as it was left.
    ///
    /// - Parameter size: what its size must be, if that is known.
    package func vouches(for name: String, at file: String, size: Int64? = nil) -> Entry? {
        guard let entry = entries[name], size == nil || size == entry.size else { return nil }
        return Self.isUnchanged(file, since: entry) ? entry : nil
    }

    /// Whether a former source's file is there as it was left: then it is ours to remove.
    package func vouchesForFormer(_ name: String, at file: String) -> Bool {
        formerEntries[name].map { Self.isUnchanged(file, since: $0) } ?? false
    }

    private static func isUnchanged(_ file: String, since entry: Entry) -> Bool {
        guard let facts = FileFacts(file) else { return false }
        return facts.size == entry.size && facts.modified == entry.modified
    }

    /// Records finished files. A name with a line break is not remembered: that file is done again if need be.
    package func record(_ files: [(name: String, entry: Entry)]) throws {
        let remembered = files.filter { name, entry in
            !name.utf8.contains(10) && (isOfSource || entries[name]?.sha256 == entry.sha256)
        }
        for (name, entry) in remembered { entries[name] = entry }
        try append(remembered.map { "\($1.sha256) \($1.size) \($1.modified) \($0)" })
        recordCount += remembered.count
        try noteDurable()
    }

    /// Says that all of the source is done, and forgets the one before.
    package func complete() throws {
        isComplete = true
        formerEntries = [:]
        try append(["complete"])
    }

    /// Asks the system now and then to bring what was written to the disk, beside the work, and notes when it has.
    private func noteDurable() throws {
        if let count = durable.take() {
            isSyncing = false
            try append(["durable \(count)"])
        }
        guard !isSyncing, ProgressMeter.uptime() - lastSync > Self.syncInterval else { return }
        isSyncing = true
        lastSync = ProgressMeter.uptime()
        let (count, durable) = (recordCount, durable)
        DispatchQueue.global(qos: .utility).async {
            sync()
            durable.set(count)
        }
    }

    private func append(_ lines: [String]) throws {
        guard !lines.isEmpty else { return }
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        try bytes.withUnsafeBytes { try writeAll($0, to: descriptor, naming: path) }
    }

    /// Names the time since the machine was started; the same text as long as nothing in memory can have been lost.
    private static let session: String = {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }()
}

/// How many records the disk has, told by the thread that waited for it.
private final class Durable: Sendable {
    private let count = Mutex<Int?>(nil)
    func set(_ value: Int) { count.withLock { $0 = value } }
    func take() -> Int? {
        count.withLock { count in
            defer { count = nil }
            return count
        }
    }
}

/// What a journal's text says.
private struct JournalContent {
    static let header = "repro journal 2"

    var source: String?
    var isNewSource = false
    var entries: [String: HashJournal.Entry] = [:]
    var formerEntries: [String: HashJournal.Entry] = [:]
    var isComplete = false
    /// Records of all sources.
    var recordCount = 0
    /// Bytes up to the end of the last whole line; 0 for what is no journal.
    var length = 0

    init() {}

    init(parsing data: Data, session: String) {
        /// Records that are to be believed only if they turn out to be durable, with their number.
        var doubtful: [(number: Int, name: String, entry: HashJournal.Entry)] = []
        var isThisSession = false
        data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            var start = 0
            while let end = bytes[start...].firstIndex(of: 10) {
                let line = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                if start == 0 && !line.elementsEqual(Self.header.utf8) { return }
                start = end + 1
                length = start
                if let (name, entry) = Self.record(line) {
                    if isThisSession { entries[name] = entry } else { doubtful.append((recordCount, name, entry)) }
                    recordCount += 1
                    isComplete = false
                    continue
                }
                let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1).map(String.init)
                switch words.first {
                case "session": isThisSession = words.last == session
                case "complete": isComplete = true
                case "durable":
                    guard let count = words.last.flatMap({ Int($0) }) else { continue }
                    for record in doubtful where record.number < count { entries[record.name] = record.entry }
                    doubtful.removeAll { $0.number < count }
                case "source":
                    doubtful.removeAll()
                    begin(source: words.last ?? "")
                default: continue
                }
            }
        }
        isNewSource = false
    }

    mutating func begin(source: String) {
        formerEntries.merge(entries) { _, new in new }
        entries = [:]
        isComplete = false
        self.source = source
        isNewSource = true
    }

    /// `<64 hexadecimal digits> <size> <modification time> <path>`.
    private static func record(_ line: UnsafeRawBufferPointer) -> (String, HashJournal.Entry)? {
        guard line.count > 66, line[64] == 32, let sizeEnd = line[65...].firstIndex(of: 32),
            let timeEnd = line[(sizeEnd + 1)...].firstIndex(of: 32),
            let size = Int64(String(decoding: line[65..<sizeEnd], as: UTF8.self)),
            let modified = Int64(String(decoding: line[(sizeEnd + 1)..<timeEnd], as: UTF8.self))
        else { return nil }
        return (
            String(decoding: line[(timeEnd + 1)...], as: UTF8.self),
            HashJournal.Entry(sha256: String(decoding: line[..<64], as: UTF8.self), size: size, modified: modified)
        )
    }
}
