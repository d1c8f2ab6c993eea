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

    init(node: Graph.Node, graph: Graph) {
        var channels = 0
        switch node.operation {
        case .convolution(let convolution):
            taps = Layer.forwardTaps(convolution.geometry)
            phases = convolution.geometry.readsImage ? [] : Layer.backwardPhases(convolution.geometry)
        default:
            taps = []
            phases = []
            if case .batchNorm = node.operation { channels = graph.shapes[node.output].stride }
        }
        normalisation = Normalisation(channels: channels)
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
    /// A data gradient's transposed weights.
    let transposed: FloatBuffer
    /// Per worker: a weight gradient's partial sums, one per level of the tree and one in work.
    let worker: [FloatBuffer]
    /// Sums per channel and grain; also read as doubles.
    let channels: FloatBuffer
    /// Drop-connect's gain per image.
    let gains: FloatBuffer
    /// What a tap outside the input reads.
    let zeros: FloatBuffer

    /// Floats of weight gradient that one task works on.
    static let gradientPart = 1 << 17

    static func counts(graph: Graph, grains: Int, training: Bool) -> (transposed: Int, worker: Int, channels: Int) {
        let widest = graph.shapes.map(\.stride).max() ?? 16
        // Two doubles per channel and grain.
        let channels = 4 * widest * max(grains, 1)
        guard training else { return (0, 0, channels) }
        let geometries = graph.geometries
        let transposed =
            geometries.filter { !$0.readsImage && !$0.isDepthwise }
            .map { $0.inputPanels * $0.taps * $0.blockOutputs * 16 }.max() ?? 0
        let part = geometries.map { $0.panelsPerGradientTask * $0.panelStride }.max() ?? 0
        return (transposed, part * (levels(grains) + 1), channels)
    }

    /// Levels of the tree over the grains: partial sums that wait at the same time, at most.
    static func levels(_ grains: Int) -> Int {
        var levels = 1
        while 1 << (levels - 1) < grains { levels += 1 }
        return levels
    }

    init(graph: Graph, capacity: Int, grains: Int, training: Bool, workers: Int) {
        let counts = Scratch.counts(graph: graph, grains: grains, training: training)
        transposed = FloatBuffer(count: counts.transposed)
        worker = (0..<workers).map { _ in FloatBuffer(count: counts.worker) }
        channels = FloatBuffer(count: counts.channels)
        gains = FloatBuffer(count: capacity)
        zeros = FloatBuffer(count: (graph.shapes.map(\.stride).max() ?? 16) + 64)
    }

    /// The channel sums as doubles.
    var doubles: UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(channels.base).assumingMemoryBound(to: Double.self)
    }
}

extension Graph {
    var geometries: [ConvolutionGeometry] {
        nodes.compactMap { if case .convolution(let convolution) = $0.operation { convolution.geometry } else { nil } }
    }
}

extension ConvolutionGeometry {
    /// Output panels whose weight gradient one task computes: an even number where there are as many, as kernels take two.
    var panelsPerGradientTask: Int {
        let most = max(1, Scratch.gradientPart / panelStride)
        return min(outputPanels, most >= 2 ? most / 2 * 2 : 1, max(2, (outputPanels + 7) / 8 * 2))
    }
}
