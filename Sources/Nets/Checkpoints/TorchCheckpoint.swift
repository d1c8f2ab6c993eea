import Foundation

/// The weights in a file that PyTorch's `torch.save` wrote, read without running any Python.
///
/// Both containers are read: the zip file of PyTorch 1.6 and later, and the older row of pickles and raw storages. Contents may be a
/// state dict or a training snapshot `{'model': state dict, 'optim': …, 'detail': {…}}`. `docs/checkpoints.md` lists what is refused.
public struct TorchCheckpoint: Sendable, Equatable {
    /// How the bytes are packed.
    public enum Container: String, Sendable {
        /// PyTorch 1.6 and later.
        case zip
        /// PyTorch 1.5 and before.
        case legacy
    }

    /// One of a snapshot's details, such as its score or epoch.
    public enum Scalar: Sendable, Equatable {
        case boolean(Bool)
        case integer(Int64)
        case real(Double)
        case text(String)
    }

    public let container: Container
    /// The model's tensors in the file's order, views made contiguous: those of the entry `model` if there is one, else the top level's.
    public let stateDict: [NamedTensor]
    /// What the entry `detail` says in single numbers and texts; empty without one.
    public let detail: [String: Scalar]

    /// Reads a whole file's bytes; they may be mapped, only the state dict's values are copied.
    public init(parsing bytes: some ContiguousBytes) throws(CheckpointError) {
        self = try bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in
                switch (raw.first, raw.count > 4 && raw.starts(with: [0x50, 0x4B, 0x03, 0x04])) {
                case (_, true): try TorchCheckpoint(zip: raw)
                case (0x80, _): try TorchCheckpoint(legacy: raw)
                default:
                    throw CheckpointError(
                        raw.count > 4 ? .unsupported : .truncated, at: "byte 0",
                        "a PyTorch checkpoint expected: it begins as a zip file or a pickle, this file as neither")
                }
            }
        }.get()
    }
}

// MARK: - The containers

extension TorchCheckpoint {
    /// A zip file of stored members: NAME/data.pkl and NAME/data/KEY.
    private init(zip raw: UnsafeRawBufferPointer) throws(CheckpointError) {
        let zip = try StoredZip(raw)
        let pickles = zip.names.filter { $0.hasSuffix("/data.pkl") && $0.utf8.count { $0 == UInt8(ascii: "/") } == 1 }
        guard let pickle = pickles.first, pickles.count == 1 else {
            throw CheckpointError(
                .unsupported, at: "the zip directory",
                "\(pickles.count) members NAME/data.pkl, one expected: no PyTorch checkpoint")
        }
        let folder = pickle.dropLast("data.pkl".count)
        if zip.names.contains("\(folder)byteorder") {
            let order = try zip.contents(of: "\(folder)byteorder")
            guard order.elementsEqual("little".utf8) else {
                throw CheckpointError(.unsupported, at: "member \(folder)byteorder", "little expected")
            }
        }
        var machine = PickleMachine()
        var reader = ByteReader(try zip.contents(of: pickle), of: pickle)
        let root = try machine.run(&reader)
        let contents = Contents(root: root, heap: machine.heap, fileSize: raw.count)
        // A member's CRC-32 is computed once, however many tensors share it.
        var storages: [String: UnsafeRawBufferPointer] = [:]
        self = try contents.checkpoint(.zip) { storage throws(CheckpointError) in
            if let elements = storages[storage.key] { return elements }
            let elements = try zip.contents(of: "\(folder)data/\(storage.key)")
            storages[storage.key] = elements
            return elements
        }
    }

    /// `0x1950a86a20f9469cfc6c`, the pickled number that the legacy container begins with.
    private static let legacyMagic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    /// Pickles of the magic number, the protocol, the writer's machine, the object and the storages' keys; then each key's elements.
    private init(legacy raw: UnsafeRawBufferPointer) throws(CheckpointError) {
        var reader = ByteReader(raw, of: "the file")
        var preamble = PickleMachine()
        guard case .longInteger(Self.legacyMagic) = try preamble.run(&reader) else {
            throw CheckpointError(
                .unsupported, at: "byte 0", "a pickle, but not of PyTorch: its magic number is missing")
        }
        guard case .integer(1001) = try preamble.run(&reader) else {
            throw CheckpointError(.unsupported, at: reader.place(), "the container's protocol version 1001 expected")
        }
        guard case .dictionary(let machineInfo) = try preamble.run(&reader),
            preamble.heap.dictionaries[machineInfo].contains(where: {
                if case (.text("little_endian"), .boolean(true)) = ($0.key, $0.value) { true } else { false }
            })
        else { throw CheckpointError(.unsupported, at: reader.place(), "a little-endian writer expected") }

        var machine = PickleMachine()
        let root = try machine.run(&reader)
        let storages = try Self.legacyStorages(of: machine.heap, &reader)
        let contents = Contents(root: root, heap: machine.heap, fileSize: raw.count)
        self = try contents.checkpoint(.legacy) { storage throws(CheckpointError) in
            guard let elements = storages[storage.key] else {
                throw CheckpointError(.malformed, at: "the storages' keys", "\(storage.key) is missing")
            }
            return elements
        }
    }

    /// The elements by storage key: after the pickled list of keys, for each an 8-byte count and the elements, to the file's end.
    private static func legacyStorages(
        of heap: PickleHeap, _ reader: inout ByteReader
    ) throws(CheckpointError) -> [String: UnsafeRawBufferPointer] {
        var declared: [String: PickleHeap.Storage] = [:]
        for storage in heap.storages { declared[storage.key] = storage }
        var keys = PickleMachine()
        guard case .sequence(let list) = try keys.run(&reader) else {
            throw CheckpointError(.malformed, at: reader.place(), "the list of the storages' keys expected")
        }
        var storages: [String: UnsafeRawBufferPointer] = [:]
        for key in keys.heap.sequences[list] {
            guard case .text(let key) = key, let storage = declared[key] else {
                throw CheckpointError(.malformed, at: reader.place(), "a key that no tensor uses")
            }
            let count = try reader.integer(Int64.self)
            guard count == storage.count else {
                throw CheckpointError(
                    .malformed, at: reader.place(back: 8),
                    "\(storage.count) elements of storage \(key) expected, not \(count)")
            }
            guard let length = StridedView.product([storage.count, storage.type.byteCount]) else {
                throw CheckpointError(
                    .malformed, at: reader.place(back: 8), "\(count) elements are more than any file has")
            }
            guard storages.updateValue(try reader.take(length), forKey: key) == nil else {
                throw CheckpointError(.malformed, at: reader.place(), "the storage \(key) comes twice")
            }
        }
        guard reader.remaining == 0 else {
            throw CheckpointError(
                .malformed, at: reader.place(), "\(reader.remaining) bytes follow the last storage and belong to none")
        }
        return storages
    }
}

// MARK: - From the pickle's values to named tensors

/// What a container's pickle holds, before its tensors are read.
private struct Contents {
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
        _ tensor: PickleHeap.Tensor, name: String, budget: inout Int, elements: Elements
    ) throws(CheckpointError) -> NamedTensor {
        let place = "tensor \(name)"
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
