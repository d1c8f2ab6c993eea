import CKernels
import Testing

@testable import Nets

/// Convolutions whose input is streamed, against networks that store it: docs/engine.md.
@Suite struct BandsTests {
    struct Case: CustomTestStringConvertible {
        let kernel: Int
        let stride: Int
        let groups: Int
        let channels: Int
        let squeezes: Bool
        var testDescription: String { "\(kernel)x\(kernel), stride \(stride), \(channels) channels in \(groups)" }
    }

    /// Bands of several heights, runs of panels that the last one does not fill, and a map whose sides divide into nothing.
    private static let cases = [
        Case(kernel: 3, stride: 1, groups: 152, channels: 152, squeezes: true),
        Case(kernel: 5, stride: 1, groups: 40, channels: 40, squeezes: true),
        Case(kernel: 3, stride: 2, groups: 304, channels: 304, squeezes: true),
        Case(kernel: 5, stride: 2, groups: 24, channels: 24, squeezes: false),
        Case(kernel: 3, stride: 1, groups: 20, channels: 80, squeezes: false),
    ]

    @Test(
        "what is made band by band has the bits of what is stored, on every thread count",
        arguments: cases, InstructionSet.available)
    func sameBits(_ layer: Case, set: InstructionSet) throws {
        let stored = try Self.network(layer, training: true, threads: 1, set: set)
        stored.forward(images: 2, training: false)
        for threads in 1...3 {
            let streamed = try Self.network(layer, training: false, threads: threads, set: set)
            let count = (0..<streamed.graph.shapes.count).count { streamed.schedule.fusions.streamed($0) != nil }
            #expect(count == (layer.squeezes ? 2 : 1))
            streamed.forward(images: 2, training: false)
            #expect(streamed.logits().map(\.bitPattern) == stored.logits().map(\.bitPattern))
        }
    }

    private static func network(_ layer: Case, training: Bool, threads: Int, set: InstructionSet) throws -> Network {
        var graph = Graph(input: Graph.Shape(height: 75, width: 115, channels: 3), training: training)
        let side = layer.kernel / 2
        var x = graph.convolution("stem", 0, outputChannels: 24, kernel: 3, stride: 2, padding: (1, 1))
        x = graph.batchNorm("bn0", x, activation: .relu)
        x = graph.convolution("wide", x, outputChannels: layer.channels)
        x = graph.batchNorm("bn1", x, activation: .swish)
        x = graph.convolution(
            "apart", x, outputChannels: layer.channels, kernel: layer.kernel, stride: layer.stride,
            padding: (side, side - layer.stride + 1), groups: layer.groups)
        x = graph.batchNorm("bn2", x, activation: .swish)
        if layer.squeezes {
            let factors = graph.activation(.sigmoid, graph.globalAveragePool(x))
            x = graph.scale(x, by: factors)
        }
        x = graph.convolution("narrow", x, outputChannels: 40)
        x = graph.batchNorm("bn3", x, activation: .identity)
        _ = graph.linear("fc", graph.globalAveragePool(x), outputs: 6)
        let weights = Weights(graph: graph)
        weights.initialise(seed: 5)
        let network = try Network(
            graph: graph, weights: weights, capacity: 2, training: training, pool: ThreadPool(threads: threads),
            kernels: set.kernels)
        for image in 0..<2 {
            network.setImage(image, (0..<75 * 115 * 3).map { Float(($0 * 31 + image * 7) % 101) / 101 - 0.5 })
        }
        return network
    }
}
