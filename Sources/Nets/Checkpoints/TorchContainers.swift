/// The three containers of `torch.save`: each finds the pickle and, by key, the elements of its storages.
extension TorchCheckpoint {
    /// A zip file of stored members: NAME/data.pkl and NAME/data/KEY.
    init(zip raw: UnsafeRawBufferPointer, _ choose: Choice) throws(CheckpointError) {
        let zip = try StoredZip(raw)
        // One folder, or none or several if somebody packed the unpacked file again.
        let pickles = zip.names.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
        guard let pickle = pickles.first, pickles.count == 1 else {
            throw CheckpointError(
                .unsupported, at: "the zip directory",
                "\(pickles.count) members NAME/data.pkl, one expected: no PyTorch checkpoint")
        }
        let folder = pickle.dropLast("data.pkl".count)
        guard !zip.names.contains("\(folder)constants.pkl") else {
            throw CheckpointError(
                .unsupported, at: "the zip directory",
                "a TorchScript archive, which has code: save its tensors alone, in Python: "
                    + "torch.save(torch.jit.load(FILE).state_dict(), \"weights.pt\")")
        }
        if zip.names.contains("\(folder)byteorder") {
            let order = try zip.contents(of: "\(folder)byteorder")
            guard order.elementsEqual("little".utf8) else {
                throw CheckpointError(.unsupported, at: "member \(folder)byteorder", "little expected")
            }
        }
        var machine = PickleMachine(foreign: .standIn)
        var reader = CheckpointReader(try zip.contents(of: pickle), of: pickle)
        let root = try machine.run(&reader)
        let contents = TorchContents(root: root, heap: machine.heap, fileSize: raw.count)
        // A member's CRC-32 is computed once, however many tensors share it.
        var storages: [String: UnsafeRawBufferPointer] = [:]
        self = try contents.checkpoint(.zip, choose) { storage throws(CheckpointError) in
            if let elements = storages[storage.key] { return elements }
            let elements = try zip.contents(of: "\(folder)data/\(storage.key)")
            storages[storage.key] = elements
            return elements
        }
    }

    /// `0x1950a86a20f9469cfc6c`, the pickled number that the legacy container begins with.
    private static let legacyMagic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    /// Pickles of the magic number, the protocol, the writer's machine, the object and the storages' keys; then each key's elements.
    init(legacy raw: UnsafeRawBufferPointer, _ choose: Choice) throws(CheckpointError) {
        var reader = CheckpointReader(raw, of: "the file")
        var preamble = PickleMachine()
        guard case .longInteger(Self.legacyMagic) = try preamble.run(&reader) else {
            throw CheckpointError(
                .unsupported, at: "byte 0", "a pickle, but not of PyTorch: its magic number is missing")
        }
        guard case .integer(1001) = try preamble.run(&reader) else {
            throw CheckpointError(.unsupported, at: reader.place(), "the container's protocol version 1001 expected")
        }
        try Self.checkLittleEndian(&reader)

        var machine = PickleMachine(foreign: .standIn)
        let root = try machine.run(&reader)
        let storages = try Self.legacyStorages(of: machine.heap, &reader)
        let contents = TorchContents(root: root, heap: machine.heap, fileSize: raw.count)
        self = try contents.checkpoint(.legacy, choose) { storage throws(CheckpointError) in
            guard let elements = storages[storage.key] else {
                throw CheckpointError(.malformed, at: "the storages' keys", "\(storage.key) is missing")
            }
            return elements
        }
    }

    /// The elements by storage key: after the pickled list of keys, for each an 8-byte count and the elements, to the file's end.
    private static func legacyStorages(
        of heap: PickleHeap, _ reader: inout CheckpointReader
    ) throws(CheckpointError) -> [String: UnsafeRawBufferPointer] {
        var declared: [String: PickleHeap.Storage] = [:]
        for storage in heap.storages { declared[storage.key] = storage }
        var keys = PickleMachine()
        guard case .sequence(let list) = try keys.run(&reader) else {
            throw CheckpointError(.malformed, at: reader.place(), "the list of the storages' keys expected")
        }
        var storages: [String: UnsafeRawBufferPointer] = [:]
        for key in keys.heap.sequences[list] {
            if case .text(let name) = key, let storage = heap.foreignStorages[name] {
                guard let length = storage.byteCount, try reader.integer(Int64.self) == storage.count else {
                    throw CheckpointError(
                        .unsupported, at: reader.place(), "the storage \(name) is of \(storage.type), which is not read"
                    )
                }
                _ = try reader.take(length)
                continue
            }
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

    /// Reads the pickled description of the writer's machine, of which only the byte order matters.
    private static func checkLittleEndian(_ reader: inout CheckpointReader) throws(CheckpointError) {
        let place = reader.place()
        var machine = PickleMachine()
        if case .dictionary(let number) = try machine.run(&reader) {
            for case (.text("little_endian"), .boolean(true)) in machine.heap.dictionaries[number] { return }
        }
        throw CheckpointError(.unsupported, at: place, "a file written on a little-endian machine expected")
    }
}

// MARK: - The tar container

extension TorchCheckpoint {
    /// Four members: `sys_info`, then `storages` and `tensors`, which the object in `pickle` refers to by number.
    init(tar raw: UnsafeRawBufferPointer, _ choose: Choice) throws(CheckpointError) {
        let tar = try StoredTar(raw)
        var systemInfo = try tar.reader(of: "sys_info")
        try Self.checkLittleEndian(&systemInfo)
        var tables = TarTables()
        var storages = try tar.reader(of: "storages")
        try tables.readStorages(&storages)
        var tensors = try tar.reader(of: "tensors")
        try tables.readTensors(&tensors)
        var machine = PickleMachine(heap: tables.heap, persistent: tables.tensors, foreign: .standIn)
        var pickle = try tar.reader(of: "pickle")
        let root = try machine.run(&pickle)
        let contents = TorchContents(root: root, heap: machine.heap, fileSize: raw.count)
        self = try contents.checkpoint(.tar, choose) { storage throws(CheckpointError) in
            guard let elements = tables.elements[storage.key] else {
                throw CheckpointError(.malformed, at: "the member storages", "the storage \(storage.key) is missing")
            }
            return elements
        }
    }
}

/// What a tar container's members `storages` and `tensors` hold; its numbers are the writer's addresses, used as names.
private struct TarTables {
    var heap = PickleHeap()
    /// The elements of each storage that is not part of another.
    var elements: [String: UnsafeRawBufferPointer] = [:]
    /// Tensors by the name that the pickle calls them.
    var tensors: [String: PickleValue] = [:]
    private var storages: [Int64: Int] = [:]

    /// A pickled count, for each storage a pickled (number, device, type), its length and elements; then a pickled list of the
    /// storages that are parts of others: (number, whole, offset, length).
    mutating func readStorages(_ reader: inout CheckpointReader) throws(CheckpointError) {
        for _ in 0..<(try count(&reader)) {
            let place = reader.place()
            let (fields, _) = try sequence(&reader)
            guard fields.count == 3, case .integer(let number) = fields[0],
                case .global(.storageType(let type)) = fields[2]
            else { throw CheckpointError(.malformed, at: place, "a storage's number, device and type expected") }
            let length = try reader.integer(Int64.self)
            guard let count = Int(exactly: length), count >= 0,
                let bytes = StridedView.product([count, type.byteCount])
            else {
                throw CheckpointError(.malformed, at: place, "a storage of \(length) elements")
            }
            elements["\(number)"] = try reader.take(bytes)
            try add(number, .init(type: type, key: "\(number)", count: count, part: 0..<count), at: place)
        }
        let place = reader.place()
        let (views, heap) = try sequence(&reader)
        for view in views {
            guard let fields = heap.integers(view), fields.count == 4, let whole = storages[Int64(fields[1])],
                case let root = self.heap.storages[whole],
                (0...root.count).contains(fields[2]), (0...root.count - fields[2]).contains(fields[3])
            else { throw CheckpointError(.malformed, at: place, "a part of a storage expected") }
            let part = fields[2]..<fields[2] + fields[3]
            try add(
                Int64(fields[0]), .init(type: root.type, key: root.key, count: root.count, part: part), at: place)
        }
    }

    /// A pickled count, for each tensor a pickled (number, storage, type), the number of dimensions in 8 bytes, shape, strides, offset.
    mutating func readTensors(_ reader: inout CheckpointReader) throws(CheckpointError) {
        for _ in 0..<(try count(&reader)) {
            let place = reader.place()
            let (fields, _) = try sequence(&reader)
            guard fields.count == 3, case .integer(let number) = fields[0], case .integer(let storage) = fields[1],
                let storage = storages[storage]
            else { throw CheckpointError(.malformed, at: place, "a tensor's number, storage and type expected") }
            // The upper four bytes are not always written: PyTorch reads the lower ones alone.
            let rank = Int(try reader.integer(UInt32.self))
            _ = try reader.take(4)
            var numbers: [Int] = []
            for _ in 0..<2 * rank + 1 { numbers.append(Int(try reader.integer(Int64.self))) }
            heap.tensors.append(
                .init(
                    storage: storage, offset: numbers[2 * rank], shape: Array(numbers[..<rank]),
                    strides: Array(numbers[rank..<2 * rank])))
            guard tensors.updateValue(.tensor(heap.tensors.count - 1), forKey: "\(number)") == nil else {
                throw CheckpointError(.malformed, at: place, "the tensor \(number) comes twice")
            }
        }
    }

    private mutating func add(
        _ number: Int64, _ storage: PickleHeap.Storage, at place: BytePlace
    ) throws(CheckpointError) {
        heap.storages.append(storage)
        guard storages.updateValue(heap.storages.count - 1, forKey: number) == nil else {
            throw CheckpointError(.malformed, at: place, "the storage \(number) comes twice")
        }
    }

    private func count(_ reader: inout CheckpointReader) throws(CheckpointError) -> Int64 {
        let place = reader.place()
        var machine = PickleMachine()
        guard case .integer(let count) = try machine.run(&reader), count >= 0 else {
            throw CheckpointError(.malformed, at: place, "a count expected")
        }
        return count
    }

    private func sequence(_ reader: inout CheckpointReader) throws(CheckpointError) -> ([PickleValue], PickleHeap) {
        let place = reader.place()
        var machine = PickleMachine()
        guard case .sequence(let number) = try machine.run(&reader) else {
            throw CheckpointError(.malformed, at: place, "a tuple or list expected")
        }
        return (machine.heap.sequences[number], machine.heap)
    }
}
