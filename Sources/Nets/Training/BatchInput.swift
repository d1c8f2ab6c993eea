import Synchronization

/// Fills a network's images with slices, one batch ahead of the batch that the network works on.
///
/// While the network works, the pool's free threads decode, window and augment the next batch into a second image buffer; the two
/// change places when that batch's turn comes. A slice's pixels are a function of the settings and of its ID and round alone, so
/// it does not show when, by whom or whether ahead a batch was made.
final class BatchInput {
    /// What decides the pixels of a slice besides the slice.
    struct Settings: Sendable {
        var windows: [Window]
        var augmentation: Augmentation?
        var seed: UInt64
        /// Which random stream the augmentation draws from.
        var purpose: RandomPurpose
    }

    /// Which images a batch has: each slice in each of the rounds, the rounds of one slice together.
    struct Batch: Equatable, Sendable {
        var ids: [String]
        /// The epoch, or the test-time draws.
        var rounds: Range<Int>

        var images: Int { ids.count * rounds.count }
    }

    private let network: Network
    private let settings: Settings
    private let scratch: [InputScratch]
    /// The image buffer that the network does not read.
    private var spare: FloatBuffer
    private var ahead: (filling: Filling, tasks: AheadTasks)?

    init(network: Network, settings: Settings) {
        self.network = network
        self.settings = settings
        scratch = (0..<network.pool.threads).map { _ in InputScratch(size: network.graph.input.height) }
        spare = FloatBuffer(count: network.image.count)
    }

    deinit { discard() }

    /// Bytes that this takes beside the network.
    static func plannedBytes(graph: Graph, capacity: Int, workers: Int) -> Int {
        4 * capacity * Network.imageStride(graph) + workers * InputScratch.bytes(size: graph.input.height)
    }

    /// Gives the network a batch's images, and has the batch after it made while the network works.
    ///
    /// - Parameter next: what the next call will ask for, if that is known; a wrong guess costs time only.
    /// - Throws: the source's error for the first slice of `batch` that has one; the network has its old images then. Errors
    ///   in the next batch wait until it is asked for.
    func take(_ batch: Batch, then next: Batch?, from source: @escaping SliceSource) throws {
        if ahead?.filling.batch != batch { discard() }
        let (filling, tasks) = ahead ?? begin(batch, source)
        ahead = nil
        tasks.finish()
        if let error = filling.firstError { throw error }
        swap(&network.image, &spare)
        ahead = next.map { begin($0, source) }
    }

    /// Forgets the batch that was made ahead, and returns when nothing of it is being made any more.
    func discard() {
        ahead?.tasks.cancel()
        ahead = nil
    }

    private func begin(_ batch: Batch, _ source: @escaping SliceSource) -> (Filling, AheadTasks) {
        precondition(batch.images <= network.capacity, "\(batch.images) images do not fit \(network.capacity)")
        let filling = Filling(
            batch: batch, settings: settings, source: source, frame: network.imageFrame, target: spare,
            scratch: scratch)
        return (filling, network.pool.begin(batch.ids.count) { filling.fill($0, worker: $1) })
    }
}

/// A batch on its way into an image buffer, one task a slice.
///
/// Unchecked: a task writes its own images in `target`, a worker uses its own scratch, and the rest does not change.
private final class Filling: @unchecked Sendable {
    let batch: BatchInput.Batch
    private let settings: BatchInput.Settings
    private let source: SliceSource
    private let frame: Network.ImageFrame
    private let target: FloatBuffer
    private let scratch: [InputScratch]
    private let failures = Mutex<[Int: any Error]>([:])

    init(
        batch: BatchInput.Batch, settings: BatchInput.Settings, source: @escaping SliceSource,
        frame: Network.ImageFrame, target: FloatBuffer, scratch: [InputScratch]
    ) {
        self.batch = batch
        self.settings = settings
        self.source = source
        self.frame = frame
        self.target = target
        self.scratch = scratch
    }

    var firstError: (any Error)? { failures.withLock { $0.min { $0.key < $1.key } }?.value }

    /// Decodes a slice once and writes its image for each round.
    func fill(_ index: Int, worker: Int) {
        let id = batch.ids[index]
        do {
            let slice = try source(id)
            for (offset, round) in batch.rounds.enumerated() {
                let image = index * batch.rounds.count + offset
                var random = Philox(
                    seed: settings.seed, purpose: settings.purpose, epoch: UInt32(round), sample: streamNumber(of: id))
                networkInput(
                    of: slice, windows: settings.windows, augmentation: settings.augmentation, random: &random,
                    scratch: scratch[worker], into: target.base + image * frame.imageStride + frame.start,
                    rowStride: frame.rowStride)
            }
        } catch {
            failures.withLock { $0[index] = error }
        }
    }
}
