import Dispatch
import Synchronization

/// Writes small files that are in memory, a batch at a time, on all threads, while the next batch is gathered.
final class GatheredWriter {
    typealias Results = [(String, Result<HashJournal.Entry, any Error>)]

    /// Members up to this size are gathered.
    static let largest: Int64 = 16 << 20
    /// The number of the worker that writes larger ones meanwhile; the gathered ones' are below.
    static let foregroundWorker = 1 << 16
    private static let batchFiles = 128
    private static let batchBytes = 64 << 20

    private struct File: Sendable {
        var name: String
        var bytes: [UInt8]
    }

    private let root: String
    private let threads: Int
    private var gathered: [File] = []
    private var gatheredBytes = 0
    private let group = DispatchGroup()
    private let written = Written()

    /// What the background has done.
    private final class Written: Sendable {
        private let results = Mutex<Results>([])
        func set(_ new: Results) { results.withLock { $0 = new } }
        func take() -> Results {
            results.withLock { results in
                defer { results = [] }
                return results
            }
        }
    }

    init(root: String, threads: Int) {
        self.root = root
        self.threads = threads
    }

    var isFull: Bool { gathered.count >= Self.batchFiles || gatheredBytes >= Self.batchBytes }

    func add(_ name: String, _ bytes: [UInt8]) {
        gathered.append(File(name: name, bytes: bytes))
        gatheredBytes += bytes.count
    }

    /// Waits for the batch before, whose results it returns, and begins to write what has been gathered.
    func writeBehind() -> Results {
        group.wait()
        let results = written.take()
        let (files, root, threads, written) = (gathered, root, threads, written)
        (gathered, gatheredBytes) = ([], 0)
        DispatchQueue.global().async(group: group) {
            let entries = mapInParallel(count: files.count, threads: threads, workspace: { $0 }) { index, worker in
                Result {
                    try UnpackDestination.write(files[index].name, in: root, worker: worker) { append in
                        try files[index].bytes.withUnsafeBytes(append)
                    }
                }
            }
            written.set(Array(zip(files.map(\.name), entries)))
        }
        return results
    }

    /// Writes what is left and waits for it.
    func finish() -> Results {
        let results = writeBehind()
        group.wait()
        return results + written.take()
    }
}
