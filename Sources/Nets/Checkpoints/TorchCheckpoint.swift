import Foundation

/// The weights in a file that PyTorch's `torch.save` wrote, read without running any Python.
///
/// All three containers are read: the zip file of PyTorch 1.6 and later, the row of pickles and raw storages before it, and the tar
/// file before that. Contents may be a state dict or a training snapshot `{'model': state dict, 'optim': …, 'detail': {…}}`.
/// `docs/checkpoints.md` lists what is refused.
public struct TorchCheckpoint: Sendable, Equatable {
    /// How the bytes are packed.
    public enum Container: String, Sendable {
        /// PyTorch 1.6 and later.
        case zip
        /// PyTorch 0.1.10 to 1.5.
        case legacy
        /// Before PyTorch 0.1.10.
        case tar
    }

    /// One of a snapshot's details, such as its score or epoch.
    public enum Scalar: Sendable, Equatable {
        /// A Python bool.
        case boolean(Bool)
        /// A Python int or a NumPy integer.
        case integer(Int64)
        /// A Python float or a NumPy floating-point number.
        case real(Double)
        /// A Python str.
        case text(String)
    }

    /// How the file's bytes were packed.
    public let container: Container
    /// The model's tensors in the file's order, views made contiguous: those of the entry `model` if there is one, else the top level's.
    public let stateDict: [NamedTensor]
    /// What the entry `detail` says in single numbers and texts; empty without one.
    public let detail: [String: Scalar]

    /// Reads a whole file's bytes; they may be mapped, only the state dict's values are copied.
    ///
    /// - Throws: ``CheckpointError``: `refused` for a pickle that names what acts on the machine; `truncated`, `malformed` and
    ///   `unsupported` as their names say.
    public init(parsing bytes: some ContiguousBytes) throws(CheckpointError) {
        try self.init(parsing: bytes) { sets, _ throws(CheckpointError) in
            let named = ["model", ""].lazy.compactMap { path in sets.firstIndex { $0.path == path } }.first
            guard let set = named ?? (sets.count == 1 ? 0 : nil) else {
                let found =
                    sets.isEmpty
                    ? "there are none" : "they are in: \(sets.prefix(8).map(\.path).joined(separator: ", "))"
                throw CheckpointError(
                    .unsupported, at: "the pickle", "tensors expected, by name or in an entry 'model'; \(found)")
            }
            return (set, sets[set].tensors.map(\.name))
        }
    }

    /// Reads a whole file's bytes and takes from it the weights of a backbone, under the backbone's own names, wherever they are.
    ///
    /// - Parameters:
    ///   - entry: which set of weights, if there are several.
    ///   - exceptLastLayer: a training's start needs no last layer.
    package init(
        parsing bytes: some ContiguousBytes, of backbone: Backbone, entry: String? = nil, exceptLastLayer: Bool = false
    ) throws(CheckpointError) {
        let search = WeightsSearch(backbone, exceptLastLayer: exceptLastLayer)
        try self.init(parsing: bytes) { sets, values throws(CheckpointError) in
            do throws(WeightsMisfit) {
                let found = try search.find(in: sets, entry: entry) { one, two in
                    guard let one = try? values(one), let two = try? values(two) else { return false }
                    return one == two
                }
                return (found.set, found.ownNames(in: sets[found.set]))
            } catch {
                throw CheckpointError(.unsupported, at: "the weights", error.problem)
            }
        }
    }

    /// Reads one tensor's values.
    typealias Values = (WeightsSearch.Position) throws(CheckpointError) -> NamedTensor.Values
    /// Says which set of tensors is read, and each one's name; nil for those that are not.
    typealias Choice = ([TensorSet], Values) throws(CheckpointError) -> (set: Int, names: [String?])

    init(parsing bytes: some ContiguousBytes, choose: Choice) throws(CheckpointError) {
        self = try withoutActuallyEscaping(choose) { choose in
            bytes.withUnsafeBytes { raw in
                Result { () throws(CheckpointError) in
                    if raw.count > 4 && raw.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
                        return try TorchCheckpoint(zip: raw, choose)
                    }
                    if raw.first == 0x80 { return try TorchCheckpoint(legacy: raw, choose) }
                    if StoredTar.isTar(raw) { return try TorchCheckpoint(tar: raw, choose) }
                    throw CheckpointError(
                        raw.count > 4 ? .unsupported : .truncated, at: "byte 0",
                        "a PyTorch checkpoint expected: it begins as a zip file, a pickle or a tar file, this file as none of them"
                    )
                }
            }
        }.get()
    }
}

// MARK: - From the pickle's values to named tensors

/// What a container's pickle holds, before its tensors are read.
struct TorchContents {
    let root: PickleValue
    let heap: PickleHeap
    let fileSize: Int

    typealias Elements = (PickleHeap.Storage) throws(CheckpointError) -> UnsafeRawBufferPointer

    func checkpoint(
        _ container: TorchCheckpoint.Container, _ choose: TorchCheckpoint.Choice, elements: Elements
    ) throws(CheckpointError) -> TorchCheckpoint {
        if case .object(let number) = root {
            throw CheckpointError(
                .refused, at: "the pickle",
                """
                it is an object of \(heap.objects[number]), which was not made: nothing of a pickle is run. If it is a model of \
                yours, save its tensors alone, in Python: torch.save(torch.load(FILE, weights_only=False).state_dict(), "weights.pt")
                """)
        }
        let (dictionaries, sets) = try self.sets()
        guard !dictionaries.isEmpty else { throw CheckpointError(.unsupported, at: "the pickle", contents()) }
        let choice = try withoutActuallyEscaping(elements) { elements in
            Result { () throws(CheckpointError) in
                try choose(sets) { position throws(CheckpointError) in
                    guard
                        case .tensor(let number) = tensors(in: dictionaries[position.set])[position.tensor].value
                    else { throw CheckpointError(.unsupported, at: "the pickle", "a tensor expected") }
                    var budget = fileSize
                    return try tensor(heap.tensors[number], name: "", budget: &budget, elements: elements).values
                }
            }
        }.get()
        var detail: [String: TorchCheckpoint.Scalar] = [:]
        if let top = pairs(of: root), try value("model", in: top).flatMap(pairs) != nil,
            let entries = try value("detail", in: top).flatMap(pairs)
        {
            for case (.text(let key), let value) in entries { detail[key] = scalar(value) }
        }
        let chosen = tensors(in: dictionaries[choice.set])
        return TorchCheckpoint(
            container: container,
            stateDict: try read(zip(chosen, choice.names).map { ($0.value, $1) }, elements: elements), detail: detail)
    }

    // MARK: Sets of tensors

    /// How deep dicts and lists may be nested for their tensors to be found.
    private static let deepest = 32

    /// All dicts that have tensors by name, the least nested first: their numbers, and what is in them.
    private func sets() throws(CheckpointError) -> ([Int], [TensorSet]) {
        /// A value to look at, and how it was reached.
        struct Node {
            let value: PickleValue
            let parent: Int
            let key: String
            let depth: Int
        }
        var nodes = [Node(value: root, parent: -1, key: "", depth: 0)]
        var seen: (dictionaries: Set<Int>, sequences: Set<Int>) = ([], [])
        var (dictionaries, sets): ([Int], [TensorSet]) = ([], [])
        var next = 0
        while next < nodes.count {
            defer { next += 1 }
            let node = nodes[next]
            guard node.depth <= Self.deepest else { continue }
            func add(_ value: PickleValue, _ key: @autoclosure () -> String) {
                switch value {
                case .dictionary, .sequence:
                    nodes.append(Node(value: value, parent: next, key: key(), depth: node.depth + 1))
                default: break
                }
            }
            switch node.value {
            case .dictionary(let number) where seen.dictionaries.insert(number).inserted:
                for (key, value) in heap.dictionaries[number] { add(value, name(of: key)) }
                let outlines = try outlines(in: number)
                guard outlines.contains(where: { if case .object = $0.kind { false } else { true } }) else { continue }
                var (keys, place): ([String], Int) = ([], next)
                while place > 0 {
                    keys.append(nodes[place].key)
                    place = nodes[place].parent
                }
                dictionaries.append(number)
                sets.append(TensorSet(path: keys.reversed().joined(separator: "."), tensors: outlines))
            case .sequence(let number) where seen.sequences.insert(number).inserted:
                for (index, value) in heap.sequences[number].enumerated() { add(value, "\(index)") }
            default: break
            }
        }
        return (dictionaries, sets)
    }

    /// A key as a path has it.
    private func name(of key: PickleValue) -> String {
        switch key {
        case .text(let name): name
        case .integer(let number): "\(number)"
        default: "?"
        }
    }

    /// The entries of a dict that are tensors, or objects in a tensor's place, under a name.
    private func tensors(in dictionary: Int) -> [(name: String, value: PickleValue)] {
        heap.dictionaries[dictionary].compactMap { key, value in
            guard case .text(let name) = key else { return nil }
            switch value {
            case .tensor, .object: return (name, value)
            default: return nil
            }
        }
    }

    private func outlines(in dictionary: Int) throws(CheckpointError) -> [TensorOutline] {
        var names: Set<String> = []
        var outlines: [TensorOutline] = []
        for (name, value) in tensors(in: dictionary) {
            guard names.insert(name).inserted else {
                throw CheckpointError(.malformed, at: "the pickle", "the entry \(name) comes twice")
            }
            switch value {
            case .tensor(let number):
                guard let tensor = heap.tensors[number] else {
                    throw CheckpointError(
                        .malformed, at: "tensor \(name)", "a parameter that was never given its values")
                }
                let storage = heap.storages[tensor.storage]
                let (start, overflow) = storage.part.lowerBound.addingReportingOverflow(tensor.offset)
                outlines.append(
                    TensorOutline(
                        name: name, shape: tensor.shape, kind: storage.type.isReal ? .real : .integer,
                        place: overflow
                            ? nil
                            : .init(
                                storage: storage.key, start: start, strides: tensor.strides,
                                isNegated: tensor.isNegated)))
            case .object(let number):
                outlines.append(TensorOutline(name: name, shape: [], kind: .object(heap.objects[number])))
            default: break
            }
        }
        return outlines
    }

    /// What the file has instead of tensors.
    private func contents() -> String {
        guard let top = pairs(of: root) else { return "a dict expected: save the model's state_dict()" }
        let entries = top.prefix(8).map { key, value in
            if case .object(let number) = value {
                "\(name(of: key)) (an object of \(heap.objects[number]))"
            } else {
                name(of: key)
            }
        }
        let hasObject = top.contains { if case .object = $0.value { true } else { false } }
        return "tensors by name expected; its entries are: \(entries.joined(separator: ", "))"
            + (hasObject ? ". Objects are not made: of a model save its state_dict()" : "")
    }

    private func pairs(of value: PickleValue) -> [(key: PickleValue, value: PickleValue)]? {
        guard case .dictionary(let number) = value else { return nil }
        return heap.dictionaries[number]
    }

    private func value(
        _ name: String, in pairs: [(key: PickleValue, value: PickleValue)]
    ) throws(CheckpointError) -> PickleValue? {
        let values = pairs.compactMap { pair in
            if case .text(name) = pair.key { pair.value } else { nil }
        }
        guard values.count < 2 else {
            throw CheckpointError(.malformed, at: "the pickle", "the entry \(name) comes twice")
        }
        return values.first
    }

    private func scalar(_ value: PickleValue) -> TorchCheckpoint.Scalar? {
        switch value {
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .real(let value): .real(value)
        case .text(let value): .text(value)
        default: nil
        }
    }

    /// The tensors that have a name, in order.
    private func read(
        _ chosen: [(value: PickleValue, name: String?)], elements: Elements
    ) throws(CheckpointError) -> [NamedTensor] {
        var tensors: [NamedTensor] = []
        // Views may share or repeat elements, so a small file could ask for any amount of memory.
        var budget = fileSize
        for case (.tensor(let number), let name?) in chosen {
            tensors.append(try tensor(heap.tensors[number], name: name, budget: &budget, elements: elements))
        }
        return tensors
    }

    private func tensor(
        _ tensor: PickleHeap.Tensor?, name: String, budget: inout Int, elements: Elements
    ) throws(CheckpointError) -> NamedTensor {
        let place = "tensor \(name)"
        guard let tensor else {
            throw CheckpointError(.malformed, at: place, "a parameter that was never given its values")
        }
        let storage = heap.storages[tensor.storage]
        let raw = try elements(storage)
        guard raw.count / storage.type.byteCount == storage.count, raw.count % storage.type.byteCount == 0 else {
            throw CheckpointError(
                .malformed, at: place,
                "its storage \(storage.key) has \(raw.count) bytes, not \(storage.count) elements")
        }
        let view = StridedView(
            offset: tensor.offset, shape: tensor.shape, strides: tensor.strides, within: storage.part.count)
        guard let view else {
            throw CheckpointError(
                .malformed, at: place,
                """
                shape \(tensor.shape) with strides \(tensor.strides) from \(tensor.offset) leaves its storage of \
                \(storage.part.count) elements
                """)
        }
        budget -= view.count
        guard budget >= 0 else {
            throw CheckpointError(.refused, at: place, "its views have more elements than the file has bytes")
        }
        let part = UnsafeRawBufferPointer(rebasing: raw[(storage.part.lowerBound * storage.type.byteCount)...])
        let values = storage.type.values(of: view, in: part)
        return NamedTensor(name: name, shape: tensor.shape, values: tensor.isNegated ? values.negated() : values)
    }
}

extension TorchCheckpoint {
    fileprivate init(container: Container, stateDict: [NamedTensor], detail: [String: Scalar]) {
        (self.container, self.stateDict, self.detail) = (container, stateDict, detail)
    }
}
