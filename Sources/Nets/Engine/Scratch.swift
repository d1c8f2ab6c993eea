import CKernels

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
