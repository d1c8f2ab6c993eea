/// Writes the members of an archive that is read from front to back: a batch at a time, on all threads, while the next one is read.
///
/// Of a plain tar only the members' places are gathered, and their bytes are read when they are written; of any other archive the
/// bytes, which come one after the other.
final class GatheredWriter {
    typealias Results = [(String, Result<HashJournal.Entry, any Error>)]

    /// Members up to this size are gathered; with a place, any.
    static let largest = 8 << 20
    /// The number of the worker that writes larger ones meanwhile; the gathered ones' are below.
    static let foregroundWorker = 1 << 16
    private static let batchFiles = 128
    private static let batchBytes = 64 << 20

    private struct File: Sendable {
        enum Source: Sendable { case place(FileRegion), gathered(Range<Int>) }
        var name: String
        var source: Source
    }

    private let root: String
    private let threads: Int
    private var gathered: [File] = []
    private var gatheredBytes = 0
    private var writing: Background<Results>?
    /// One is filled while what is in the other is written.
    private var buffers = (filling: MemberBuffer(), writing: MemberBuffer())

    init(root: String, threads: Int) {
        self.root = root
        self.threads = threads
    }

    var isFull: Bool {
        gathered.count >= Self.batchFiles || gatheredBytes >= Self.batchBytes || buffers.filling.isNearlyFull
    }

    func add(_ name: String, at place: FileRegion) {
        gathered.append(File(name: name, source: .place(place)))
        gatheredBytes += place.size
    }

    /// - Parameter fill: gets memory for `size` bytes, at most ``largest``, and fills all of it.
    func add(_ name: String, size: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let range = try buffers.filling.append(size, fill)
        gathered.append(File(name: name, source: .gathered(range)))
        gatheredBytes += size
    }

    /// Waits for the batch before, whose results it returns, and begins to write what has been gathered.
    func writeBehind() -> Results {
        let results = writing?.value() ?? []
        let (files, root, threads, buffer) = (gathered, root, threads, buffers.filling)
        buffers = (filling: buffers.writing, writing: buffers.filling)
        buffers.filling.removeAll()
        (gathered, gatheredBytes) = ([], 0)
        writing = Background {
            let entries = mapInParallel(count: files.count, threads: threads, workspace: { $0 }) { index, worker in
                Result {
                    try UnpackDestination.write(files[index].name, in: root, worker: worker) { append in
                        switch files[index].source {
                        case .place(let place): try place.forEachPiece(append)
                        case .gathered(let range): try append(buffer.bytes(range))
                        }
                    }
                }
            }
            return Array(zip(files.map(\.name), entries))
        }
        return results
    }

    /// Writes what is left and waits for it.
    func finish() -> Results {
        let results = writeBehind()
        defer { writing = nil }
        return results + (writing?.value() ?? [])
    }
}

/// Memory for the members of a batch, used again for each batch: memory that is new costs more than copying into it.
///
/// Sendable because nobody writes while somebody else reads: ``GatheredWriter`` fills a buffer, then has it read, then waits.
private final class MemberBuffer: @unchecked Sendable {
    private static let size = 3 * GatheredWriter.largest

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: MemberBuffer.size, alignment: 64)
    private var used = 0

    deinit { memory.deallocate() }

    /// Whether the largest member may not fit any more.
    var isNearlyFull: Bool { memory.count - used < GatheredWriter.largest }

    func append(_ size: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows -> Range<Int> {
        let range = used..<(used + size)
        try fill(UnsafeMutableRawBufferPointer(rebasing: memory[range]))
        used = range.upperBound
        return range
    }

    func removeAll() { used = 0 }

    func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[range]) }
}
