extension ParameterTable {
    /// All arrays in PyTorch's shape and order of elements.
    func namedTensors(in buffer: FloatBuffer, prefix: String = "") -> [NamedTensor] {
        entries.map {
            NamedTensor(name: prefix + $0.name, shape: $0.shape, values: .float32(values(of: $0, in: buffer)))
        }
    }

    /// Fills the buffer from tensors of the same names, whatever else is among them.
    ///
    /// - Parameter skipped: a layer whose arrays keep their values.
    /// - Throws: ``NetsError/weights(_:)`` for the first one that is missing or of another shape or type.
    func load(
        _ tensors: [NamedTensor], into buffer: FloatBuffer, prefix: String = "", except skipped: String? = nil
    ) throws(NetsError) {
        let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        for entry in entries {
            let name = prefix + entry.name
            if let skipped, entry.name.hasPrefix(skipped + ".") { continue }
            guard let tensor = byName[name] else {
                throw .weights("\(name) is missing: are these weights of this backbone?")
            }
            guard tensor.shape == entry.shape else {
                let classes = 1000
                let isImageNet = tensor.shape.first == classes && entry.shape.first == Backbone.outputs
                throw .weights(
                    "\(name) has shape \(tensor.shape), the backbone's has \(entry.shape)"
                        + (isImageNet ? ": ImageNet weights are where training starts, they predict no hemorrhage" : "")
                )
            }
            guard case .float32(let values) = tensor.values else {
                throw .weights("\(name) is not of floating-point numbers")
            }
            let odd = values.count { !$0.isFinite }
            guard odd == 0 else {
                throw .weights(
                    "\(name) has \(odd) of \(values.count) values that are no finite number: its training had diverged. Take an earlier checkpoint"
                )
            }
            if name.hasSuffix(".running_var"), let negative = values.first(where: { $0 < 0 }) {
                throw .weights("\(name) has a variance of \(negative), expected none below 0: the file is damaged")
            }
            set(values, of: entry, in: buffer)
        }
    }
}

extension Weights {
    /// Parameters, then running statistics.
    func namedTensors() -> [NamedTensor] {
        parameterTable.namedTensors(in: parameters) + statisticsTable.namedTensors(in: statistics)
    }

    /// Fills parameters and running statistics from a state dict; see ``ParameterTable/load(_:into:prefix:except:)``.
    func load(_ tensors: [NamedTensor], except skipped: String? = nil) throws(NetsError) {
        try parameterTable.load(tensors, into: parameters, except: skipped)
        try statisticsTable.load(tensors, into: statistics)
    }
}
