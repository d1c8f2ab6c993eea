import Foundation

/// The weights in a file that PyTorch's `torch.save` wrote, read without running any Python.
///
/// All three containers are read: the zip file of PyTorch 1.6 and later, the row of pickles and raw storages before it, and the tar
/// file before that. Contents may be a state dict or a training snapshot with state dicts in it, at any depth, such as
/// `{'model': state dict, 'optim': …, 'detail': {…}}`.
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
    /// Every dict of tensors in the file, in its order, views made contiguous.
    public let sets: [TensorSet]
    /// The model's tensors: those of the entry `model` if there is one, else the first ones.
    public var stateDict: [NamedTensor] { (sets.first { $0.name == "model" } ?? sets.first)?.tensors ?? [] }
    /// What the entry `detail` says in single numbers and texts; empty without one.
    public let detail: [String: Scalar]

    /// Reads a whole file's bytes; they may be mapped, only the state dict's values are copied.
    ///
    /// - Throws: ``CheckpointError``: `refused` for a pickle that names what only an attack would;
    ///   `truncated`, `malformed` and `unsupported` as their names say.
    public init(parsing bytes: some ContiguousBytes) throws(CheckpointError) {
        self = try bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in
                if raw.count > 4 && raw.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return try TorchCheckpoint(zip: raw) }
                if raw.first == 0x80 { return try TorchCheckpoint(legacy: raw) }
                if StoredTar.isTar(raw) { return try TorchCheckpoint(tar: raw) }
                throw CheckpointError(
                    raw.count > 4 ? .unsupported : .truncated, at: "byte 0",
                    "a PyTorch checkpoint expected: it begins as a zip file, a pickle or a tar file, this file as none of them"
                )
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

    func checkpoint(_ container: TorchCheckpoint.Container, elements: Elements) throws(CheckpointError)
        -> TorchCheckpoint
    {
        guard let top = pairs(of: root) else {
            let found = if case .standIn(let name) = root { "an object of \(name)" } else { "something else" }
            throw CheckpointError(
                .unsupported, at: "the pickle",
                "a dict of tensors expected, \(found) found. Save the weights alone: torch.save(model.state_dict(), 'weights.pt')"
            )
        }
        var detail: [String: TorchCheckpoint.Scalar] = [:]
        if let entries = try value("detail", in: top).flatMap(pairs) {
            for case (.text(let key), let value) in entries { detail[key] = scalar(value) }
        }
        return TorchCheckpoint(
            container: container, sets: try sets(elements: elements), detail: detail)
    }

    /// As many sets are read; a file has a model's, an average's and perhaps a teacher's.
    private static let mostSets = 16

    /// The dicts with tensors in them, from the root on along keys that are texts.
    private func sets(elements: Elements) throws(CheckpointError) -> [TensorSet] {
        var found: [TensorSet] = []
        var waiting: [(name: String, value: PickleValue)] = [("", root)]
        var seen: Set<Int> = []
        // Views may share or repeat elements, so a small file could ask for any amount of memory.
        var budget = fileSize
        var keys: [String] = []
        while !waiting.isEmpty, found.count < Self.mostSets {
            let (name, value) = waiting.removeFirst()
            guard case .dictionary(let number) = value, seen.insert(number).inserted else { continue }
            let pairs = heap.dictionaries[number]
            let tensors = try tensors(in: pairs, budget: &budget, elements: elements)
            if !tensors.isEmpty { found.append(TensorSet(name: name, tensors: tensors)) }
            for case (.text(let key), let value) in pairs {
                if keys.count < 8, name.isEmpty { keys.append(key) }
                waiting.append((name.isEmpty ? key : "\(name).\(key)", value))
            }
        }
        guard !found.isEmpty else {
            throw CheckpointError(
                .unsupported, at: "the pickle",
                "tensors expected, by name or in an entry of their own; its entries are: \(keys.joined(separator: ", "))"
            )
        }
        return found
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

    /// The tensors among a dict's values, in order; other values (an epoch beside the weights) are left out.
    private func tensors(
        in pairs: [(key: PickleValue, value: PickleValue)], budget: inout Int, elements: Elements
    ) throws(CheckpointError) -> [NamedTensor] {
        var tensors: [NamedTensor] = []
        var names: Set<String> = []
        for case (.text(let name), .tensor(let number)) in pairs {
            guard names.insert(name).inserted else {
                throw CheckpointError(.malformed, at: "the pickle", "the tensor \(name) comes twice")
            }
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
        return NamedTensor(name: name, shape: tensor.shape, values: storage.type.values(of: view, in: part))
    }
}

extension TorchCheckpoint {
    fileprivate init(container: Container, sets: [TensorSet], detail: [String: Scalar]) {
        (self.container, self.sets, self.detail) = (container, sets, detail)
    }
}
