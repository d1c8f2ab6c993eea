import Foundation

/// What one operation of a network takes: its time beside the arithmetic and the memory traffic that it cannot do without.
package struct OperationCost: Sendable, Codable {
    /// The layer's name in PyTorch, or what the operation does.
    package var name: String
    /// Forward, or which gradient.
    package var pass: String
    /// Multiplications and additions of convolutions; 0 for others, which memory limits.
    package var operations: Double
    /// Bytes of the tensors that it reads and writes, each once.
    package var bytes: Double
    /// Time of one pass.
    package var seconds: Double
}

/// Time spent in each step of a schedule, summed up over passes.
final class Profile {
    private(set) var forward: [Double]
    private(set) var backward: [Double]
    private(set) var update = 0.0

    init(_ schedule: Schedule) {
        forward = schedule.forward.map { _ in 0 }
        backward = schedule.backward.map { _ in 0 }
    }

    func time(forward index: Int, _ body: () -> Void) { forward[index] += Self.seconds(body) }
    func time(backward index: Int, _ body: () -> Void) { backward[index] += Self.seconds(body) }
    func time(update body: () -> Void) { update += Self.seconds(body) }

    private static func seconds(_ body: () -> Void) -> Double {
        let clock = ContinuousClock()
        let elapsed = clock.measure(body).components
        return Double(elapsed.seconds) + 1e-18 * Double(elapsed.attoseconds)
    }
}

extension Network {
    /// The cost of every step of one pass, forward and back, and of the update of the parameters.
    ///
    /// - Parameter passes: how many the profile has summed up.
    func costs(passes: Int) -> [OperationCost] {
        guard let profile else { return [] }
        let steps =
            zip(schedule.forward, profile.forward).map { ($0, $1, false) }
            + zip(schedule.backward, profile.backward).map { ($0, $1, true) }
        var costs = steps.map { step, seconds, isBackward in
            let (pass, operations, floats) = work(of: step.action, isBackward: isBackward)
            return OperationCost(
                name: name(of: step.action), pass: pass, operations: operations, bytes: 4 * floats,
                seconds: seconds / Double(passes))
        }
        if profile.update > 0 {
            // Adam reads a parameter, its gradient and two moments, and writes all but the gradient.
            costs.append(
                OperationCost(
                    name: "parameters", pass: "Adam", operations: 0, bytes: 4 * 7 * Double(graph.parameters.count),
                    seconds: profile.update / Double(passes)))
        }
        return costs
    }

    private func name(of action: Schedule.Action) -> String {
        switch action {
        case .forward(let index):
            (schedule.fusions.streamed(graph.nodes[index].inputs[0])?.convolution.map { graph.name(ofNode: $0) + " + " }
                ?? "")
                + graph.name(ofNode: index)
        case .weightGradient(let index), .dataGradient(let index), .backward(let index): graph.name(ofNode: index)
        case .statistics(let index), .fuse(let index), .outerGradient(let index), .innerGradient(let index):
            graph.name(ofNode: schedule.fusions.all[index].norm ?? schedule.fusions.all[index].first)
        }
    }

    /// A step's pass, arithmetic and floats read and written.
    private func work(of action: Schedule.Action, isBackward: Bool) -> (pass: String, Double, Double) {
        func floats(_ values: [Graph.Value]) -> Double {
            values.reduce(0) { $0 + Double(images * graph.shapes[$1].count) }
        }
        func convolution(_ index: Int) -> (operations: Double, weights: Double, maps: Double) {
            let node = graph.nodes[index]
            let geometry = node.convolution.geometry
            let output = graph.shapes[node.output]
            let products = Double(images * output.pixels * output.channels * geometry.fanIn)
            return (2 * products, Double(geometry.weightCount), floats(node.inputs + [node.output]))
        }
        switch action {
        case .forward(let index):
            guard case .convolution = graph.nodes[index].operation else {
                return ("forward", 0, floats(graph.nodes[index].inputs + [graph.nodes[index].output]))
            }
            var cost = convolution(index)
            // A streamed value is neither written nor read; what it is made from is read.
            if let source = schedule.fusions.streamed(graph.nodes[index].inputs[0]) {
                cost.maps -= floats([source.output])
                if let first = source.convolution.map(convolution) {
                    cost.operations += first.operations
                    cost.weights += first.weights
                    cost.maps += first.maps - floats([source.output])
                } else {
                    cost.maps += floats([source.input])
                }
            }
            return (isBackward ? "again" : "forward", cost.operations, cost.weights + cost.maps)
        case .weightGradient(let index):
            let cost = convolution(index)
            return ("weight gradient", cost.operations, cost.weights + cost.maps)
        case .dataGradient(let index):
            let cost = convolution(index)
            return ("data gradient", cost.operations, cost.weights + cost.maps)
        case .statistics(let index):
            return ("statistics", 0, floats([schedule.fusions.all[index].input]))
        case .fuse(let index):
            let fusion = schedule.fusions.all[index]
            let maps = [fusion.input, fusion.output] + [fusion.residual].compactMap(\.self)
            return (isBackward ? "again" : "forward", 0, floats(maps))
        case .backward(let index):
            return ("gradient", 0, floats(graph.nodes[index].inputs + [graph.nodes[index].output]))
        case .outerGradient(let index):
            let fusion = schedule.fusions.all[index]
            return ("factors' gradient", 0, floats([fusion.input, fusion.output]))
        case .innerGradient(let index):
            let fusion = schedule.fusions.all[index]
            // The sums read both maps, and so does the gradient, which writes one.
            return ("gradient", 0, floats([fusion.input, fusion.input, fusion.output, fusion.output, fusion.output]))
        }
    }
}

extension Graph {
    /// The name of a node's parameters without the last part, or its kind.
    func name(ofNode index: Int) -> String {
        func layer(_ parameter: Int) -> String {
            let name = parameters.entries[parameter].name
            return String(name[..<(name.lastIndex(of: ".") ?? name.endIndex)])
        }
        return switch nodes[index].operation {
        case .convolution(let convolution): layer(convolution.weight)
        case .batchNorm(let norm, _): layer(norm.weight)
        case .activation(let kind): "\(kind) of \(name(ofProducer: nodes[index].inputs[0]))"
        case .add: "sum"
        case .maxPool: "max pooling"
        case .globalAveragePool: "average of \(name(ofProducer: nodes[index].inputs[0]))"
        case .scale: "scaling"
        case .dropout: "dropout"
        case .dropConnect: "drop-connect"
        }
    }

    private func name(ofProducer value: Value) -> String {
        nodes.firstIndex { $0.output == value }.map { name(ofNode: $0) } ?? "image"
    }
}
