/// Predicts probabilities of slices with one set of weights.
///
/// A slice's probabilities do not depend on what else is in the batch or in the call.
public final class Predictor {
    /// How slices are turned into network inputs.
    public struct Settings: Sendable {
        public var backbone: Backbone
        /// Rows and columns of the network's input.
        public var imageSize: Int
        public var windows: [Window]
        /// nil predicts the slices as they are.
        public var augmentation: Augmentation?
        /// Test-time draws of the augmentation that are averaged; 1 without augmentation.
        public var draws: Int
        public var seed: UInt64
        /// Images at a time; shows in memory and speed only.
        public var batchSize: Int

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

    public let settings: Settings
    private let network: Network

    /// - Parameter weights: a whole state dict; entries that are no weights (optimiser state, batch counters) are passed over.
    /// - Throws: ``NetsError/weights(_:)`` that names what is missing or of another shape.
    public init(
        settings: Settings, weights tensors: [NamedTensor], pool: ThreadPool, arithmetic: Arithmetic = .exact
    ) throws(NetsError) {
        self.settings = settings
        let graph = settings.backbone.graph(size: settings.imageSize, training: false)
        let weights = Weights(graph: graph)
        try weights.load(settings.backbone.ownNames(of: tensors))
        network = Network(
            graph: graph, weights: weights, capacity: settings.batchSize, training: false, pool: pool,
            kernels: try InstructionSet.chosen().kernels, arithmetic: arithmetic)
    }

    /// Probabilities of slices, `ids.count` x 6 in the order any, epidural, subdural, subarachnoid, intraventricular,
    /// intraparenchymal: the mean of the draws' sigmoids, in double.
    ///
    /// - Throws: what the source throws.
    public func predict(_ ids: [String], source: SliceSource) throws -> [Double] {
        var result: [Double] = []
        result.reserveCapacity(ids.count * Backbone.outputs)
        for first in stride(from: 0, to: ids.count, by: settings.batchSize) {
            let batch = Array(ids[first..<min(ids.count, first + settings.batchSize)])
            var sums = [Double](repeating: 0, count: batch.count * Backbone.outputs)
            for draw in 0..<settings.draws {
                try network.setImages(
                    batch, source: source, windows: settings.windows, augmentation: settings.augmentation,
                    seed: settings.seed, purpose: .testTimeAugmentation, round: UInt32(draw))
                network.forward(images: batch.count, training: false)
                for (index, logit) in network.logits().enumerated() { sums[index] += Elementary.sigmoid(Double(logit)) }
            }
            result += sums.map { $0 / Double(settings.draws) }
        }
        return result
    }
}
