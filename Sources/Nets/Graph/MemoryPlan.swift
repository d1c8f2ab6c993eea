/// Where every tensor of a pass lies: one arena whose places are reused as soon as their tensor has had its last reader.
///
/// Made before the first step; nothing is allocated after it. Time runs over the graph's nodes forward and, when
/// training, back again: node i's forward pass is at time i, its backward pass at 2n - i.
struct MemoryPlan {
    /// Float offsets in the arena, by value; the image (value 0) has a buffer of its own.
    private(set) var values: [Int]
    /// Offsets of the gradients, by value; nil where none is needed.
    private(set) var gradients: [Int?]
    /// Offsets of the max-pool winners (bytes, in floats), by node.
    private(set) var winners: [Int?]
    /// Whether a node adds to the gradient of its k-th input, because a later node has written it already.
    private(set) var accumulates: [[Bool]]
    /// Floats in the arena.
    private(set) var count = 0

    private struct Slot {
        var size: Int
        var start: Int
        var end: Int
        var offset = 0
    }

    /// - Parameter epilogues: the convolutions that do the work of the nodes after them; none when training.
    init(graph: Graph, batch: Int, training: Bool, epilogues: [Int: Epilogue] = [:]) {
        let nodes = graph.nodes
        // The node at whose time a fused output is written, and the outputs that are never stored.
        var writers: [Int: Int] = [:]
        var unstored: Set<Graph.Value> = []
        for (convolution, epilogue) in epilogues {
            writers[epilogue.last] = convolution
            unstored.insert(nodes[convolution].output)
            if epilogue.sum != nil { unstored.insert(nodes[epilogue.norm].output) }
        }
        let turn = nodes.count
        var slots: [Slot] = []
        func slot(_ size: Int, from start: Int, to end: Int) -> Int {
            slots.append(Slot(size: (size + 15) / 16 * 16, start: start, end: end))
            return slots.count - 1
        }
        func backward(_ node: Int) -> Int { 2 * turn - node }

        var valueSlots = [Int?](repeating: nil, count: graph.shapes.count)
        var winnerSlots = [Int?](repeating: nil, count: turn)
        for (index, node) in nodes.enumerated() {
            if !unstored.contains(node.output) {
                let size = batch * graph.shapes[node.output].count
                valueSlots[node.output] = slot(size, from: writers[index] ?? index, to: index)
            }
            for input in node.inputs { if let used = valueSlots[input] { slots[used].end = index } }
            if training, case .maxPool = node.operation {
                winnerSlots[index] = slot(
                    (batch * graph.shapes[node.output].count + 3) / 4, from: index, to: backward(index))
            }
        }
        if let logits = valueSlots[graph.output] { slots[logits].end = turn }

        var gradientSlots = [Int?](repeating: nil, count: graph.shapes.count)
        accumulates = nodes.map { $0.inputs.map { _ in false } }
        if training {
            gradientSlots[graph.output] = slot(batch * graph.shapes[graph.output].count, from: turn, to: turn)
            for (index, node) in nodes.enumerated().reversed() {
                let time = backward(index)
                for value in node.operation.neededBackward(inputs: node.inputs, output: node.output) {
                    if let used = valueSlots[value] { slots[used].end = max(slots[used].end, time) }
                }
                guard let own = gradientSlots[node.output] else {
                    preconditionFailure("value \(node.output) is never used")
                }
                slots[own].end = time
                for (position, input) in node.inputs.enumerated() where input != 0 {
                    if gradientSlots[input] != nil {
                        accumulates[index][position] = true
                    } else if position == 0 && node.operation.gradientIsInPlace {
                        gradientSlots[input] = own
                    } else {
                        gradientSlots[input] = slot(batch * graph.shapes[input].count, from: time, to: time)
                    }
                    if let written = gradientSlots[input] { slots[written].end = time }
                }
            }
        }

        Self.place(&slots)
        values = valueSlots.map { $0.map { slots[$0].offset } ?? 0 }
        gradients = gradientSlots.map { $0.map { slots[$0].offset } }
        winners = winnerSlots.map { $0.map { slots[$0].offset } }
        count = slots.map { $0.offset + $0.size }.max() ?? 0
    }

    /// Largest first, each at the lowest offset that is free for its whole life.
    private static func place(_ slots: inout [Slot]) {
        var placed: [Int] = []
        for index in slots.indices.sorted(by: { (slots[$1].size, $0) < (slots[$0].size, $1) }) {
            let slot = slots[index]
            let rivals = placed.filter { slots[$0].start <= slot.end && slot.start <= slots[$0].end }
                .sorted { slots[$0].offset < slots[$1].offset }
            var offset = 0
            for rival in rivals where offset + slot.size > slots[rival].offset {
                offset = max(offset, slots[rival].offset + slots[rival].size)
            }
            slots[index].offset = offset
            placed.append(index)
        }
    }
}

extension Graph.Operation {
    /// The values whose contents the backward pass reads.
    fileprivate func neededBackward(inputs: [Graph.Value], output: Graph.Value) -> [Graph.Value] {
        switch self {
        case .convolution, .batchNorm, .activation: [inputs[0]]
        case .add(let activation): activation == .identity ? [] : [output]
        case .scale: inputs
        case .maxPool, .globalAveragePool, .dropout, .dropConnect: []
        }
    }

    /// Whether the first input's gradient is written over the output's, element by element.
    fileprivate var gradientIsInPlace: Bool {
        switch self {
        case .batchNorm, .activation, .add, .scale, .dropout, .dropConnect: true
        case .convolution, .maxPool, .globalAveragePool: false
        }
    }
}
