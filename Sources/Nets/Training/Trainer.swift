import Foundation

/// Trains one backbone on a set of slices, step by step; its whole state can be saved and taken up again at any step.
///
/// The bits of its parameters after n steps are a function of the settings, the slices and the start alone: not of threads,
/// instruction set, or of how often it was saved and taken up.
public final class Trainer {
    /// What decides the training, besides its slices.
    public let settings: TrainingSettings
    /// Steps made since the start of the training.
    public private(set) var stepsDone = 0
    /// Whole batches in an epoch; what is left over after them sits the epoch out.
    public let stepsPerEpoch: Int

    private let samples: [TrainingSample]
    private let source: SliceSource
    private let network: Network
    private let input: BatchInput
    private let adam: Adam
    private let loss: WeightedLoss
    private var order: (epoch: Int, indices: [Int])?

    /// Starts from random weights, which the seed decides.
    ///
    /// - Throws: ``NetsError`` if `REPRO_ISA` names an instruction set that this CPU lacks, or OpenBLAS is asked for and not installed.
    public convenience init(
        settings: TrainingSettings, samples: [TrainingSample], source: @escaping SliceSource, pool: ThreadPool,
        arithmetic: Arithmetic = .exact
    ) throws(NetsError) {
        try self.init(
            settings: settings, samples: samples, source: source, pool: pool, arithmetic: arithmetic,
            instructionSet: .chosen())
    }

    init(
        settings: TrainingSettings, samples: [TrainingSample], source: @escaping SliceSource, pool: ThreadPool,
        arithmetic: Arithmetic = .exact, instructionSet: InstructionSet
    ) throws(NetsError) {
        precondition(samples.count >= settings.batchSize, "fewer slices than a batch")
        try Network.checkMemory(batch: settings.batchSize) { batch in
            var smaller = settings
            smaller.batchSize = batch
            return smaller.plannedBytes(threads: pool.threads)
        }
        self.settings = settings
        self.samples = samples
        self.source = source
        stepsPerEpoch = samples.count / settings.batchSize
        let graph = settings.backbone.graph(size: settings.imageSize, batchNormMomentum: settings.batchNormMomentum)
        let weights = Weights(graph: graph)
        weights.initialise(seed: settings.seed)
        network = try Network(
            graph: graph, weights: weights, capacity: settings.batchSize, grains: settings.grains, training: true,
            pool: pool,
            kernels: instructionSet.kernels, arithmetic: arithmetic)
        input = BatchInput(
            network: network,
            settings: .init(
                windows: settings.windows, augmentation: settings.augmentation, seed: settings.seed,
                purpose: .augmentation))
        adam = Adam(count: graph.parameters.count)
        loss = WeightedLoss(weights: settings.lossWeights)
    }

    /// Replaces all weights but the last layer's by those of an ImageNet file.
    ///
    /// - Throws: ``NetsError/weights(_:)`` that names what is missing or of another shape.
    public func load(imageNet tensors: [NamedTensor]) throws(NetsError) {
        let backbone = settings.backbone
        try network.weights.load(
            backbone.ownNames(of: tensors, exceptLastLayer: true), except: backbone.lastLayer)
    }

    /// Makes one optimisation step and returns its loss; meanwhile the next step's slices are read.
    ///
    /// - Throws: what the source throws for a slice of this step; nothing has changed then. ``NetsError/diverged(_:)`` at the first
    ///   loss, gradient, statistic or weight that is no finite number; the training's state is of no use then.
    public func step() throws -> Double {
        let epoch = stepsDone / stepsPerEpoch
        let batch = batch(of: stepsDone)
        try input.take(images(of: batch, epoch), then: nextImages(), from: source)
        network.draws = Network.Draws(
            seed: settings.seed, epoch: UInt32(epoch), samples: batch.map { streamNumber(of: $0.id) })
        network.forward(images: batch.count, training: true)
        let result = loss(
            logits: network.logits(), targets: batch.flatMap(\.targets),
            grains: (0..<network.grainCount).map(network.grain))
        guard result.loss.isFinite else {
            throw NetsError.diverged("the loss of step \(stepsDone + 1) is \(result.loss)")
        }
        network.backward(logitsGradient: result.gradient)
        var isFinite = true
        let update = { [self] in isFinite = adam.update(network, learningRate: settings.learningRate(epoch: epoch)) }
        if let profile = network.profile { profile.time(update: update) } else { update() }
        stepsDone += 1
        guard isFinite, network.weights.statistics.isFinite else { throw NetsError.diverged(firstProblem()) }
        return result.loss
    }

    /// What went wrong in the last step: the first array with numbers that are none, in the order in which a step makes them.
    private func firstProblem() -> String {
        let weights = network.weights
        let arrays = [
            (weights.statisticsTable, weights.statistics, ""),
            (weights.parameterTable, network.gradients, "the gradient of "),
            (weights.parameterTable, adam.mean, "Adam's mean of "),
            (weights.parameterTable, adam.variance, "Adam's variance of "),
            (weights.parameterTable, weights.parameters, ""),
        ]
        for (table, buffer, what) in arrays {
            for entry in table.entries {
                let values = table.values(of: entry, in: buffer)
                let count = values.count { !$0.isFinite }
                if count > 0 {
                    return
                        "in step \(stepsDone) \(what)\(entry.name) has \(count) of \(values.count) values that are no finite number"
                }
            }
        }
        return "step \(stepsDone) gave a value that is no finite number"
    }

    /// What the step after this one will ask for, in the next epoch perhaps.
    private func nextImages() -> BatchInput.Batch {
        images(of: batch(of: stepsDone + 1), (stepsDone + 1) / stepsPerEpoch)
    }

    private func images(of batch: [TrainingSample], _ epoch: Int) -> BatchInput.Batch {
        BatchInput.Batch(ids: batch.map(\.id), rounds: epoch..<epoch + 1)
    }

    /// The slices of a step. An epoch's order is a permutation drawn from (seed, epoch).
    private func batch(of step: Int) -> [TrainingSample] {
        let epoch = step / stepsPerEpoch
        if order?.epoch != epoch {
            var random = Philox(seed: settings.seed, purpose: .shuffle, epoch: UInt32(epoch), sample: 0)
            order = (epoch, random.permutation(samples.count))
        }
        let first = step % stepsPerEpoch * settings.batchSize
        return (order?.indices ?? [])[first..<first + settings.batchSize].map { samples[$0] }
    }

    /// Makes some steps and says what each operation of one cost, in the order in which they run.
    package func profile(steps: Int) throws -> [OperationCost] {
        network.profile = Profile(network.schedule)
        defer { network.profile = nil }
        for _ in 0..<steps { _ = try step() }
        return network.costs(passes: steps)
    }

    // MARK: State

    private enum Key {
        static let settings = "settings"
        static let steps = "steps"
        static let mean = "optimizer.exp_avg."
        static let variance = "optimizer.exp_avg_sq."
    }

    /// The whole state: weights and statistics under PyTorch's names, Adam's moments, and settings and steps as metadata.
    public func snapshot() -> SafeTensors {
        let weights = network.weights
        var tensors = weights.namedTensors()
        for (prefix, buffer) in [(Key.mean, adam.mean), (Key.variance, adam.variance)] {
            tensors += weights.parameterTable.namedTensors(in: buffer, prefix: prefix)
        }
        return SafeTensors(
            metadata: [
                "format": "repro-training-1", "backbone": settings.backbone.rawValue, Key.settings: settingsText,
                Key.steps: String(stepsDone),
            ], tensors: tensors)
    }

    /// Goes on from a snapshot of the same training.
    ///
    /// - Throws: ``NetsError/resume(_:)`` if it was made with other settings, ``NetsError/weights(_:)`` if it is incomplete.
    public func restore(_ state: SafeTensors) throws(NetsError) {
        guard state.metadata[Key.settings] == settingsText, let steps = state.metadata[Key.steps].flatMap(Int.init)
        else {
            throw .resume("the checkpoint was made by a training with other settings")
        }
        try network.weights.load(state.tensors)
        for (prefix, buffer) in [(Key.mean, adam.mean), (Key.variance, adam.variance)] {
            try network.weights.parameterTable.load(state.tensors, into: buffer, prefix: prefix)
        }
        adam.resume(step: steps)
        stepsDone = steps
    }

    private var settingsText: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return (try? encoder.encode(settings)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
