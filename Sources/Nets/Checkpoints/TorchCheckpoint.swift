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
    /// - Throws: ``CheckpointError``: `refused` for a pickle that names anything but tensors, NumPy numbers and plain containers;
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
            throw CheckpointError(.unsupported, at: "the pickle", "a dict expected: save the model's state_dict()")
        }
        let model = try value("model", in: top).flatMap(pairs)
        var detail: [String: TorchCheckpoint.Scalar] = [:]
        if model != nil, let entries = try value("detail", in: top).flatMap(pairs) {
            for case (.text(let key), let value) in entries { detail[key] = scalar(value) }
        }
        return TorchCheckpoint(
            container: container, stateDict: try tensors(in: model ?? top, elements: elements), detail: detail)
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
        in pairs: [(key: PickleValue, value: PickleValue)], elements: Elements
    ) throws(CheckpointError) -> [NamedTensor] {
        var tensors: [NamedTensor] = []
        var names: Set<String> = []
        // Views may share or repeat elements, so a small file could ask for any amount of memory.
        var budget = fileSize
        for case (let key, .tensor(let number)) in pairs {
            guard case .text(let name) = key, names.insert(name).inserted else {
                throw CheckpointError(
                    .malformed, at: "the pickle", "tensors with a name each expected, \(key) has none or comes twice")
            }
            tensors.append(try tensor(heap.tensors[number], name: name, budget: &budget, elements: elements))
        }
        guard !tensors.isEmpty else {
            let keys = pairs.prefix(8).map { if case .text(let name) = $0.key { name } else { "?" } }
            throw CheckpointError(
                .unsupported, at: "the pickle",
                "tensors expected, by name or in an entry 'model'; its entries are: \(keys.joined(separator: ", "))")
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
    fileprivate init(container: Container, stateDict: [NamedTensor], detail: [String: Scalar]) {
        (self.container, self.stateDict, self.detail) = (container, stateDict, detail)
    }
}
