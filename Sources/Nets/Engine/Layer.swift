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
