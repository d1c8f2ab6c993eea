extension Backbone {
    /// A whole state dict of this backbone under PyTorch's names, as `load_state_dict(strict=True)` wants it: each batch norm's weight
    /// and bias are followed by its running statistics and its counter of batches.
    ///
    /// Whatever else is among the tensors, such as an optimiser's state, is left out. Names may also be those that
    /// ``ownNames(of:)`` knows.
    ///
    /// - Parameter batches: what the counters say where the tensors have none; nothing is computed from it.
    /// - Throws: ``NetsError/weights(_:)`` for the first tensor that is missing or of another shape or type.
    public func stateDict(of tensors: [NamedTensor], batches: Int64 = 0) throws(NetsError) -> [NamedTensor] {
        let tensors = try ownNames(of: tensors)
        // The image size decides no parameter's shape.
        let weights = Weights(graph: graph(size: 64))
        try weights.load(tensors)
        let counters = Dictionary(tensors.map { ($0.name, $0.values) }) { first, _ in first }
        let statistics = Dictionary(
            grouping: weights.statisticsTable.namedTensors(in: weights.statistics), by: { $0.name.layerName })
        return weights.parameterTable.namedTensors(in: weights.parameters).flatMap { parameter in
            let layer = parameter.name.layerName
            guard parameter.name.hasSuffix(".bias"), let running = statistics[layer] else { return [parameter] }
            var counter = batches
            if case .int64(let known)? = counters["\(layer).num_batches_tracked"], known.count == 1 {
                counter = known[0]
            }
            return [parameter] + running
                + [NamedTensor(name: "\(layer).num_batches_tracked", shape: [], values: .int64([counter]))]
        }
    }

    /// This backbone's weights among some tensors, under its own names; see ``WeightsSearch`` for the names that they may have.
    ///
    /// Tensors that have the same prefix and are not the backbone's stay among them.
    ///
    /// - Parameters:
    ///   - entry: which set of weights, if there are several.
    ///   - exceptLastLayer: a training's start needs no last layer.
    /// - Throws: ``NetsError/weights(_:)`` if there is no such set, or more than one.
    package func ownNames(
        of tensors: [NamedTensor], entry: String? = nil, exceptLastLayer: Bool = false
    ) throws(NetsError) -> [NamedTensor] {
        let search = WeightsSearch(self, exceptLastLayer: exceptLastLayer)
        let set = TensorSet(path: "", tensors: tensors.map(\.outline))
        do throws(WeightsMisfit) {
            let found = try search.find(in: [set], entry: entry) {
                tensors[$0.tensor].values == tensors[$1.tensor].values
            }
            let names = found.ownNames(in: set)
            return zip(tensors, names).compactMap { tensor, name in name.map(tensor.named) }
        } catch {
            throw .weights(error.problem)
        }
    }
}

extension NamedTensor {
    func named(_ name: String) -> NamedTensor { NamedTensor(name: name, shape: shape, values: values) }
}

extension String {
    /// What stands before the last dot of a tensor's name.
    fileprivate var layerName: Substring { self[..<(lastIndex(of: ".") ?? endIndex)] }
}
