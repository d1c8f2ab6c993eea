import Foundation
import Testing

@testable import Nets

/// The three backbones against float64 PyTorch. Tolerances are four times what PyTorch's own float32 errs by.
@Suite struct ReferenceTests {
    @Test("logits, losses, gradients, batch-norm statistics and Adam steps are PyTorch's", arguments: Backbone.allCases)
    func matchesPyTorch(backbone: Backbone) throws {
        for reference in try Reference.load(backbone).cases {
            let (network, targets) = try referenceNetwork(backbone, batch: reference.batch, size: reference.size)
            network.forward(images: reference.batch, training: false)
            expectClose(network.logits(), reference.evalLogits, within: 8e-6, "evaluation logits")

            let adam = Adam(count: network.graph.parameters.count)
            let loss = WeightedLoss(weights: [2, 1, 1, 1, 1, 1])
            let tolerances = [1.6e-6, 1.6e-3, 8e-3]
            for step in 0..<3 {
                network.forward(images: reference.batch, training: true)
                if step == 0 { expectClose(network.logits(), reference.trainLogits, within: 8e-5, "training logits") }
                let result = loss(
                    logits: network.logits(), targets: targets, grains: (0..<network.grainCount).map(network.grain))
                print(backbone.rawValue, reference.size, "loss", step, result.loss - reference.losses[step])
                #expect(abs(result.loss - reference.losses[step]) < tolerances[step], "loss of step \(step)")
                network.backward(logitsGradient: result.gradient)
                if step == 0 { expectGradients(network, reference) }
                adam.update(network, learningRate: 6e-5)
                if step == 0 { expectAfterStep(network, reference) }
            }
            network.forward(images: reference.batch, training: false)
            expectClose(network.logits(), reference.evalLogitsAfter3Steps, within: 1e-2, "logits after three steps")
        }
    }

    private func expectClose(_ logits: [Float], _ expected: [[Double]], within tolerance: Double, _ what: String) {
        let worst = zip(logits, expected.flatMap(\.self)).map { abs(Double($0) - $1) / max(1, abs($1)) }.max() ?? .infinity
        print(what, worst)
        #expect(worst < tolerance, "\(what) are off by \(worst)")
    }

    private func expectGradients(_ network: Network, _ reference: Reference.Case) {
        var worst = 0.0
        for entry in network.graph.parameters.entries {
            guard let expected = reference.gradients[entry.name] else { Issue.record("no gradient of \(entry.name)"); continue }
            let values = network.graph.parameters.values(of: entry, in: network.gradients).map(Double.init)
            let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            // A bias before a batch norm, say, has no gradient but rounding.
            guard expected[1] > 1e-5 else { continue }
            worst = max(worst, abs(norm / expected[1] - 1))
            #expect(abs(norm / expected[1] - 1) < 1.6e-2, "the gradient of \(entry.name) has norm \(norm), not \(expected[1])")
            for i in stride(from: 2, to: expected.count, by: 2) {
                let error = abs(values[Int(expected[i])] - expected[i + 1])
                #expect(error < 1.6e-2 * expected[1], "\(entry.name)[\(Int(expected[i]))] is off by \(error)")
            }
        }
        print("gradients", worst)
    }

    private func expectAfterStep(_ network: Network, _ reference: Reference.Case) {
        guard let afterStep = reference.afterStep else { return }
        let tables = [
            (network.graph.parameters, network.weights.parameters), (network.graph.statistics, network.weights.statistics),
        ]
        var worst = 0.0
        for (table, buffer) in tables {
            for entry in table.entries {
                guard let expected = afterStep[entry.name] else { Issue.record("no \(entry.name) after a step"); continue }
                let values = table.values(of: entry, in: buffer).map(Double.init)
                let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
                worst = max(worst, abs(norm - expected[1]) / max(1, expected[1]))
                #expect(abs(norm - expected[1]) < 1e-4 * max(1, expected[1]), "\(entry.name) has norm \(norm), not \(expected[1])")
                for i in stride(from: 2, to: expected.count, by: 2) {
                    // Adam's first step is the learning rate times the gradient's sign: where that is rounding, either way.
                    #expect(abs(values[Int(expected[i])] - expected[i + 1]) < 1.3e-4, "\(entry.name)[\(Int(expected[i]))]")
                }
            }
        }
        print("after step", worst)
    }
}
