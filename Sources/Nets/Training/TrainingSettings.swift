import Basics

/// Everything that decides the bits of a training, besides its slices.
public struct TrainingSettings: Sendable, Codable, Equatable {
    /// The network.
    public var backbone: Backbone
    /// Rows and columns of the network's input.
    public var imageSize: Int
    /// Images of a step.
    public var batchSize: Int
    /// Parts that a batch's sums are cut into (docs/numerics.md); fewer where the batch is smaller.
    public var grains: Int
    /// Adam's learning rate in the first epoch.
    public var learningRate: Double
    /// Epochs, counted from 0, at whose start the learning rate is multiplied by `gamma`.
    public var milestones: [Int]
    /// What the learning rate is multiplied by at each milestone.
    public var gamma: Double
    /// What initial weights, the order of slices, augmentation and dropout are drawn from.
    public var seed: UInt64
    /// Weight of each output in the loss, in the order of the targets.
    public var lossWeights: [Float]
    /// The three channels of the network's input.
    public var windows: [Window]
    /// How slices are varied; nil trains on the slices as they are.
    public var augmentation: Augmentation?
    /// Replaces the backbone's own momentum of batch norms, in PyTorch's sense.
    public var batchNormMomentum: Float?

    /// Makes settings; windows and augmentation default to the original solution's.
    public init(
        backbone: Backbone, imageSize: Int, batchSize: Int, grains: Int = 8, learningRate: Double,
        milestones: [Int] = [],
        gamma: Double = 1, seed: UInt64, lossWeights: [Float] = [2, 1, 1, 1, 1, 1], windows: [Window] = Window.original,
        augmentation: Augmentation? = Augmentation(), batchNormMomentum: Float? = nil
    ) {
        self.backbone = backbone
        self.imageSize = imageSize
        self.batchSize = batchSize
        self.grains = grains
        self.learningRate = learningRate
        self.milestones = milestones
        self.gamma = gamma
        self.seed = seed
        self.lossWeights = lossWeights
        self.windows = windows
        self.augmentation = augmentation
        self.batchNormMomentum = batchNormMomentum
    }

    /// The learning rate of an epoch, PyTorch's `MultiStepLR` stepped per epoch.
    func learningRate(epoch: Int) -> Double {
        milestones.filter { $0 <= epoch }.reduce(learningRate) { rate, _ in rate * gamma }
    }

    /// Bytes of memory that a training takes: activations, gradients, parameters, Adam's moments and the images of two batches, the
    /// one in work and the next; decoded slices come on top.
    public func plannedBytes(threads: Int) -> Int {
        let graph = backbone.graph(size: imageSize, batchNormMomentum: batchNormMomentum)
        let network = Network.plannedBytes(
            graph: graph, capacity: batchSize, grains: grains, training: true, workers: threads)
        let input = BatchInput.plannedBytes(graph: graph, capacity: batchSize, workers: threads)
        return network + input + 4 * (3 * graph.parameters.count + graph.statistics.count)
    }
}

/// One slice to train on.
public struct TrainingSample: Sendable {
    /// The slice's ID, by which its pixels are asked for and its random numbers drawn.
    public var id: String
    /// The labels, 0 or 1 per output: any, epidural, subdural, subarachnoid, intraventricular, intraparenchymal.
    public var targets: [Float]

    /// Makes a sample of an ID and six labels.
    public init(id: String, targets: [Float]) {
        self.id = id
        self.targets = targets
    }
}

/// Gives a slice's pixels in HU by its ID; called from several threads at once, and ahead of need.
public typealias SliceSource = @Sendable (_ sampleID: String) throws -> HounsfieldImage

/// The number that a slice's random streams are keyed by: FNV-1a of its ID, so that they do not depend on what else is there.
func streamNumber(of id: String) -> UInt32 { id.utf8.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 } }

extension TrainingSettings: CanonicalValue {
    package func append(to form: inout CanonicalForm) {
        form.append(list: [
            backbone.rawValue, imageSize, batchSize, grains, learningRate, milestones, gamma, seed, lossWeights,
            windows,
            augmentation, batchNormMomentum,
        ])
    }
}
