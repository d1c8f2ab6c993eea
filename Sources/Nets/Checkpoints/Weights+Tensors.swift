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
    /// - Throws: ``NetsError/weights(_:)`` for the first one that is missing or of another shape or type, and for all that have
    ///   numbers which are none.
    func load(
        _ tensors: [NamedTensor], into buffer: FloatBuffer, prefix: String = "", except skipped: String? = nil
    ) throws(NetsError) {
        let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        var invalid: [String] = []
        for entry in entries {
            let name = prefix + entry.name
            if let skipped, entry.name.hasPrefix(skipped + ".") { continue }
            guard let tensor = byName[name] else {
                throw .weights("\(name) is missing: are these weights of this backbone?")
            }
            guard tensor.shape == entry.shape else {
                throw .weights("\(name) has shape \(tensor.shape), the backbone's has \(entry.shape)")
            }
            guard case .float32(let values) = tensor.values else {
                throw .weights("\(name) is not of floating-point numbers")
            }
            if let problem = Self.problem(of: values, isVariance: entry.name.hasSuffix(".running_var")) {
                invalid.append("\(name) \(problem)")
            }
            set(values, of: entry, in: buffer)
        }
        guard invalid.isEmpty else {
            let more = invalid.count > 10 ? " and \(invalid.count - 10) more tensors" : ""
            throw .weights(
                """
                \(invalid.prefix(10).joined(separator: ", "))\(more): the training that made these weights went wrong, or the file \
                is damaged. Take an earlier checkpoint
                """)
        }
    }

    /// What no network can compute with; nil if there is nothing.
    private static func problem(of values: [Float], isVariance: Bool) -> String? {
        let notFinite = values.count { !$0.isFinite }
        if notFinite > 0 {
            let what = values.contains(where: \.isNaN) ? "NaN" : "infinite"
            let both = what == "NaN" && values.contains(where: \.isInfinite) ? " or infinite" : ""
            return "has \(notFinite) of \(values.count) values that are \(what)\(both)"
        }
        let negative = isVariance ? values.count { $0 < 0 } : 0
        return negative > 0 ? "has \(negative) of \(values.count) values below 0, which no variance is" : nil
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
