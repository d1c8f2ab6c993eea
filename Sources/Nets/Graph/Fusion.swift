/// Elementwise operations that follow each other on a map and run as one pass over memory:
///
///     output = outer(activation(batch norm(input)) * factors * gain + residual)
///
/// Any of them may be missing. Intermediate values are never stored; a global average that reads the batch norm's output, as
/// squeeze-excite's does, computes it from the input while it sums.
struct Fusion {
    let input: Graph.Value
    /// Nodes by what they do.
    fileprivate(set) var norm: Int?
    fileprivate(set) var scale: Int?
    fileprivate(set) var dropConnect: Int?
    fileprivate(set) var sum: Int?
    /// The squeeze-excite factors.
    fileprivate(set) var factors: Graph.Value?
    /// The global average that squeeze-excite takes of the batch norm's output, which it computes itself.
    fileprivate(set) var average: Graph.Value?
    /// What the sum adds.
    fileprivate(set) var residual: Graph.Value?
    fileprivate(set) var output: Graph.Value
    let first: Int
    fileprivate(set) var last: Int
    /// In a network for prediction, the convolution that does all this to its sums before it stores them.
    fileprivate(set) var convolution: Int?
}

/// A graph's fusions, and which node belongs to which.
struct Fusions {
    private(set) var all: [Fusion] = []
    /// Indices in `all` by node; nil for what runs on its own.
    private(set) var owner: [Int?]
    /// Indices in `all` by the fusions' outputs.
    private(set) var producer: [Graph.Value: Int] = [:]
    /// Indices in `all` by the batch norm's output, for the averages that compute it themselves.
    private(set) var normalised: [Graph.Value: Int] = [:]
    /// Streamed values: one convolution alone reads them, and the forward pass makes them a band at a time just before it does,
    /// never the whole map.
    private var streamedValues: Set<Graph.Value> = []

    /// - Parameters:
    ///   - training: without it, convolutions take in what follows them.
    ///   - arithmetic: OpenBLAS multiplies maps that are stored as they are.
    init(graph: Graph, training: Bool, arithmetic: Arithmetic) {
        let absorbing = !training && arithmetic == .exact
        owner = graph.nodes.map { _ in nil }
        let readers = graph.readers
        for (index, node) in graph.nodes.enumerated() {
            let x = node.inputs[0]
            let isOnlyReader = readers[x] == [index]
            switch node.operation {
            case .batchNorm:
                let fusion = extend(nil, with: index, of: graph)
                all[fusion].norm = index
                normalised[node.output] = fusion
            case .scale:
                // For prediction, the convolution stores the normalised map; the average reads it there.
                let averages = readers[x].filter { $0 != index }
                let joins =
                    !absorbing && averages.count <= 1
                    && averages.allSatisfy { graph.nodes[$0].operation.isGlobalAverage }
                let fusion = extend(joins ? open(x, isNormAlone: true) : nil, with: index, of: graph)
                all[fusion].scale = index
                all[fusion].factors = node.inputs[1]
                if all[fusion].norm != nil { all[fusion].average = averages.first.map { graph.nodes[$0].output } }
            case .dropConnect:
                let fusion = extend(isOnlyReader ? open(x) : nil, with: index, of: graph)
                all[fusion].dropConnect = index
            case .add:
                // Of two summands whose fusions could take in the sum, the later one: the other has been computed by then.
                let summand = node.inputs.filter { readers[$0] == [index] && open($0) != nil }.max()
                let fusion = extend(summand.flatMap { open($0) }, with: index, of: graph)
                all[fusion].sum = index
                all[fusion].residual = node.inputs.first { $0 != summand ?? x }
            default: break
            }
        }
        guard arithmetic == .exact else { return }
        if absorbing { absorb(graph, readers) }
        streamedValues = Set(all.filter { isStreamed($0, graph, readers[$0.output]) }.map(\.output))
    }

    /// Gives batch norms, and what follows them, to the convolutions before them.
    private mutating func absorb(_ graph: Graph, _ readers: [[Int]]) {
        for index in all.indices {
            let fusion = all[index]
            guard let norm = fusion.norm, fusion.scale == nil, fusion.dropConnect == nil, norm > 0,
                case .convolution(let convolution) = graph.nodes[norm - 1].operation, convolution.bias == nil,
                graph.nodes[norm - 1].output == fusion.input, readers[fusion.input] == [norm],
                fusion.last == norm || fusion.last == norm + 1
            else { continue }
            all[index].convolution = norm - 1
        }
    }

    /// The fusion that makes a streamed value; nil for values that are stored.
    func streamed(_ value: Graph.Value) -> Fusion? {
        streamedValues.contains(value) ? producer[value].map { all[$0] } : nil
    }

    /// Whether a fusion's output is best made band by band: before a 1x1 convolution, or after one and before one that keeps its
    /// channels apart.
    private func isStreamed(_ fusion: Fusion, _ graph: Graph, _ readers: [Int]) -> Bool {
        guard readers.count == 1, case .convolution(let next) = graph.nodes[readers[0]].operation else { return false }
        let pixels = graph.shapes[fusion.output].pixels
        guard let convolution = fusion.convolution.map({ graph.nodes[$0].convolution }) else {
            // Strassen's pairs of pixels may not reach into the next image.
            return fusion.sum == nil && fusion.dropConnect == nil && next.geometry.isPointwise
                && pixels >= Bands.leastPixelsInRuns && (next.method == .direct || pixels % 2 == 0)
        }
        return fusion.residual == nil && convolution.geometry.isPointwise && convolution.method == .direct
            && next.geometry.keepsPanelsApart && next.method == .direct && pixels >= Bands.leastPixelsInRows
    }

    /// The fusion that ends in a value and can go on.
    private func open(_ value: Graph.Value, isNormAlone: Bool = false) -> Int? {
        guard let fusion = producer[value], all[fusion].sum == nil else { return nil }
        return isNormAlone && all[fusion].last != all[fusion].norm ? nil : fusion
    }

    /// Adds a node to a fusion, or begins one with it.
    private mutating func extend(_ fusion: Int?, with node: Int, of graph: Graph) -> Int {
        let output = graph.nodes[node].output
        let index = fusion ?? all.count
        if let fusion {
            producer[all[fusion].output] = nil
            all[fusion].output = output
            all[fusion].last = node
        } else {
            all.append(Fusion(input: graph.nodes[node].inputs[0], output: output, first: node, last: node))
        }
        producer[output] = index
        owner[node] = index
        return index
    }
}

extension Graph {
    /// The nodes that read each value, in order.
    var readers: [[Int]] {
        var result = [[Int]](repeating: [], count: shapes.count)
        for (index, node) in nodes.enumerated() {
            for input in node.inputs { result[input].append(index) }
        }
        return result
    }
}

extension Graph.Operation {
    fileprivate var isGlobalAverage: Bool { if case .globalAveragePool = self { true } else { false } }
}
