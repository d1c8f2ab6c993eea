/// Predicts probabilities of slices with one set of weights.
///
/// A slice's probabilities do not depend on what else is in the batch or in the call.
public final class Predictor {
    /// How slices are turned into network inputs.
    public struct Settings: Sendable {
        /// The network.
        public var backbone: Backbone
        /// Rows and columns of the network's input.
        public var imageSize: Int
        /// The three channels of the network's input.
        public var windows: [Window]
        /// How test-time draws vary a slice; nil predicts the slices as they are.
        public var augmentation: Augmentation?
        /// Test-time draws of the augmentation that are averaged, at least 1; 1 without augmentation.
        public var draws: Int
        /// What test-time draws are drawn from, with a slice's ID.
        public var seed: UInt64
        /// Images at a time; shows in memory and speed only.
        public var batchSize: Int

        /// Makes settings; windows and augmentation default to the original solution's.
        public init(
            backbone: Backbone, imageSize: Int, windows: [Window] = Window.original,
            augmentation: Augmentation? = Augmentation(), draws: Int = 5, seed: UInt64, batchSize: Int
        ) {
            self.backbone = backbone
            self.imageSize = imageSize
            self.windows = windows
            self.augmentation = augmentation
            self.draws = augmentation == nil ? 1 : draws
            self.seed = seed
            self.batchSize = batchSize
        }
    }

    /// How slices are turned into network inputs.
    public let settings: Settings
    private let network: Network
    private let input: BatchInput

    /// Builds the network and loads its weights; all memory is allocated here.
    ///
    /// - Parameter weights: a whole state dict; entries that are no weights (optimiser state, batch counters) are passed over.
    /// - Throws: ``NetsError/weights(_:)`` that names what is missing or of another shape; ``NetsError`` if the CPU or a library lacks
    ///   what is asked for.
    public init(
        settings: Settings, weights tensors: [NamedTensor], pool: ThreadPool, arithmetic: Arithmetic = .exact
    ) throws(NetsError) {
        self.settings = settings
        let graph = settings.backbone.graph(size: settings.imageSize, training: false)
        try Network.checkMemory(batch: settings.batchSize) { batch in
            Network.plannedBytes(graph: graph, capacity: batch, training: false, workers: pool.threads)
                + BatchInput.plannedBytes(graph: graph, capacity: batch, workers: pool.threads)
                + 4 * graph.parameters.count
        }
        let weights = Weights(graph: graph)
        try weights.load(try settings.backbone.ownNames(of: tensors))
        network = try Network(
            graph: graph, weights: weights, capacity: settings.batchSize, training: false, pool: pool,
            kernels: try InstructionSet.chosen().kernels, arithmetic: arithmetic)
        input = BatchInput(
            network: network,
            settings: .init(
                windows: settings.windows, augmentation: settings.augmentation, seed: settings.seed,
                purpose: .testTimeAugmentation))
    }

    /// Probabilities of slices, `ids.count` x 6 in the order any, epidural, subdural, subarachnoid, intraventricular,
    /// intraparenchymal: the mean of the draws' sigmoids, in double.
    ///
    /// - Throws: what the source throws; ``NetsError/diverged(_:)`` if an output is no finite number.
    public func predict(_ ids: [String], source: @escaping SliceSource) throws -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(ids.count * Backbone.outputs)
        try predict(ids, source: source) { result += $0 }
        return result
    }

    /// Gives `body` the probabilities of the slices, some slices at a time in the order of `ids`.
    ///
    /// A slice is decoded once for all its draws, unless these are more than fit a batch; the next batch is read meanwhile.
    /// - Throws: what the source or `body` throws.
    public func predict(
        _ ids: [String], source: @escaping SliceSource, _ body: (_ probabilities: [Double]) throws -> Void
    ) throws {
        defer { input.discard() }
        let batches = batches(of: ids)
        var sums: [Double] = []
        for (index, batch) in batches.enumerated() {
            try input.take(batch, then: index + 1 < batches.count ? batches[index + 1] : nil, from: source)
            network.forward(images: batch.images, training: false)
            if batch.rounds.lowerBound == 0 { sums = [Double](repeating: 0, count: batch.ids.count * Backbone.outputs) }
            for (place, logit) in network.logits().enumerated() {
                let slice = place / Backbone.outputs / batch.rounds.count
                guard logit.isFinite else {
                    throw NetsError.diverged("the network's output for the slice \(batch.ids[slice]) is \(logit)")
                }
                sums[slice * Backbone.outputs + place % Backbone.outputs] += Elementary.sigmoid(Double(logit))
            }
            if batch.rounds.upperBound == settings.draws { try body(sums.map { $0 / Double(settings.draws) }) }
        }
    }

    /// As many slices with all their draws as fit, or one slice with some of its draws.
    private func batches(of ids: [String]) -> [BatchInput.Batch] {
        let slices = max(1, settings.batchSize / settings.draws)
        let draws = min(settings.draws, settings.batchSize)
        return stride(from: 0, to: ids.count, by: slices).flatMap { first in
            stride(from: 0, to: settings.draws, by: draws).map { draw in
                BatchInput.Batch(
                    ids: Array(ids[first..<min(ids.count, first + slices)]),
                    rounds: draw..<min(settings.draws, draw + draws))
            }
        }
    }
}
