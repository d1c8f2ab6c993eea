/// Reads a pickle of weights or predictions without running it: a stack, a memo and the few operations and names that these need.
///
/// Python's pickle is a program that may call anything. Here an operation that is not in a short list ends the reading with an
/// error that says which, and those in the list only build values (Python's `pickletools` documents the operations). So does a
/// name that is not in a list, or an object takes its place of which nothing is known but that name.
/// Protocols up to 3: `torch.save` writes 2. Memory grows with the pickle's length and no faster.
struct PickleMachine {
    /// What becomes of names that weights and predictions do not need.
    enum ForeignNames {
        case refused
        /// Something stands in for what they would make: a checkpoint may hold anything beside its weights.
        case standIn
    }

    private(set) var heap: PickleHeap
    private let foreign: ForeignNames
    /// Values from elsewhere in the container, by the text that the pickle calls them.
    private let persistent: [String: PickleValue]
    private var stack: [PickleValue] = []
    private var memo: [UInt32: PickleValue] = [:]

    init(
        heap: PickleHeap = PickleHeap(), persistent: [String: PickleValue] = [:], foreign: ForeignNames = .refused
    ) {
        (self.heap, self.persistent, self.foreign) = (heap, persistent, foreign)
    }

    /// Reads one pickle, up to and with its STOP; what it left on the stack is its value.
    mutating func run(_ reader: inout CheckpointReader) throws(CheckpointError) -> PickleValue {
        (stack, memo) = ([], [:])
        while true {
            let code = try reader.integer(UInt8.self)
            let place = reader.place(back: 1)
            guard let operation = Operation(rawValue: code) else {
                let shown = String(code, radix: 16)
                throw CheckpointError(
                    .refused, at: place, "the pickle operation 0x\(shown) is not one that weights or predictions need"
                )
            }
            if operation == .stop {
                let value = try pop(at: place)
                guard stack.isEmpty else { throw Self.malformed(place, "values are left over at the pickle's end") }
                return value
            }
            try perform(operation, &reader, at: place)
        }
    }

    private mutating func perform(
        _ operation: Operation, _ reader: inout CheckpointReader, at place: BytePlace
    ) throws(CheckpointError) {
        switch operation {
        case .stop: break
        case .proto:
            let version = try reader.integer(UInt8.self)
            guard version <= 3 else {
                throw CheckpointError(
                    .unsupported, at: place,
                    "pickle protocol \(version): save it again with protocol 2, torch.save's own, or 3")
            }
        case .mark: stack.append(.mark)
        case .pop: _ = try popAny(at: place)
        case .none: stack.append(.none)
        case .newTrue: stack.append(.boolean(true))
        case .newFalse: stack.append(.boolean(false))
        case .binInt: stack.append(.integer(Int64(try reader.integer(Int32.self))))
        case .binInt1: stack.append(.integer(Int64(try reader.integer(UInt8.self))))
        case .binInt2: stack.append(.integer(Int64(try reader.integer(UInt16.self))))
        case .long1: stack.append(Self.integer(Array(try reader.take(Int(try reader.integer(UInt8.self))))))
        case .long4: stack.append(Self.integer(Array(try reader.take(Int(try reader.integer(UInt32.self))))))
        case .binFloat:
            stack.append(.real(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped)))
        case .binUnicode, .binString: stack.append(try text(Int(try reader.integer(UInt32.self)), &reader))
        case .shortBinString: stack.append(try text(Int(try reader.integer(UInt8.self)), &reader))
        case .binBytes: stack.append(.bytes(Array(try reader.take(Int(try reader.integer(UInt32.self))))))
        case .shortBinBytes: stack.append(.bytes(Array(try reader.take(Int(try reader.integer(UInt8.self))))))
        case .binPut: memo[UInt32(try reader.integer(UInt8.self))] = try top(at: place)
        case .longBinPut: memo[try reader.integer(UInt32.self)] = try top(at: place)
        case .binGet: try recall(UInt32(try reader.integer(UInt8.self)), at: place)
        case .longBinGet: try recall(try reader.integer(UInt32.self), at: place)
        case .emptyTuple, .emptyList: stack.append(heap.sequence([]))
        case .tuple1: try gather(1, at: place)
        case .tuple2: try gather(2, at: place)
        case .tuple3: try gather(3, at: place)
        case .tuple: stack.append(heap.sequence(try popToMark(at: place)))
        case .emptySet: stack.append(heap.object("set"))
        case .addItems: _ = (try popToMark(at: place), try top(at: place))
        case .append: try extendList(by: [try pop(at: place)], at: place)
        case .appends: try extendList(by: try popToMark(at: place), at: place)
        case .emptyDict: stack.append(heap.dictionary())
        case .setItem:
            let value = try pop(at: place)
            try extendDictionary(by: [try pop(at: place), value], at: place)
        case .setItems: try extendDictionary(by: try popToMark(at: place), at: place)
        case .global: stack.append(.global(try global(module: try reader.line(), name: try reader.line(), at: place)))
        case .binPersid: stack.append(try persistentValue(try pop(at: place), at: place))
        case .reduce, .newObject:
            let arguments = try pop(at: place)
            let callee = try pop(at: place)
            stack.append(try make(callee, arguments, at: place))
        case .build:
            let state = try pop(at: place)
            try build(state: state, at: place)
        }
    }

    private func global(module: String, name: String, at place: BytePlace) throws(CheckpointError) -> PickleGlobal {
        if let global = PickleGlobal(module: module, name: name) { return global }
        if PickleGlobal.isHostile(module: module, name: name) {
            throw CheckpointError(
                .refused, at: place,
                """
                the pickle asks for \(module).\(name), which acts on the machine that reads it: nothing was run. \
                Do not load this file in Python
                """)
        }
        if foreign == .standIn { return .foreign("\(module).\(name)") }
        throw CheckpointError(
            .refused, at: place,
            "the pickle asks for \(module).\(name), which predictions do not need; nothing was run")
    }

    /// Text, or bytes beside the weights that are none: Python 2 had one type for both.
    private func text(_ count: Int, _ reader: inout CheckpointReader) throws(CheckpointError) -> PickleValue {
        guard foreign == .standIn else { return .text(try reader.text(count)) }
        let bytes = try reader.take(count)
        return String(validating: bytes, as: UTF8.self).map { .text($0) } ?? .bytes(Array(bytes))
    }

    private static func integer(_ bytes: [UInt8]) -> PickleValue {
        guard bytes.count <= 8 else { return .longInteger(bytes) }
        let negative = (bytes.last ?? 0) & 0x80 != 0
        return .integer(bytes.reversed().reduce(negative ? -1 : 0) { $0 << 8 | Int64($1) })
    }

    static func malformed(_ place: BytePlace, _ problem: String) -> CheckpointError {
        CheckpointError(.malformed, at: place, problem)
    }
}

// MARK: - The stack and the memo

extension PickleMachine {
    private mutating func popAny(at place: BytePlace) throws(CheckpointError) -> PickleValue {
        guard let value = stack.popLast() else { throw Self.malformed(place, "the pickle takes from an empty stack") }
        return value
    }

    private mutating func pop(at place: BytePlace) throws(CheckpointError) -> PickleValue {
        let value = try popAny(at: place)
        if case .mark = value { throw Self.malformed(place, "a value expected, a mark found") }
        return value
    }

    private func top(at place: BytePlace) throws(CheckpointError) -> PickleValue {
        guard let value = stack.last else { throw Self.malformed(place, "the pickle takes from an empty stack") }
        if case .mark = value { throw Self.malformed(place, "a value expected, a mark found") }
        return value
    }

    private mutating func popToMark(at place: BytePlace) throws(CheckpointError) -> [PickleValue] {
        let mark = stack.lastIndex { if case .mark = $0 { true } else { false } }
        guard let mark else { throw Self.malformed(place, "a mark expected, there is none") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[(mark + 1)...])
    }

    private mutating func gather(_ count: Int, at place: BytePlace) throws(CheckpointError) {
        var values: [PickleValue] = []
        for _ in 0..<count { values.append(try pop(at: place)) }
        stack.append(heap.sequence(values.reversed()))
    }

    private mutating func recall(_ number: UInt32, at place: BytePlace) throws(CheckpointError) {
        guard let value = memo[number] else { throw Self.malformed(place, "nothing was remembered as \(number)") }
        stack.append(value)
    }

    private mutating func extendList(by values: [PickleValue], at place: BytePlace) throws(CheckpointError) {
        let list = try top(at: place)
        if case .object = list { return }
        guard case .sequence(let number) = list else { throw Self.malformed(place, "a list expected") }
        heap.sequences[number] += values
    }

    private mutating func extendDictionary(by values: [PickleValue], at place: BytePlace) throws(CheckpointError) {
        let dictionary = try top(at: place)
        if case .object = dictionary { return }
        guard case .dictionary(let number) = dictionary else { throw Self.malformed(place, "a dict expected") }
        guard values.count.isMultiple(of: 2) else { throw Self.malformed(place, "a key without a value") }
        for index in stride(from: 0, to: values.count, by: 2) {
            heap.dictionaries[number].append((values[index], values[index + 1]))
        }
    }
}

// MARK: - What the names stand for

extension PickleMachine {
    /// What calling a name with arguments would make.
    private mutating func make(
        _ callee: PickleValue, _ arguments: PickleValue, at place: BytePlace
    ) throws(CheckpointError) -> PickleValue {
        if case .object(let number) = callee { return heap.object(heap.objects[number]) }
        guard case .global(let global) = callee, case .sequence(let number) = arguments else {
            throw Self.malformed(place, "a name and its arguments expected")
        }
        let arguments = heap.sequences[number]
        switch global {
        case .foreign(let name): return heap.object(name)
        case .orderedDictionary: return try orderedDictionary(arguments, at: place)
        case .rebuildTensor: return try tensor(arguments, at: place)
        case .parameter:
            switch arguments.first {
            case .tensor?, .object?: return arguments[0]
            case nil:
                // The first versions make it empty and give it its values with BUILD.
                heap.tensors.append(nil)
                return .tensor(heap.tensors.count - 1)
            default: break
            }
        case .size: if case .sequence? = arguments.first { return arguments[0] }
        case .rebuildFromType:
            // The function is never this one again: the calls go one deep.
            if arguments.count > 2, case .global(let function) = arguments[0], case .sequence(let inner) = arguments[2]
            {
                if case .rebuildTensor = function { return try tensor(heap.sequences[inner], at: place) }
                if case .foreign(let name) = function { return heap.object(name) }
            }
        case .numpyType:
            if case .text(let code)? = arguments.first {
                let type = NumpyType(rawValue: code)
                guard type != nil || foreign == .standIn else {
                    throw CheckpointError(.unsupported, at: place, "the NumPy type \(code) is not read")
                }
                heap.numpyTypes.append(type)
                return .numpyType(heap.numpyTypes.count - 1)
            }
        case .numpyScalar:
            if arguments.count == 2, case .numpyType(let number) = arguments[0], let type = heap.numpyTypes[number],
                case .bytes(let bytes) = arguments[1], let value = type.value(of: bytes)
            {
                return value
            }
        case .encode:
            if arguments.count == 2, case .text(let text) = arguments[0], case .text("latin1") = arguments[1],
                text.unicodeScalars.allSatisfy({ $0.value < 256 })
            {
                return .bytes(text.unicodeScalars.map { UInt8($0.value) })
            }
        case .numpyReconstruct:
            // `_reconstruct(numpy.ndarray, (0,), b'b')` makes it empty; BUILD gives it its values.
            if case .global(.numpyArray)? = arguments.first {
                heap.arrays.append(nil)
                return .array(heap.arrays.count - 1)
            }
        case .storageType, .tensorType, .numpyArray: break
        }
        if foreign == .standIn { return heap.object("\(global)") }
        throw Self.malformed(place, "these arguments do not fit \(global)")
    }

    /// `OrderedDict()`, filled by later operations, or as Python 2 writes it, with a list of its pairs.
    private mutating func orderedDictionary(_ arguments: [PickleValue], at place: BytePlace) throws(CheckpointError)
        -> PickleValue
    {
        guard let list = arguments.first else { return heap.dictionary() }
        guard arguments.count == 1, case .sequence(let number) = list else {
            throw Self.malformed(place, "a list of pairs expected")
        }
        var pairs: [(key: PickleValue, value: PickleValue)] = []
        for item in heap.sequences[number] {
            guard case .sequence(let pair) = item, heap.sequences[pair].count == 2 else {
                throw Self.malformed(place, "a list of pairs expected")
            }
            pairs.append((heap.sequences[pair][0], heap.sequences[pair][1]))
        }
        return heap.dictionary(pairs)
    }

    private mutating func tensor(_ arguments: [PickleValue], at place: BytePlace) throws(CheckpointError) -> PickleValue
    {
        if case .object(let storage)? = arguments.first { return heap.object("tensor of \(heap.objects[storage])") }
        guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
            let shape = heap.integers(arguments[2]), let strides = heap.integers(arguments[3])
        else { throw Self.malformed(place, "a tensor's storage, offset, shape and strides expected") }
        var isNegated = false
        // `_rebuild_tensor_v2`'s last argument: what else PyTorch knows of the values, by name.
        if arguments.count > 6, case .dictionary(let metadata) = arguments[6] {
            for (key, value) in heap.dictionaries[metadata] {
                if case .boolean(false) = value { continue }
                guard case .text("neg") = key, case .boolean(true) = value else {
                    let name = if case .text(let name) = key { name } else { "?" }
                    return heap.object("tensor with PyTorch's bit '\(name)'")
                }
                isNegated = true
            }
        }
        heap.tensors.append(
            .init(storage: storage, offset: Int(offset), shape: shape, strides: strides, isNegated: isNegated))
        return .tensor(heap.tensors.count - 1)
    }

    /// What lies elsewhere in the container: in a tar file a tensor by its number, otherwise a storage by its description.
    private mutating func persistentValue(_ id: PickleValue, at place: BytePlace) throws(CheckpointError) -> PickleValue
    {
        switch id {
        case .text(let name):
            if let value = persistent[name] { return value }
            throw Self.malformed(place, "the pickle refers to \(name), which is nowhere in the file")
        case .sequence(let number): return try storage(heap.sequences[number], at: place)
        default: throw Self.malformed(place, "a storage's description expected")
        }
    }

    /// `('storage', type, key, device, count)`; up to PyTorch 1.5 with None, or the part of it (key, offset, count), behind.
    /// `('module', class, file, source)`: the class, as the older versions write whole models.
    private mutating func storage(_ fields: [PickleValue], at place: BytePlace) throws(CheckpointError) -> PickleValue {
        if fields.count > 1, case .text("module") = fields[0] { return fields[1] }
        if fields.count > 1, case .text("storage") = fields[0], case .global(.foreign(let type)) = fields[1] {
            if fields.count > 4, case .text(let key) = fields[2], case .integer(let count) = fields[4] {
                heap.foreignStorages[key] = PickleHeap.ForeignStorage(type: type, count: count)
            }
            return heap.object(type)
        }
        guard (5...6).contains(fields.count), case .text("storage") = fields[0],
            case .global(.storageType(let type)) = fields[1], case .text(let key) = fields[2],
            case .integer(let wide) = fields[4], let count = Int(exactly: wide), count >= 0
        else { throw Self.malformed(place, "a storage's type, key, device and count expected") }
        var part = 0..<count
        if fields.count == 6, case .sequence(let view) = fields[5] {
            guard heap.sequences[view].count == 3, case .integer(let offset) = heap.sequences[view][1],
                case .integer(let length) = heap.sequences[view][2],
                (0...Int64(count)).contains(offset), (0...Int64(count) - offset).contains(length)
            else { throw Self.malformed(place, "a part of the storage's \(count) elements expected") }
            part = Int(offset)..<Int(offset + length)
        }
        heap.storages.append(.init(type: type, key: key, count: count, part: part))
        return .storage(heap.storages.count - 1)
    }

    /// What `numpy.ndarray.__setstate__` takes: version, shape, type, whether it is in Fortran's order, bytes.
    private func array(_ state: PickleValue, at place: BytePlace) throws(CheckpointError) -> PickleHeap.NumpyArray {
        guard case .sequence(let number) = state, case let fields = heap.sequences[number], fields.count == 5,
            let shape = heap.integers(fields[1]), case .numpyType(let typeNumber) = fields[2],
            let type = heap.numpyTypes[typeNumber], case .boolean(let isFortran) = fields[3],
            case .bytes(let bytes) = fields[4]
        else { throw Self.malformed(place, "a NumPy array's version, shape, type, order and bytes expected") }
        guard !isFortran else {
            throw CheckpointError(
                .unsupported, at: place, "a NumPy array with its rows one after the other (order C) expected")
        }
        guard shape.allSatisfy({ $0 >= 0 }), StridedView.product(shape + [type.width]) == bytes.count else {
            throw Self.malformed(place, "a NumPy array of shape \(shape) has not \(bytes.count) bytes")
        }
        return PickleHeap.NumpyArray(type: type, shape: shape, bytes: bytes)
    }

    /// An object's further state, which says nothing about its values: an OrderedDict's attributes, a parameter's hooks, a NumPy
    /// type's details, of which only the byte order matters.
    private mutating func build(state: PickleValue, at place: BytePlace) throws(CheckpointError) {
        switch try top(at: place) {
        case .dictionary, .object: return
        case .tensor(let number):
            guard heap.tensors[number] == nil else { return }
            guard case .sequence(let fields) = state, case .tensor(let data)? = heap.sequences[fields].first else {
                throw Self.malformed(place, "a parameter's values expected")
            }
            heap.tensors[number] = heap.tensors[data]
        case .numpyType(let type):
            if case .sequence(let number) = state, heap.sequences[number].count > 1,
                case .text(let order) = heap.sequences[number][1], order == "<" || order == "|"
            {
                return
            }
            guard foreign == .standIn else {
                throw CheckpointError(.unsupported, at: place, "a little-endian NumPy type expected")
            }
            heap.numpyTypes[type] = nil
        case .array(let number):
            guard heap.arrays[number] == nil else { throw Self.malformed(place, "an array is given its values twice") }
            // Arrays beside the weights are not looked at.
            if foreign == .refused { heap.arrays[number] = try array(state, at: place) }
        default: if foreign == .refused { throw Self.malformed(place, "an object that takes no state is given one") }
        }
    }
}

/// The pickle operations that are read, by their codes.
private enum Operation: UInt8 {
    case mark = 0x28  // (
    case emptyTuple = 0x29  // )
    case stop = 0x2E  // .
    case pop = 0x30  // 0
    case binFloat = 0x47  // G
    case binInt = 0x4A  // J
    case binInt1 = 0x4B  // K
    case binInt2 = 0x4D  // M
    case none = 0x4E  // N
    case binPersid = 0x51  // Q
    case reduce = 0x52  // R
    case binString = 0x54  // T
    case shortBinString = 0x55  // U
    case binUnicode = 0x58  // X
    case emptyList = 0x5D  // ]
    case append = 0x61  // a
    case build = 0x62  // b
    case global = 0x63  // c
    case appends = 0x65  // e
    case binGet = 0x68  // h
    case longBinGet = 0x6A  // j
    case binPut = 0x71  // q
    case longBinPut = 0x72  // r
    case setItem = 0x73  // s
    case tuple = 0x74  // t
    case setItems = 0x75  // u
    case emptyDict = 0x7D  // }
    case emptySet = 0x8F
    case addItems = 0x90
    case proto = 0x80
    case newObject = 0x81
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case newTrue = 0x88
    case newFalse = 0x89
    case long1 = 0x8A
    case long4 = 0x8B
    case binBytes = 0x42  // B
    case shortBinBytes = 0x43  // C
}
