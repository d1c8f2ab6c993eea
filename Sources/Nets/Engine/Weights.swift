/// A backbone's parameters and running statistics in memory, named and ordered as in its graph.
final class Weights {
    let parameterTable: ParameterTable
    let statisticsTable: ParameterTable
    let parameters: FloatBuffer
    let statistics: FloatBuffer

    init(graph: Graph) {
        parameterTable = graph.parameters
        statisticsTable = graph.statistics
        parameters = FloatBuffer(count: graph.parameters.count)
        statistics = FloatBuffer(count: graph.statistics.count)
    }

    /// Starts from nothing: convolutions uniform with the variance of He et al. (2 / fan-in), linear layers and biases as
    /// PyTorch does, batch norms as the identity, or as zero at the end of a residual branch.
    ///
    /// One random stream per array, numbered in the graph's order.
    func initialise(seed: UInt64) {
        for (index, entry) in parameterTable.entries.enumerated() {
            var random = Philox(seed: seed, purpose: .initialisation, epoch: 0, sample: UInt32(index))
            let count = entry.shape.reduce(1, *)
            func uniform(_ bound: Float) -> [Float] { (0..<count).map { _ in bound * (2 * random.uniform() - 1) } }
            let values: [Float] =
                switch entry.layout {
                case .convolution(let geometry) where entry.isLinear: uniform((1 / Float(geometry.fanIn)).squareRoot())
                case .convolution(let geometry): uniform((6 / Float(geometry.fanIn)).squareRoot())
                case .vector(_, .bias(let fanIn)): uniform((1 / Float(fanIn)).squareRoot())
                case .vector(_, .one): [Float](repeating: 1, count: count)
                case .vector(_, .zero): [Float](repeating: 0, count: count)
                }
            parameterTable.set(values, of: entry, in: parameters)
        }
        for entry in statisticsTable.entries {
            guard case .vector(let count, let initial) = entry.layout else { continue }
            var value: Float = 0
            if case .one = initial { value = 1 }
            statisticsTable.set([Float](repeating: value, count: count), of: entry, in: statistics)
        }
    }
}
