/// What a convolution does to its sums before it stores them, when no gradient is wanted: the batch norm that follows, with
/// its activation, and the sum with a residual after that. Their nodes then do not run and their inputs need no memory.
struct Epilogue {
    /// The batch norm's node.
    let norm: Int
    /// The sum's node and the map that it adds.
    let sum: (node: Int, residual: Graph.Value)?

    /// The node whose output the convolution writes.
    var last: Int { sum?.node ?? norm }
}

extension Graph {
    /// The epilogues that an evaluation pass may use, by the convolution's node.
    ///
    /// A sum joins the norm that runs right before it, so that the other summand is there already.
    func epilogues() -> [Int: Epilogue] {
        var readers = [Int](repeating: 0, count: shapes.count)
        for input in nodes.flatMap(\.inputs) { readers[input] += 1 }
        var result: [Int: Epilogue] = [:]
        for index in nodes.indices.dropLast() {
            guard case .convolution(let convolution) = nodes[index].operation, convolution.bias == nil,
                case .batchNorm = nodes[index + 1].operation, nodes[index + 1].inputs == [nodes[index].output],
                readers[nodes[index].output] == 1
            else { continue }
            let normalised = nodes[index + 1].output
            var sum: (node: Int, residual: Value)?
            if index + 2 < nodes.count, case .add = nodes[index + 2].operation, readers[normalised] == 1,
                let residual = nodes[index + 2].inputs.first(where: { $0 != normalised }),
                nodes[index + 2].inputs.contains(normalised)
            {
                sum = (index + 2, residual)
            }
            result[index] = Epilogue(norm: index + 1, sum: sum)
        }
        return result
    }
}
