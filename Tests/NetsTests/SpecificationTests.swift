import CKernels
import Testing

@testable import Nets

/// The engine against docs/numerics.md, bit for bit, on every instruction set and with 1 to 3 threads.
@Suite struct SpecificationTests {
    /// Small networks that between them use every operation on shapes that divide by nothing.
    static let graphs: [(name: String, batch: Int, grains: Int, graph: Graph)] = [
        ("dense convolutions, both strides, asymmetric padding, bias", 3, 8, dense()),
        ("groups of 4, 8, 16 and 32", 5, 4, grouped()),
        ("depthwise 3x3 and 5x5, both strides, swish, squeeze-excite", 4, 3, depthwise()),
        ("Winograd tiles on odd and even maps, bias, residual sum", 5, 3, winograd()),
        ("Strassen's products on odd and even maps, stride 2, two readers, residual sum", 2, 2, strassen()),
        ("residual sums, ceil-mode pooling, projection", 7, 7, residual()),
    ]

    private static func dense() -> Graph {
        var g = Graph(input: .init(height: 11, width: 13, channels: 3))
        var x = g.convolution("a", 0, outputChannels: 24, kernel: 7, stride: 2, padding: (3, 3))
        x = g.convolution("b", x, outputChannels: 40, kernel: 3, padding: (1, 1), bias: true)
        x = g.activation(.swish, x)
        x = g.convolution("c", x, outputChannels: 33, kernel: 3, stride: 2, padding: (0, 1))
        x = g.activation(.relu, x)
        x = g.convolution("d", x, outputChannels: 50, kernel: 5, padding: (2, 2))
        _ = g.linear("e", g.globalAveragePool(x), outputs: 6)
        return g
    }

    private static func grouped() -> Graph {
        var g = Graph(input: .init(height: 9, width: 7, channels: 3))
        var x = g.convolution("stem", 0, outputChannels: 64, kernel: 3, stride: 1, padding: (1, 1))
        for (index, groups) in [16, 8, 4, 2].enumerated() {
            x = g.convolution(
                "g\(index)", x, outputChannels: 64, kernel: 3, stride: index == 1 ? 2 : 1, padding: (1, 1),
                groups: groups)
            x = g.batchNorm("n\(index)", x, activation: .relu)
        }
        _ = g.linear("e", g.globalAveragePool(x), outputs: 6)
        return g
    }

    private static func depthwise() -> Graph {
        var g = Graph(input: .init(height: 13, width: 10, channels: 3))
        var x = g.convolution("stem", 0, outputChannels: 40, kernel: 3, stride: 2, padding: (0, 1))
        x = g.batchNorm("n", x, activation: .swish, epsilon: 1e-3, momentum: 0.01)
        for (index, (kernel, stride, padding)) in [(3, 1, (1, 1)), (5, 2, (1, 2)), (3, 2, (0, 1)), (5, 1, (2, 2))]
            .enumerated()
        {
            x = g.convolution(
                "d\(index)", x, outputChannels: 40, kernel: kernel, stride: stride, padding: padding, groups: 40)
            x = g.batchNorm("n\(index)", x, activation: .swish, epsilon: 1e-3, momentum: 0.01)
            x = g.squeezeExcite(x, reduce: "r\(index)", expand: "e\(index)", squeezed: 10, activation: .swish)
        }
        _ = g.linear("e", g.globalAveragePool(x), outputs: 6)
        return g
    }

    private static func winograd() -> Graph {
        var g = Graph(input: .init(height: 14, width: 13, channels: 3))
        var x = g.convolution("stem", 0, outputChannels: 33, kernel: 3, padding: (1, 1))
        x = g.batchNorm("n", x, activation: .relu)
        let shortcut = x
        x = g.convolution("a", x, outputChannels: 68, kernel: 3, padding: (1, 1))
        x = g.batchNorm("an", x, activation: .relu)
        x = g.convolution("b", x, outputChannels: 33, kernel: 3, padding: (1, 1))
        x = g.batchNorm("bn", x, activation: .identity)
        x = g.add(x, shortcut, activation: .relu)
        x = g.convolution("c", x, outputChannels: 40, kernel: 3, padding: (1, 1), bias: true)
        precondition(g.convolutions.count { $0.method == .winograd } == 3)
        _ = g.linear("e", g.globalAveragePool(x), outputs: 6)
        return g
    }

    private static func strassen() -> Graph {
        var g = Graph(input: .init(height: 32, width: 31, channels: 3))
        var x = g.convolution("stem", 0, outputChannels: 256, kernel: 3, padding: (1, 1))
        x = g.batchNorm("n", x, activation: .relu)
        // 16 x 16 pixels, an even number, of which the gradient comes from two sides.
        x = g.convolution("a", x, outputChannels: 288, stride: 2)
        x = g.batchNorm("an", x, activation: .relu)
        var y = g.convolution("b", x, outputChannels: 256, bias: true)
        y = g.activation(.relu, y)
        y = g.convolution("c", y, outputChannels: 288)
        y = g.batchNorm("cn", y, activation: .identity)
        x = g.add(y, x, activation: .relu)
        // 15 x 15: the last pixel has no partner.
        x = g.convolution("d", x, outputChannels: 16, kernel: 2)
        x = g.convolution("e", x, outputChannels: 256, kernel: 2, padding: (0, 1))
        x = g.batchNorm("en", x, activation: .relu)
        let shortcut = x
        x = g.convolution("f", x, outputChannels: 256)
        x = g.batchNorm("fn", x, activation: .identity)
        x = g.add(x, shortcut, activation: .relu)
        precondition(g.convolutions.count { $0.method == .strassen } == 4)
        _ = g.linear("l", g.globalAveragePool(x), outputs: 6)
        return g
    }

    private static func residual() -> Graph {
        var g = Graph(input: .init(height: 16, width: 15, channels: 3))
        var x = g.convolution("stem", 0, outputChannels: 20, kernel: 3, stride: 1, padding: (1, 1))
        x = g.batchNorm("n", x, activation: .relu)
        x = g.maxPool(x, kernel: 3, stride: 2, ceil: true)
        let shortcut = x
        x = g.convolution("a", x, outputChannels: 20, kernel: 3, padding: (1, 1))
        x = g.batchNorm("an", x, activation: .identity)
        x = g.add(x, shortcut, activation: .relu)
        var projected = g.convolution("p", x, outputChannels: 36, stride: 2)
        projected = g.batchNorm("pn", projected, activation: .identity)
        var y = g.convolution("b", x, outputChannels: 36, kernel: 3, stride: 2, padding: (1, 1))
        y = g.batchNorm("bn", y, activation: .identity)
        x = g.add(y, projected, activation: .relu)
        x = g.maxPool(x, kernel: 3, stride: 2, padding: 1)
        let pooled = g.activation(.sigmoid, x)
        x = g.convolution("c", pooled, outputChannels: 36, kernel: 1)
        x = g.add(x, pooled, activation: .identity)
        _ = g.linear("e", g.globalAveragePool(x), outputs: 6)
        return g
    }

    /// Every table that this CPU runs, libm's scalar one too.
    static let tables = [CK_SCALAR, CK_SCALAR_FMA, CK_AVX2, CK_AVX512].filter { ck_supports($0) != 0 }

    @Test("logits, statistics and gradients have the specification's bits", arguments: graphs.indices)
    func matchesSpecification(index: Int) throws {
        let (name, batch, grains, graph) = Self.graphs[index]
        let input = graph.input
        let images = referenceUniform("images \(index)", count: batch * input.pixels * 3).map { Float($0) - 0.3 }
        let logitsGradient = referenceUniform("gradient \(index)", count: batch * 6).map { Float($0) - 0.5 }
        var specification = ScalarSpecification(
            graph: graph, batch: batch, grains: grains, weights: weights(graph), image: images)
        specification.forward()
        specification.backward(logitsGradient: logitsGradient)

        for table in Self.tables {
            for threads in 1...3 {
                let network = try Network(
                    graph: graph, weights: weights(graph), capacity: batch + 1, grains: grains, training: true,
                    pool: ThreadPool(threads: threads), kernels: ck_kernels(table).pointee)
                for image in 0..<batch {
                    network.setImage(image, Array(images[image * input.pixels * 3..<(image + 1) * input.pixels * 3]))
                }
                network.forward(images: batch, training: true)
                let setting = "\(name), table \(table.rawValue), \(threads) threads"
                expectSameBits(network.logits(), specification.logits, "logits: \(setting)")
                network.backward(logitsGradient: logitsGradient)
                for (index, entry) in graph.parameters.entries.enumerated() {
                    let values = graph.parameters.values(of: entry, in: network.gradients)
                    expectSameBits(values, specification.gradients[index], "\(entry.name): \(setting)")
                }
                for (index, entry) in graph.statistics.entries.enumerated() {
                    let values = graph.statistics.values(of: entry, in: network.weights.statistics)
                    expectSameBits(values, specification.statistics[index], "\(entry.name): \(setting)")
                }
            }
        }
    }

    private func expectSameBits(_ values: [Float], _ expected: [Float], _ what: String) {
        let different = zip(values, expected).count { $0.bitPattern != $1.bitPattern }
        #expect(different == 0 && values.count == expected.count, "\(what)")
    }

    private func weights(_ graph: Graph) -> Weights {
        let weights = Weights(graph: graph)
        weights.initialise(seed: 7)
        return weights
    }
}

@Suite struct EpilogueTests {
    @Test(
        "a network for prediction has the bits of one for training that evaluates",
        arguments: Backbone.allCases, InstructionSet.available)
    func sameBits(backbone: Backbone, set: InstructionSet) throws {
        let whole = try referenceNetwork(backbone, batch: 3, size: 64, instructionSet: set).network
        let fused = try referenceNetwork(backbone, batch: 3, size: 64, training: false, instructionSet: set).network
        for network in [whole, fused] { network.forward(images: 3, training: false) }
        #expect(fused.logits().map(\.bitPattern) == whole.logits().map(\.bitPattern))
        #expect(fused.schedule.count < whole.schedule.count / 2, "a network for prediction keeps few maps")
    }
}
