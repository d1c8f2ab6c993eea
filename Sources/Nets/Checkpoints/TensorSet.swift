/// Tensors that belong together in a file: in a snapshot of PyTorch's, those of one dict.
public struct TensorSet: Sendable, Equatable {
    /// The keys that lead to it, joined with dots; empty for the file's own tensors.
    public let name: String
    /// In the file's order.
    public let tensors: [NamedTensor]

    /// Names some tensors.
    public init(name: String, tensors: [NamedTensor]) { (self.name, self.tensors) = (name, tensors) }
}

extension Backbone {
    /// The one set of this backbone's weights among a file's tensors, under its own names.
    ///
    /// Any text may stand in front of all names, as `module.` of `torch.nn.DataParallel`, `_orig_mod.` of `torch.compile` or the name
    /// that a larger model gives to its backbone; what else is among the tensors is left out.
    ///
    /// - Parameter entry: which set to take where several fit, by the name that the error gives it.
    /// - Throws: ``NetsError/weights(_:)`` if several fit and none is chosen, or none fits: with what is missing and what there is.
    package func weights(in sets: [TensorSet], entry: String? = nil) throws(NetsError) -> [NamedTensor] {
        let found = sets.flatMap(candidates)
        if let entry {
            guard let chosen = found.first(where: { $0.name == entry }) else {
                let names =
                    found.isEmpty
                    ? "none" : found.map { $0.name.isEmpty ? "the file itself" : $0.name }.joined(separator: ", ")
                throw .weights(
                    "there is no entry \(entry) with weights of \(rawValue); those with such weights: \(names)")
            }
            return chosen.tensors
        }
        guard let first = found.first else { throw .weights(mismatch(sets)) }
        if found.dropFirst().contains(where: { $0.tensors != first.tensors }) {
            let names = found.map { $0.name.isEmpty ? "the file itself" : $0.name }.joined(separator: ", ")
            throw .weights("several sets of weights fit \(rawValue): \(names). Say which: --entry NAME")
        }
        return first.tensors
    }

    /// The tensors under this backbone's own names, where they have other usual ones; as they are, if they are not its weights.
    func ownNames(of tensors: [NamedTensor]) -> [NamedTensor] {
        candidates(TensorSet(name: "", tensors: tensors)).first?.tensors ?? tensors
    }

    /// Names and shapes of parameters and running statistics.
    private var needed: [ParameterTable.Entry] {
        // The image size decides no parameter's shape.
        let graph = graph(size: 64)
        return graph.parameters.entries + graph.statistics.entries
    }

    private func isOfLastLayer(_ name: String) -> Bool { name.hasPrefix(lastLayer + ".") }

    /// What may stand in front of the names: where the first parameter's name ends one.
    private func prefixes(_ names: some Sequence<String>, _ needed: [ParameterTable.Entry]) -> [String] {
        let first = needed.first?.name ?? ""
        return names.filter { $0.hasSuffix(first) }.map { String($0.dropLast(first.count)) }.filter {
            $0.isEmpty || $0.hasSuffix(".")
        }
    }

    /// Those of a set's tensors that are whole sets of this backbone's weights, but perhaps for the last layer.
    private func candidates(_ set: TensorSet) -> [TensorSet] {
        let needed = needed
        let names = Set(set.tensors.map(\.name))
        return prefixes(set.tensors.map(\.name), needed).compactMap { prefix in
            guard needed.allSatisfy({ isOfLastLayer($0.name) || names.contains(prefix + $0.name) }) else { return nil }
            let tensors = set.tensors.compactMap { tensor in
                tensor.name.hasPrefix(prefix)
                    ? tensor.named(ownName(String(tensor.name.dropFirst(prefix.count)), names, prefix)) : nil
            }
            let place = [set.name, String(prefix.dropLast())].filter { !$0.isEmpty }.joined(separator: ".")
            return TensorSet(name: place, tensors: tensors)
        }
    }

    /// torchvision calls resnet34's last layer `fc`.
    private func ownName(_ name: String, _ names: Set<String>, _ prefix: String) -> String {
        guard self == .resnet34, name.hasPrefix("fc."), !names.contains("\(prefix)\(lastLayer).weight") else {
            return name
        }
        return lastLayer + name.dropFirst("fc".count)
    }

    /// Why no set fits: of the closest one what is missing, what has another shape and what there is instead, ten of each.
    private func mismatch(_ sets: [TensorSet]) -> String {
        let needed = needed
        func matches(_ set: TensorSet, _ prefix: String) -> Int {
            let names = Set(set.tensors.map(\.name))
            return needed.count { names.contains(prefix + $0.name) }
        }
        let closest = sets.flatMap { set in
            (prefixes(set.tensors.map(\.name), needed) + [""]).map { (set: set, prefix: $0) }
        }
        .max { matches($0.set, $0.prefix) < matches($1.set, $1.prefix) }
        guard let (set, prefix) = closest else { return "there are no tensors in it" }
        let byName = Dictionary(set.tensors.map { ($0.name, $0.shape) }) { first, _ in first }
        let missing = needed.map(\.name).filter { byName[prefix + $0] == nil }
        let wanted = Set(needed.map { prefix + $0.name })
        let extra = set.tensors.map(\.name).filter { !wanted.contains($0) && !$0.hasSuffix("num_batches_tracked") }
        let shapes = needed.compactMap { entry in
            byName[prefix + entry.name].flatMap {
                $0 == entry.shape ? nil : "\(entry.name) \($0) instead of \(entry.shape)"
            }
        }
        func list(_ what: String, _ names: [String]) -> String? {
            guard !names.isEmpty else { return nil }
            let more = names.count > 10 ? ", ..." : ""
            return "\(what) (\(names.count)): \(names.prefix(10).joined(separator: ", "))\(more)"
        }
        let parts = [
            list("missing", missing), list("of another shape", shapes), list("in the file instead", extra),
        ].compactMap { $0 }
        let place = set.name.isEmpty ? "" : " the closest entry is \(set.name);"
        return
            "these are no weights of \(rawValue), which has \(needed.count) tensors:\(place) \(parts.joined(separator: "; "))"
    }
}

extension NamedTensor {
    func named(_ name: String) -> NamedTensor { NamedTensor(name: name, shape: shape, values: values) }
}
