/// What a network does, step by step, and where each tensor lies meanwhile: made before the first step, so that nothing is
/// allocated after it.
///
/// Convolutions' outputs are kept until their gradients have been computed, but for those that are much larger than what they
/// are made of. The backward pass recomputes these, and what fusions make of the others, just before it reads them. All tensors
/// lie in one arena, whose places are used again as soon as their tensor has had its last reader.
struct Schedule {
    enum Action: Equatable {
        /// A node that is in no fusion, or that does a fusion's work.
        case forward(Int)
        /// The scale and shift of a fusion's batch norm.
        case statistics(Int)
        /// A fusion's pass over its map.
        case fuse(Int)
        case weightGradient(Int)
        case dataGradient(Int)
        /// The gradient of any other node that is in no fusion.
        case backward(Int)
        /// The gradients of a fusion's factors and residual, where others come between them and the next.
        case outerGradient(Int)
        /// The gradient of a fusion's input, and of its batch norm, and what `outerGradient` has not done.
        case innerGradient(Int)
    }

    struct Step {
        let action: Action
        /// Where the step's value, if it computes one, lies from now on: a float offset in the arena.
        fileprivate(set) var place: Int?
        fileprivate var slot: Int?
    }

    let fusions: Fusions
    private(set) var forward: [Step] = []
    private(set) var backward: [Step] = []
    /// Where the gradients lie, by value; nil where none is stored.
    private(set) var gradients: [Int?] = []
    /// Where max pooling keeps its winners (bytes, at a float offset), by node.
    private(set) var winners: [Int?] = []
    /// Whether a node adds to the gradient of its k-th input, because a later node has written it already.
    private(set) var accumulates: [[Bool]]
    /// Floats in the arena.
    private(set) var count = 0

    init(graph: Graph, batch: Int, training: Bool, arithmetic: Arithmetic) {
        fusions = Fusions(graph: graph, training: training, arithmetic: arithmetic)
        accumulates = graph.nodes.map { $0.inputs.map { _ in false } }
        var builder = Builder(graph: graph, fusions: fusions, batch: batch)
        builder.planForward(training: training)
        if training { builder.planBackward() }
        builder.arena.place()
        func resolve(_ steps: [Step]) -> [Step] {
            steps.map { step in
                var step = step
                step.place = step.slot.map { builder.arena.offset($0) }
                return step
            }
        }
        forward = resolve(Array(builder.steps[..<builder.turn]))
        backward = resolve(Array(builder.steps[builder.turn...]))
        gradients = builder.gradientSlots.map { $0.map { builder.arena.offset($0) } }
        winners = builder.winnerSlots.map { $0.map { builder.arena.offset($0) } }
        accumulates = builder.accumulates
        count = builder.arena.count
    }

    /// Puts the steps in order and notes when each tensor is written and read.
    private struct Builder {
        let graph: Graph
        let fusions: Fusions
        let batch: Int
        var arena = Arena()
        var steps: [Step] = []
        /// The first step of the backward pass.
        var turn = 0
        /// Where each value lies at this time; nil while it is not stored.
        var valueSlots: [Int?]
        var gradientSlots: [Int?]
        var winnerSlots: [Int?]
        var accumulates: [[Bool]]

        init(graph: Graph, fusions: Fusions, batch: Int) {
            self.graph = graph
            self.fusions = fusions
            self.batch = batch
            valueSlots = graph.shapes.map { _ in nil }
            gradientSlots = valueSlots
            winnerSlots = graph.nodes.map { _ in nil }
            accumulates = graph.nodes.map { $0.inputs.map { _ in false } }
        }

        private func size(_ value: Graph.Value) -> Int { batch * graph.shapes[value].count }

        /// Adds a step that reads values and gradients as they lie now.
        private mutating func add(
            _ action: Action, reading values: [Graph.Value], gradients: [Graph.Value] = [], winners: Int? = nil
        ) {
            let time = steps.count
            for value in values where value != 0 {
                guard let slot = valueSlots[value] else { preconditionFailure("value \(value) is not stored") }
                arena.use(slot, at: time)
            }
            for value in gradients {
                guard let slot = gradientSlots[value] else { preconditionFailure("value \(value) has no gradient") }
                arena.use(slot, at: time)
            }
            if let slot = winners.flatMap({ winnerSlots[$0] }) { arena.use(slot, at: time) }
            steps.append(Step(action: action))
        }

        /// Lets the last step write a value, over another one if nobody reads that any more.
        private mutating func write(_ value: Graph.Value, over others: [Graph.Value] = []) {
            let slot = arena.add(size(value), at: steps.count - 1, over: others.compactMap { valueSlots[$0] })
            steps[steps.count - 1].slot = slot
            valueSlots[value] = slot
        }

        // MARK: Forward

        mutating func planForward(training: Bool) {
            for (index, node) in graph.nodes.enumerated() {
                if let owner = fusions.owner[index] {
                    let fusion = fusions.all[owner]
                    guard fusion.convolution == nil else { continue }
                    if index == fusion.norm { add(.statistics(owner), reading: [fusion.input]) }
                    if index == fusion.last && fusions.streamed(fusion.output) == nil { fuse(owner) }
                } else if let absorbed = fusions.all.first(where: { $0.convolution == index }) {
                    if fusions.streamed(absorbed.output) != nil { continue }
                    add(.forward(index), reading: node.inputs.flatMap(made) + [absorbed.residual].compactMap(\.self))
                    write(absorbed.output)
                } else {
                    add(.forward(index), reading: node.inputs.flatMap { made(source(of: $0)) })
                    write(node.output, over: node.operation.isElementwise ? node.inputs : [])
                    guard training, case .maxPool = node.operation else { continue }
                    winnerSlots[index] = arena.add((size(node.output) + 3) / 4, at: steps.count - 1)
                }
            }
            turn = steps.count
            // Whoever runs the network reads the logits after the last step.
            if let logits = valueSlots[graph.output] { arena.use(logits, at: turn) }
            // What fusions made may be gone by now.
            for value in fusions.producer.keys where value != graph.output { valueSlots[value] = nil }
            for node in graph.nodes where node.operation.isCheapToRepeat { valueSlots[node.output] = nil }
        }

        /// The value that is stored for another: its own, or the input of the fusion that it lies inside.
        private func source(of value: Graph.Value) -> Graph.Value {
            guard let owner = fusions.normalised[value], fusions.all[owner].output != value else { return value }
            return fusions.all[owner].input
        }

        /// What a streamed value is made from; a stored value itself.
        private func made(_ value: Graph.Value) -> [Graph.Value] {
            guard let fusion = fusions.streamed(value) else { return [value] }
            if let convolution = fusion.convolution { return graph.nodes[convolution].inputs }
            return [fusion.input] + [fusion.factors].compactMap(\.self)
        }

        /// A fusion's pass; what it reads has to be there.
        private mutating func fuse(_ owner: Int) {
            let fusion = fusions.all[owner]
            add(.fuse(owner), reading: [fusion.input] + [fusion.factors, fusion.residual].compactMap(\.self))
            write(fusion.output, over: [fusion.residual, fusion.input].compactMap(\.self))
        }

        // MARK: Backward

        /// Recomputes a value if it is not stored.
        ///
        /// In a chain of residual blocks, each sum needs the one before, back to the chain's beginning. Each is written over the one
        /// before and recomputed when its own gradient needs it: passes over maps cost less than room for all of them.
        private mutating func need(_ value: Graph.Value) {
            guard value != 0, valueSlots[value] == nil else { return }
            guard let owner = fusions.producer[value] else { return needConvolution(value) }
            let fusion = fusions.all[owner]
            let missing = fusion.residual.flatMap { valueSlots[$0] == nil ? $0 : nil }
            for source in [fusion.input, fusion.factors, fusion.residual].compactMap(\.self) { need(source) }
            fuse(owner)
            if let missing { valueSlots[missing] = nil }
        }

        private mutating func needConvolution(_ value: Graph.Value) {
            guard let index = graph.nodes.firstIndex(where: { $0.output == value }) else { return }
            let sources = made(graph.nodes[index].inputs[0])
            for source in sources { need(source) }
            add(.forward(index), reading: sources)
            write(value)
        }

        mutating func planBackward() {
            // Written before the first step back.
            gradientSlots[graph.output] = arena.add(size(graph.output), at: turn)
            for index in graph.nodes.indices.reversed() {
                if let owner = fusions.owner[index] {
                    if index == fusions.all[owner].last { planOuterGradient(owner) }
                    if index == fusions.all[owner].first { planInnerGradient(owner) }
                } else {
                    planBackward(index, graph.nodes[index])
                }
            }
        }

        private mutating func planBackward(_ index: Int, _ node: Graph.Node) {
            let x = node.inputs[0]
            switch node.operation {
            case .convolution:
                need(x)
                add(.weightGradient(index), reading: [x], gradients: [node.output])
                guard x != 0 else { return }
                add(.dataGradient(index), reading: [], gradients: [node.output])
                give(x, by: index)
            case .globalAveragePool where source(of: x) != x:
                // The fusion takes its part of the gradient from that of the average.
                break
            case .activation:
                need(x)
                add(.backward(index), reading: [x], gradients: [node.output])
                give(x, by: index, over: node.output)
            default:
                add(.backward(index), reading: [], gradients: [node.output], winners: index)
                give(x, by: index, over: node.operation.isElementwise ? node.output : nil)
            }
        }

        /// The last step writes the gradient of a node's k-th input, over that of its output where that has no more readers,
        /// or adds to it.
        private mutating func give(
            _ value: Graph.Value, by node: Int, position: Int = 0, over other: Graph.Value? = nil
        ) {
            if let slot = gradientSlots[value] {
                accumulates[node][position] = true
                arena.use(slot, at: steps.count - 1)
            } else {
                let candidates = other.flatMap { gradientSlots[$0] }.map { [$0] } ?? []
                gradientSlots[value] = arena.add(size(value), at: steps.count - 1, over: candidates)
            }
        }

        private mutating func planOuterGradient(_ owner: Int) {
            let fusion = fusions.all[owner]
            guard !graph.isRun(fusion) else { return }
            let values =
                (graph.outerActivation(fusion) == .identity ? [] : [fusion.output])
                + (fusion.factors == nil ? [] : [fusion.input])
            guard !values.isEmpty || fusion.residual != nil else { return }
            for value in values { need(value) }
            add(.outerGradient(owner), reading: values, gradients: [fusion.output])
            if let factors = fusion.factors, let scale = fusion.scale { give(factors, by: scale, position: 1) }
            giveResidual(fusion)
        }

        private mutating func planInnerGradient(_ owner: Int) {
            let fusion = fusions.all[owner]
            let isRun = graph.isRun(fusion)
            let values =
                (isRun && graph.outerActivation(fusion) != .identity ? [fusion.output] : [])
                + (fusion.norm == nil ? [] : [fusion.input]) + [fusion.factors].compactMap(\.self)
            for value in values { need(value) }
            add(
                .innerGradient(owner), reading: values, gradients: [fusion.output] + [fusion.average].compactMap(\.self)
            )
            if isRun { giveResidual(fusion) }
            give(fusion.input, by: fusion.first, over: fusion.output)
        }

        /// The residual's gradient is that of the output and lies there, unless it has one already or others would add to it
        /// before the fusion's input has got its own.
        private mutating func giveResidual(_ fusion: Fusion) {
            guard let residual = fusion.residual, let sum = fusion.sum else { return }
            let isRead = graph.readers[residual].contains { $0 > fusion.first && $0 < fusion.last }
            if gradientSlots[residual] == nil && !isRead {
                gradientSlots[residual] = gradientSlots[fusion.output]
            } else {
                give(residual, by: sum, position: graph.nodes[sum].inputs[1] == residual ? 1 : 0)
            }
        }
    }
}

extension Graph {
    /// The activation after a fusion's sum.
    func outerActivation(_ fusion: Fusion) -> Activation {
        guard let sum = fusion.sum, case .add(let kind) = nodes[sum].operation else { return .identity }
        return kind
    }

    /// Whether a fusion's nodes follow each other, so that its gradients can be computed in one go.
    func isRun(_ fusion: Fusion) -> Bool {
        let members = [fusion.norm, fusion.scale, fusion.dropConnect, fusion.sum].compactMap(\.self)
        return fusion.factors == nil && members.count == fusion.last - fusion.first + 1
    }
}

extension Graph.Operation {
    /// Whether a convolution's output is at least four times its input, and takes no more arithmetic than reading it would time.
    fileprivate var isCheapToRepeat: Bool {
        guard case .convolution(let convolution) = self else { return false }
        let g = convolution.geometry
        return g.kernel == 1 && g.inputChannels <= 24 && g.outputChannels >= 4 * g.inputChannels
    }

    /// Whether the output can be written over the first input, and its gradient over the output's.
    fileprivate var isElementwise: Bool {
        switch self {
        case .activation, .dropout: true
        default: false
        }
    }
}
