/// The named arrays of a network, one after the other in one buffer.
///
/// Names are PyTorch's `state_dict` keys and the order is that of the graph. Vectors are padded to 16 with zeros.
struct ParameterTable {
    /// How an array starts when nothing is loaded.
    enum Initial {
        case zero, one
        /// Uniform within 1 / sqrt(fan-in), PyTorch's default for the bias of a convolution or linear layer.
        case bias(fanIn: Int)
    }

    enum Layout {
        case convolution(ConvolutionGeometry)
        case vector(Int, Initial)
    }

    struct Entry {
        let name: String
        let layout: Layout
        let offset: Int
        /// A linear layer's weights have two dimensions in PyTorch.
        var isLinear = false

        /// Floats in memory.
        var storedCount: Int {
            switch layout {
            case .convolution(let geometry): geometry.weightCount
            case .vector(let count, _): paddedChannels(count)
            }
        }

        /// PyTorch's shape.
        var shape: [Int] {
            switch layout {
            case .convolution(let g) where isLinear: [g.outputChannels, g.inputChannels]
            case .convolution(let g): [g.outputChannels, g.groupInputs, g.kernel, g.kernel]
            case .vector(let count, _): [count]
            }
        }

        /// Calls `body(PyTorch's flat index, index in memory)` for every element, in PyTorch's order.
        func forEachElement(_ body: (Int, Int) -> Void) {
            switch layout {
            case .vector(let count, _):
                for i in 0..<count { body(i, i) }
            case .convolution(let g):
                var flat = 0
                for output in 0..<g.outputChannels {
                    let start = g.weightIndex(output: output)
                    for input in 0..<g.groupInputs {
                        for tap in 0..<g.taps {
                            body(flat, start + (tap * g.blockInputs + input) * 16)
                            flat += 1
                        }
                    }
                }
            }
        }
    }

    private(set) var entries: [Entry] = []
    /// Floats in memory, all entries together.
    private(set) var count = 0

    mutating func add(_ name: String, _ layout: Layout) -> Int {
        let entry = Entry(name: name, layout: layout, offset: count)
        entries.append(entry)
        count += entry.storedCount
        return entries.count - 1
    }

    mutating func markLinear(_ name: String) {
        if let index = entries.firstIndex(where: { $0.name == name }) { entries[index].isLinear = true }
    }

    /// Reads one array in PyTorch's order.
    func values(of entry: Entry, in buffer: FloatBuffer) -> [Float] {
        var result = [Float](repeating: 0, count: entry.shape.reduce(1, *))
        entry.forEachElement { flat, index in result[flat] = buffer.base[entry.offset + index] }
        return result
    }

    /// Writes one array given in PyTorch's order.
    func set(_ values: [Float], of entry: Entry, in buffer: FloatBuffer) {
        precondition(values.count == entry.shape.reduce(1, *), "\(entry.name) has another number of elements")
        entry.forEachElement { flat, index in buffer.base[entry.offset + index] = values[flat] }
    }
}
