import Basics

/// Writes the members of an archive that is read from front to back: a batch at a time, on all threads, while the next one is read.
///
/// Of a plain tar only the members' places are gathered, and their bytes are read when they are written; of any other archive the
/// bytes, which come one after the other.
package final class GatheredWriter {
    package typealias Results = [(String, Result<HashJournal.Entry, any Error>)]

    /// Members up to this size are gathered; with a place, any.
    package static let largest = 8 << 20
    /// The number of the worker that writes larger ones meanwhile; the gathered ones' are below.
    package static let foregroundWorker = 1 << 16
    private static let batchFiles = 128
    private static let batchBytes = 64 << 20

    fileprivate struct File: Sendable {
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

    package init(root: String, threads: Int) {
        self.root = root
        self.threads = threads
    }

    package var isFull: Bool {
        gathered.count >= Self.batchFiles || gatheredBytes >= Self.batchBytes || buffers.filling.isNearlyFull
    }

    package func add(_ name: String, at place: FileRegion) {
        gathered.append(File(name: name, source: .place(place)))
        gatheredBytes += place.size
    }

    /// - Parameter fill: gets memory for `size` bytes, at most ``largest``, and fills all of it.
    package func add(_ name: String, size: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let range = try buffers.filling.append(size, fill)
        gathered.append(File(name: name, source: .gathered(range)))
        gatheredBytes += size
    }

    /// Waits for the batch before, whose results it returns, and begins to write what has been gathered.
    package func writeBehind() -> Results {
        let results = writing?.value() ?? []
        let (files, root, threads, buffer) = (gathered, root, threads, buffers.filling)
        buffers = (filling: buffers.writing, writing: buffers.filling)
        buffers.filling.removeAll()
        (gathered, gatheredBytes) = ([], 0)
        writing = Background {
            // Two at a time, which are hashed at once.
            let pairs = concurrentMap(
                (files.count + 1) / 2, threads: threads,
                workspace: { PairWriter(root: root, worker: $0, gathered: buffer) }
            ) { pair, own in own.write(files[(2 * pair)..<min(2 * pair + 2, files.count)]) }
            return pairs.flatMap { $0 }
        }
        return results
    }

    /// Writes what is left and waits for it.
    package func finish() -> Results {
        let results = writeBehind()
        defer { writing = nil }
        return results + (writing?.value() ?? [])
    }
}

/// Writes two members at a time, for one thread.
private final class PairWriter {
    /// Two of this size, and a slice is half as large, stay in a processor's own cache between reading, hashing and writing.
    private static let largestWhole = 1 << 20

    private let root: String
    private let worker: Int
    private let gathered: MemberBuffer
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * PairWriter.largestWhole, alignment: 64)
    private var used = 0

    init(root: String, worker: Int, gathered: MemberBuffer) {
        self.root = root
        self.worker = worker
        self.gathered = gathered
    }

    deinit { memory.deallocate() }

    func write(_ files: ArraySlice<GatheredWriter.File>) -> GatheredWriter.Results {
        var results: GatheredWriter.Results = []
        var whole: [(name: String, bytes: UnsafeRawBufferPointer)] = []
        used = 0
        for file in files {
            if case .place(let place) = file.source, place.size > Self.largestWhole {
                let entry = Result {
                    try UnpackDestination.write(file.name, in: root, worker: worker) { try place.forEachPiece($0) }
                }
                results.append((file.name, entry))
                continue
            }
            do { whole.append((file.name, try bytes(of: file))) } catch { results.append((file.name, .failure(error))) }
        }
        for (file, hash) in zip(whole, Digest.sha256(ofEach: whole.map(\.bytes))) {
            let entry = Result {
                try UnpackDestination.write(file.name, in: root, worker: worker, bytes: file.bytes, sha256: hash)
            }
            results.append((file.name, entry))
        }
        return results
    }

    private func bytes(of file: GatheredWriter.File) throws -> UnsafeRawBufferPointer {
        switch file.source {
        case .gathered(let range): return gathered.bytes(range)
        case .place(let place):
            let target = UnsafeMutableRawBufferPointer(rebasing: memory[used..<(used + place.size)])
            used += Self.largestWhole
            try place.readAll(into: target)
            return UnsafeRawBufferPointer(target)
        }
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
