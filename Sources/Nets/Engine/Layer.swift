import CKernels

/// What a node keeps between passes: its taps, and a batch norm's numbers of the last forward pass.
final class Layer {
    /// One gather of a data gradient: the input pixels (row + stride * a, column + stride * b), and where each tap reads.
    struct Phase {
        let row: Int
        let column: Int
        let taps: [CKTap]
    }

    /// The forward pass's taps.
    let taps: [CKTap]
    /// The data gradient's, one phase per position within a stride.
    let phases: [Phase]
    let normalisation: Normalisation
    /// A convolution's weights as its method takes them, in a network that does not train.
    let weights: FloatBuffer

    /// - Parameter keepsWeights: whether the network does not train, so that transformed weights stay as they are.
    init(node: Graph.Node, graph: Graph, keepsWeights: Bool) {
        var channels = 0
        var weightCount = 0
        switch node.operation {
        case .convolution(let convolution):
            taps = Layer.forwardTaps(convolution.geometry)
            phases = convolution.geometry.readsImage ? [] : Layer.backwardPhases(convolution.geometry)
            if keepsWeights { weightCount = convolution.transformedWeights }
        default:
            taps = []
            phases = []
            if case .batchNorm = node.operation { channels = graph.shapes[node.output].stride }
        }
        normalisation = Normalisation(channels: channels)
        weights = FloatBuffer(count: weightCount)
    }

    /// Kernel rows from the top, columns from the left. The first layer's image is stored with its border, and a kernel row
    /// of it is one run of 3 * kernel numbers.
    private static func forwardTaps(_ g: ConvolutionGeometry) -> [CKTap] {
        let tapStride = g.blockInputs * 16
        if g.readsImage {
            return (0..<g.kernel).map { CKTap(row: Int32($0), column: 0, weights: Int64($0 * g.kernel * tapStride)) }
        }
        return (0..<g.taps).map { tap in
            CKTap(
                row: Int32(tap / g.kernel - g.paddingBefore), column: Int32(tap % g.kernel - g.paddingBefore),
                weights: Int64(tap * tapStride))
        }
    }

    /// For each position within a stride, the taps that reach it, from the last kernel row and column to the first, so that
    /// the output gradient is read from the top left on.
    private static func backwardPhases(_ g: ConvolutionGeometry) -> [Phase] {
        func reaching(_ position: Int) -> [(tap: Int, offset: Int)] {
            (0..<g.kernel).reversed().filter { (position + g.paddingBefore - $0) % g.stride == 0 }
                .map { ($0, (position + g.paddingBefore - $0) / g.stride) }
        }
        return (0..<g.stride).flatMap { row in
            (0..<g.stride).map { column in
                let taps = reaching(row).flatMap { vertical in
                    reaching(column).map { horizontal in
                        CKTap(
                            row: Int32(vertical.offset), column: Int32(horizontal.offset),
                            weights: Int64((vertical.tap * g.kernel + horizontal.tap) * g.blockOutputs * 16))
                    }
                }
                return Phase(row: row, column: column, taps: taps)
            }
        }
    }
}

/// A batch norm's numbers of the last pass, one of each per channel.
final class Normalisation {
    private let buffer: FloatBuffer
    private let channels: Int

    init(channels: Int) {
        self.channels = channels
        buffer = FloatBuffer(count: 6 * channels)
    }

    var mean: UnsafeMutablePointer<Float> { buffer.base }
    /// 1 / deviation.
    var inverse: UnsafeMutablePointer<Float> { buffer.base + channels }
    /// fma(x, scale, shift) is the normalised x.
    var scale: UnsafeMutablePointer<Float> { buffer.base + 2 * channels }
    var shift: UnsafeMutablePointer<Float> { buffer.base + 3 * channels }
    /// dx = scale * (dz - fma(x, slope, offset)).
    var slope: UnsafeMutablePointer<Float> { buffer.base + 4 * channels }
    var offset: UnsafeMutablePointer<Float> { buffer.base + 5 * channels }
}

/// Memory that every operation may use while it runs.
final class Scratch {
    /// How many floats each part takes, by the largest layer.
    struct Sizes {
        var transposed = 0
        /// Weights as Winograd's tiles or Strassen's products take them.
        var transformed = 0
        var partials = 0
        var packed = 0
        /// Per worker.
        var worker = 0
        var sums = 0
        var channels = 0
        var gains = 0
        var zeros = 0

        init(graph: Graph, fusions: Fusions, capacity: Int, grains: Int, training: Bool, workers: Int) {
            let widest = graph.shapes.map(\.stride).max() ?? 16
            // Two doubles per channel and grain; or one per channel and worker; or one per channel and image.
            channels = 2 * widest * max(2 * grains, workers, capacity)
            gains = capacity
            zeros = widest + 64
            for node in graph.nodes {
                guard case .convolution(let convolution) = node.operation else { continue }
                let g = convolution.geometry
                switch convolution.method {
                case .direct: break
                case .winograd: worker = max(worker, workspace(g.inputPanels, 2))
                case .strassen:
                    let channels = training ? max(g.inputChannels, g.outputChannels) : g.inputChannels
                    worker = max(worker, Int(ck_strassen_workspace(Int32(channels))))
                }
                if fusions.streamed(node.inputs[0]) != nil {
                    worker = max(worker, Bands.workspace(convolution, input: graph.shapes[node.inputs[0]]))
                }
                guard training else { continue }
                transformed = max(transformed, convolution.transformedWeights)
                let work = GradientWork(convolution, grains: min(grains, capacity), threads: workers)
                if work.grainsApart {
                    partials = max(partials, min(grains, capacity) * g.outputPanels * work.panelStride)
                } else {
                    sums = max(sums, work.panels * work.panelStride * (GrainTree.levels(grains) + 1))
                }
                if !g.readsImage && !g.isDepthwise {
                    transposed = max(transposed, g.inputPanels * g.taps * g.blockOutputs * 16)
                }
                let pixels = graph.shapes[node.output].pixels
                if convolution.sumsByTree && pixels <= Int(CK_TREE_POINTS) {
                    if convolution.packsPoints {
                        let points = min(capacity, Int(CK_TREE_POINTS) / pixels) * pixels
                        packed = max(packed, points * ((g.inputChannels + 11) / 12 * 12))
                        worker = max(worker, 2 * 16 * Int(CK_TREE_POINTS))
                    }
                }
                if convolution.method == .winograd {
                    worker = max(worker, workspace(g.outputPanels, 2), workspace(g.inputPanels, work.panels))
                }
            }
        }

        private func workspace(_ inputPanels: Int, _ panels: Int) -> Int {
            Int(ck_winograd_workspace(Int64(16 * inputPanels), Int32(panels)))
        }

        func total(workers: Int) -> Int {
            transposed + transformed + partials + packed + (worker + sums) * workers + channels + gains + zeros
        }
    }

    /// A data gradient's transposed weights.
    let transposed: FloatBuffer
    /// The weights of the convolution that runs, transformed, in a network that trains.
    let transformed: FloatBuffer
    /// A weight gradient's sums of all grains.
    let partials: FloatBuffer
    /// What the points of a small map read, for a weight gradient.
    let packed: FloatBuffer
    /// Per worker: a convolution's workspace.
    let worker: [FloatBuffer]
    /// Per worker: a weight gradient's partial sums, one per level of the tree and one in work.
    let sums: [FloatBuffer]
    /// Sums per channel and grain, or per channel and worker, as doubles.
    private let channels: FloatBuffer
    private let widest: Int
    /// Drop-connect's gain per image.
    let gains: FloatBuffer
    /// What a tap outside the input reads.
    let zeros: FloatBuffer

    init(graph: Graph, fusions: Fusions, capacity: Int, grains: Int, training: Bool, workers: Int) {
        let sizes = Sizes(
            graph: graph, fusions: fusions, capacity: capacity, grains: grains, training: training, workers: workers)
        transposed = FloatBuffer(count: sizes.transposed)
        transformed = FloatBuffer(count: sizes.transformed)
        partials = FloatBuffer(count: sizes.partials)
        packed = FloatBuffer(count: sizes.packed)
        worker = (0..<workers).map { _ in FloatBuffer(count: sizes.worker) }
        sums = (0..<workers).map { _ in FloatBuffer(count: sizes.sums) }
        channels = FloatBuffer(count: sizes.channels)
        widest = graph.shapes.map(\.stride).max() ?? 16
        gains = FloatBuffer(count: sizes.gains)
        zeros = FloatBuffer(count: sizes.zeros)
    }

    /// A worker's sums, one per channel.
    func laneSums(_ worker: Int) -> UnsafeMutablePointer<Double> { doubles + worker * widest }

    /// The channel sums.
    var doubles: UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(channels.base).assumingMemoryBound(to: Double.self)
    }
}

extension Graph {
    var convolutions: [Convolution] {
        nodes.compactMap { if case .convolution(let convolution) = $0.operation { convolution } else { nil } }
    }
}

extension Convolution {
    /// Whether the sum tile by tile copies its points first: pixels of half a page or multiples of it share one set of the cache.
    var packsPoints: Bool { geometry.kernel == 1 && geometry.inputChannels % 512 == 0 }

    /// Whether the weight gradient of a batch with few pixels is summed tile by tile.
    var sumsByTree: Bool { method != .winograd && geometry.groups == 1 && !geometry.readsImage }

    /// Floats that a worker's Strassen products take, forward.
    var productWorkspace: Int { method == .strassen ? Int(ck_strassen_workspace(geometry.chain)) : 0 }

    /// Floats that its transformed weights take, forward or backward.
    var transformedWeights: Int {
        let g = geometry
        return switch method {
        case .direct: 0
        case .winograd:
            16 * 16 * max(g.outputPanels * g.inputChannels, g.inputPanels * g.outputChannels)
        case .strassen: 7 * (g.inputChannels / 2) * (g.outputChannels / 2)
        }
    }
}
