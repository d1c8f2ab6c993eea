import Basics
import CKernels

/// A graph with memory, ready to run: forward, and backward when it was made for training.
///
/// A network runs one batch at a time. All memory is allocated here, before the first step.
final class Network {
    let graph: Graph
    let weights: Weights
    /// Images that fit.
    let capacity: Int
    /// Parts that a batch's sums are cut into; see docs/numerics.md.
    let grains: Int
    let training: Bool
    let arithmetic: Arithmetic
    /// The library that `arithmetic` wants, if it does.
    let openBLAS: OpenBLAS?
    let pool: ThreadPool
    let kernels: CKKernels

    let schedule: Schedule
    let arena: FloatBuffer
    /// The images with the first layer's border around them, zeros: `[capacity][height + border][width + border][3]`.
    ///
    /// `BatchInput` puts another buffer of that size in its place.
    var image: FloatBuffer
    /// Gradients of the parameters, laid out as they are; empty without training.
    let gradients: FloatBuffer
    let layers: [Layer]
    let scratch: Scratch
    /// Where each value lies in the arena at this time.
    private var places: [Int]
    /// How many images the current batch has.
    var images = 0
    /// Whether the current pass trains: batch norms use and update statistics, dropout draws.
    private(set) var isTraining = false
    /// Where the time of each step is summed up, if it is.
    var profile: Profile?
    /// What dropout and drop-connect draw their randomness from.
    var draws = Draws(seed: 0, epoch: 0, samples: [])

    /// The random numbers of one step are a function of these.
    struct Draws {
        var seed: UInt64
        var epoch: UInt32
        /// The images' numbers in the data set; empty turns dropout and drop-connect off.
        var samples: [UInt32]
    }

    /// - Throws: ``NetsError/missingLibrary(_:)`` if OpenBLAS is asked for and not there.
    init(
        graph: Graph, weights: Weights, capacity: Int, grains: Int = 8, training: Bool, pool: ThreadPool,
        kernels: CKKernels, arithmetic: Arithmetic = .exact
    ) throws(NetsError) {
        openBLAS = arithmetic == .openblas ? try OpenBLAS() : nil
        self.graph = graph
        self.weights = weights
        self.capacity = capacity
        self.grains = grains
        self.training = training
        self.pool = pool
        self.arithmetic = arithmetic
        self.kernels = kernels
        schedule = Schedule(
            graph: graph, batch: capacity, training: training, arithmetic: arithmetic)
        places = graph.shapes.map { _ in 0 }
        arena = FloatBuffer(count: schedule.count)
        let keepsWeights = !training && arithmetic == .exact
        layers = graph.nodes.map { Layer(node: $0, graph: graph, keepsWeights: keepsWeights) }
        image = FloatBuffer(count: capacity * Network.imageStride(graph))
        gradients = FloatBuffer(count: training ? graph.parameters.count : 0)
        scratch = Scratch(
            graph: graph, fusions: schedule.fusions, capacity: capacity, grains: grains, training: training,
            workers: pool.threads)
        transformWeights()
    }

    /// Bytes that a network takes, parameters and optimiser state aside; exact, before anything is allocated.
    static func plannedBytes(graph: Graph, capacity: Int, grains: Int = 8, training: Bool, workers: Int) -> Int {
        let schedule = Schedule(graph: graph, batch: capacity, training: training, arithmetic: .exact)
        let scratch = Scratch.Sizes(
            graph: graph, fusions: schedule.fusions, capacity: capacity, grains: grains, training: training,
            workers: workers)
        let kept = training ? 0 : graph.convolutions.reduce(0) { $0 + $1.transformedWeights }
        return 4
            * (schedule.count + kept + capacity * imageStride(graph) + (training ? graph.parameters.count : 0)
                + scratch.total(workers: workers))
    }

    /// Refuses a batch that the machine has no memory for, before anything is allocated.
    ///
    /// - Parameter planned: the bytes that a batch of this many images takes.
    /// - Throws: ``NetsError/memory(_:)`` with the largest batch that fits.
    static func checkMemory(batch: Int, planned: (_ batch: Int) -> Int) throws(NetsError) {
        let (needed, available) = (planned(batch), Machine.availableMemoryBytes)
        guard needed > available else { return }
        var (fits, tooMany) = (0, batch)
        while tooMany - fits > 1 {
            let middle = (fits + tooMany) / 2
            if planned(middle) > available { tooMany = middle } else { fits = middle }
        }
        throw .memory(
            "a batch of \(batch) takes \(Numbers.bytes(needed)) of memory and \(Numbers.bytes(available)) are free: "
                + (fits > 0
                    ? "at most \(fits) images fit, give a smaller batch." : "not one image fits, give a smaller size."))
    }

    /// The first layer's geometry; every backbone starts with a convolution of the image.
    static func stem(_ graph: Graph) -> ConvolutionGeometry {
        guard case .convolution(let convolution)? = graph.nodes.first?.operation else {
            preconditionFailure("a network starts with a convolution of the image")
        }
        return convolution.geometry
    }

    static func imageStride(_ graph: Graph) -> Int {
        let stem = stem(graph)
        let border = stem.paddingBefore + stem.paddingAfter
        return (graph.input.height + border) * (graph.input.width + border) * 3
    }

    /// Where an image's pixels lie in the image buffer, in floats.
    struct ImageFrame {
        /// From one image to the next.
        let imageStride: Int
        /// From one row to the next.
        let rowStride: Int
        /// The first pixel, after the border.
        let start: Int
    }

    var imageFrame: ImageFrame {
        let stem = Network.stem(graph)
        let row = (graph.input.width + stem.paddingBefore + stem.paddingAfter) * 3
        return ImageFrame(
            imageStride: Network.imageStride(graph), rowStride: row, start: stem.paddingBefore * (row + 3))
    }

    // MARK: Passes

    /// Runs the first `images` images of the image buffer.
    ///
    /// - Parameter training: batch norms use and update statistics, dropout draws; only in a network for training.
    func forward(images: Int, training: Bool) {
        precondition(!training || self.training, "this network was made for prediction")
        precondition(images > 0 && images <= capacity, "a batch of \(images) images does not fit \(capacity)")
        self.images = images
        isTraining = training
        for (index, step) in schedule.forward.enumerated() {
            if let profile { profile.time(forward: index) { run(step) } } else { run(step) }
        }
    }

    /// The logits of the last forward pass, `images` x outputs.
    func logits() -> [Float] {
        let shape = graph.shapes[graph.output]
        let base = value(graph.output)
        return (0..<images).flatMap { image in (0..<shape.channels).map { base[image * shape.stride + $0] } }
    }

    /// Computes the gradients of all parameters from that of the logits, `images` x outputs.
    func backward(logitsGradient: [Float]) {
        let shape = graph.shapes[graph.output]
        let target = gradient(graph.output)
        target.update(repeating: 0, count: images * shape.stride)
        for image in 0..<images {
            for output in 0..<shape.channels {
                target[image * shape.stride + output] = logitsGradient[image * shape.channels + output]
            }
        }
        for (index, step) in schedule.backward.enumerated() {
            if let profile { profile.time(backward: index) { run(step) } } else { run(step) }
        }
    }

    private func run(_ step: Schedule.Step) {
        if let place = step.place { places[written(by: step.action)] = place }
        switch step.action {
        case .forward(let index): forward(index)
        case .statistics(let index): normalise(schedule.fusions.all[index])
        case .fuse(let index): fuse(schedule.fusions.all[index])
        case .weightGradient(let index): weightGradient(index)
        case .dataGradient(let index): dataGradient(index)
        case .backward(let index): backward(index)
        case .outerGradient(let index): outerGradient(schedule.fusions.all[index])
        case .innerGradient(let index): innerGradient(schedule.fusions.all[index])
        }
    }

    private func written(by action: Schedule.Action) -> Graph.Value {
        switch action {
        case .fuse(let index): schedule.fusions.all[index].output
        case .forward(let index): absorbed(by: index)?.output ?? graph.nodes[index].output
        default: preconditionFailure("\(action) computes no value")
        }
    }

    /// The fusion that a convolution does to its sums.
    func absorbed(by index: Int) -> Fusion? { schedule.fusions.all.first { $0.convolution == index } }

    private func forward(_ index: Int) {
        let node = graph.nodes[index]
        switch node.operation {
        case .convolution(let convolution): convolve(index, convolution)
        case .activation(let kind): activate(node, kind)
        case .maxPool(let kernel, let stride, let padding): maxPool(index, kernel, stride, padding)
        case .globalAveragePool: averagePool(node)
        case .dropout(let probability): dropout(node, probability)
        case .batchNorm, .scale, .dropConnect, .add: preconditionFailure("always part of a fusion")
        }
    }

    private func backward(_ index: Int) {
        let node = graph.nodes[index]
        switch node.operation {
        case .activation(let kind): activateBackward(index, kind)
        case .maxPool(let kernel, let stride, let padding): maxPoolBackward(index, kernel, stride, padding)
        case .globalAveragePool: averagePoolBackward(index)
        case .dropout(let probability): dropoutBackward(node, probability)
        case .convolution, .batchNorm, .scale, .dropConnect, .add: preconditionFailure("has steps of its own")
        }
    }

    // MARK: Addresses

    func value(_ value: Graph.Value) -> UnsafeMutablePointer<Float> { arena.base + places[value] }

    func gradient(_ value: Graph.Value) -> UnsafeMutablePointer<Float> {
        guard let offset = schedule.gradients[value] else { preconditionFailure("value \(value) has no gradient") }
        return arena.base + offset
    }

    func parameter(_ index: Int) -> UnsafeMutablePointer<Float> {
        weights.parameters.base + graph.parameters.entries[index].offset
    }

    func parameterGradient(_ index: Int) -> UnsafeMutablePointer<Float> {
        gradients.base + graph.parameters.entries[index].offset
    }

    func statistic(_ index: Int) -> UnsafeMutablePointer<Float> {
        weights.statistics.base + graph.statistics.entries[index].offset
    }

    // MARK: Work

    /// The images of grain g: the batch cut into `grainCount` runs as even as they come.
    func grain(_ g: Int) -> Range<Int> { g * images / grainCount..<(g + 1) * images / grainCount }

    var grainCount: Int { min(grains, images) }

    /// Runs `body` over the parts of `0..<count`, each a multiple of `unit` long, enough of them for all threads.
    func inParts(of count: Int, unit: Int = 1, _ body: (_ part: Range<Int>) -> Void) {
        let units = (count + unit - 1) / unit
        let parts = min(units, pool.threads * 4)
        pool.run(parts) { part, _ in
            body(part * units / parts * unit..<min(count, (part + 1) * units / parts * unit))
        }
    }
}
