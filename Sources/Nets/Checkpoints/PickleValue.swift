/// A value that a pickle of weights or predictions may hold.
///
/// Containers are numbers into `PickleHeap`: values never own each other, so no nesting or cycle in a hostile file can exhaust the stack.
enum PickleValue {
    case none
    case boolean(Bool)
    case integer(Int64)
    /// An integer of more than 8 bytes, little-endian two's complement: the legacy container's magic number.
    case longInteger([UInt8])
    case real(Double)
    case text(String)
    case bytes([UInt8])
    /// A list or tuple, by its number in `PickleHeap.sequences`.
    case sequence(Int)
    /// A dict or OrderedDict, by its number in `PickleHeap.dictionaries`.
    case dictionary(Int)
    case global(PickleGlobal)
    /// A NumPy type, by its number in `PickleHeap.numpyTypes`.
    case numpyType(Int)
    /// A storage, by its number in `PickleHeap.storages`.
    case storage(Int)
    /// A tensor, by its number in `PickleHeap.tensors`.
    case tensor(Int)
    /// A NumPy array, by its number in `PickleHeap.arrays`.
    case array(Int)
    /// What stands in for an object of a class that is not read, by its number in `PickleHeap.objects`.
    case object(Int)
    /// The place on the stack where the next list, tuple or dict begins.
    case mark
}

/// Everything that a pickle's values refer to by number.
struct PickleHeap {
    /// A run of elements somewhere in the container, of which a part may be used.
    struct Storage {
        let type: ElementType
        /// The name of the run in the container.
        let key: String
        /// Elements in the whole run.
        let count: Int
        /// The part that is this storage: all but in files of the first PyTorch versions.
        let part: Range<Int>
    }

    /// A view of a storage, not yet checked against it.
    struct Tensor {
        let storage: Int
        let offset: Int
        let shape: [Int]
        let strides: [Int]
        /// Whether its values are those of the storage with the other sign: PyTorch's negative bit, which `conj().imag` sets.
        var isNegated = false
    }

    /// A NumPy array in row-major order; it has as many bytes as shape and type say.
    struct NumpyArray {
        let type: NumpyType
        let shape: [Int]
        let bytes: [UInt8]

        /// All elements as numbers; half and single precision convert exactly.
        func reals() -> [Double] {
            bytes.withUnsafeBytes { raw in
                (0..<raw.count / type.width).map { type.real(in: raw, at: $0 * type.width) }
            }
        }
    }

    /// A run of elements of a type that is not read.
    struct ForeignStorage {
        let type: String
        let count: Int64

        /// Bytes of all elements; nil if the type is not known or they are too many.
        var byteCount: Int? {
            let widths = [
                "torch.QInt8Storage": 1, "torch.QUInt8Storage": 1, "torch.QUInt4x2Storage": 1,
                "torch.QUInt2x4Storage": 1, "torch.QInt32Storage": 4, "torch.ComplexFloatStorage": 8,
                "torch.ComplexDoubleStorage": 16, "torch.storage.UntypedStorage": 1, "torch.UntypedStorage": 1,
            ]
            guard let width = widths[type], let count = Int(exactly: count), count >= 0 else { return nil }
            return StridedView.product([count, width])
        }
    }

    /// Storages that are passed over, by their keys.
    var foreignStorages: [String: ForeignStorage] = [:]
    var sequences: [[PickleValue]] = []
    var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    var storages: [Storage] = []
    /// nil is a parameter that has not been given its values yet.
    var tensors: [Tensor?] = []
    /// nil is an array that has not been given its values yet.
    var arrays: [NumpyArray?] = []
    /// nil is a type that is not read, big-endian for one.
    var numpyTypes: [NumpyType?] = []
    /// The names of the objects' classes, or of the functions that would have made them.
    var objects: [String] = []

    mutating func object(_ name: String) -> PickleValue {
        objects.append(name)
        return .object(objects.count - 1)
    }

    mutating func sequence(_ values: [PickleValue]) -> PickleValue {
        sequences.append(values)
        return .sequence(sequences.count - 1)
    }

    mutating func dictionary(_ pairs: [(key: PickleValue, value: PickleValue)] = []) -> PickleValue {
        dictionaries.append(pairs)
        return .dictionary(dictionaries.count - 1)
    }

    /// The integers of a list or tuple; nil if the value is not one of only integers.
    func integers(_ value: PickleValue) -> [Int]? {
        guard case .sequence(let number) = value else { return nil }
        var integers: [Int] = []
        for case .integer(let integer) in sequences[number] { integers.append(Int(integer)) }
        return integers.count == sequences[number].count ? integers : nil
    }
}

/// A number type of NumPy, as in `numpy.dtype('f8')`: scores are often NumPy's numbers.
enum NumpyType: String {
    case boolean = "b1"
    case int32 = "i4"
    case int64 = "i8"
    case float16 = "f2"
    case float32 = "f4"
    case float64 = "f8"

    /// Bytes of one number.
    var width: Int { Int(rawValue.utf8.last ?? 0) - Int(UInt8(ascii: "0")) }

    /// The number in these little-endian bytes; nil if their count is not the type's.
    func value(of bytes: [UInt8]) -> PickleValue? {
        guard bytes.count == width else { return nil }
        let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return switch self {
        case .boolean: .boolean(bits != 0)
        case .int32: .integer(Int64(Int32(truncatingIfNeeded: bits)))
        case .int64: .integer(Int64(bitPattern: bits))
        case .float16: .real(Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits))))
        case .float32: .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case .float64: .real(Double(bitPattern: bits))
        }
    }

    /// The number that begins at a byte of little-endian memory.
    func real(in raw: UnsafeRawBufferPointer, at offset: Int) -> Double {
        switch self {
        case .boolean: raw[offset] == 0 ? 0 : 1
        case .int32: Double(raw.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        case .int64: Double(raw.loadUnaligned(fromByteOffset: offset, as: Int64.self))
        case .float16: Double(Float16(bitPattern: raw.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
        case .float32: Double(raw.loadUnaligned(fromByteOffset: offset, as: Float.self))
        case .float64: raw.loadUnaligned(fromByteOffset: offset, as: Double.self)
        }
    }
}

/// A Python name that a pickle asks for.
///
/// None is run: each stands for what it would make, and a foreign one for something that is not looked at.
enum PickleGlobal {
    case orderedDictionary
    /// `_rebuild_tensor(storage, offset, size, stride)`, and `_v2` with more arguments, of which the last may set the negative bit.
    case rebuildTensor
    /// `_rebuild_parameter(tensor, …)` or `Parameter(tensor, …)`: the tensor.
    case parameter
    case storageType(ElementType)
    /// A tensor class beside a storage of the same type, in tar files; it says nothing more.
    case tensorType
    case numpyScalar
    case numpyType
    /// How a pickle begins an array, and the class that it names for it.
    case numpyReconstruct
    case numpyArray
    /// `_codecs.encode(text, 'latin1')`: how Python 3 writes bytes in protocol 2.
    case encode
    /// `torch.Size(tuple)`: the tuple.
    case size
    /// `_rebuild_from_type_v2(function, class, arguments, state)`: what the function makes of the arguments.
    case rebuildFromType
    /// Any other name: of a class, as a rule.
    case foreign(String)

    /// The name is one of those that stand for something; nil for every other.
    init?(module: String, name: String) {
        if let global = Self.allowed["\(module).\(name)"] {
            self = global
        } else if ["torch", "torch.cuda"].contains(module), Self.tensorClasses.contains(name) {
            self = .tensorType
        } else {
            return nil
        }
    }

    /// Whether the name is one through which a pickle acts on the machine it is read on; no checkpoint has a use for it.
    ///
    /// Nothing is ever called. Whoever has such a file should know, though, before Python reads it.
    static func isHostile(module: String, name: String) -> Bool {
        hostileModules.contains(String(module.prefix { $0 != "." }))
            || ["builtins", "__builtin__"].contains(module) && hostileFunctions.contains(name)
    }

    private static let hostileModules: Set = [
        "os", "posix", "nt", "subprocess", "sys", "socket", "shutil", "runpy", "importlib", "pty", "ctypes",
        "webbrowser", "pickle",
    ]
    private static let hostileFunctions: Set = [
        "eval", "exec", "execfile", "compile", "open", "file", "apply", "input", "__import__",
    ]

    private static let tensorClasses: Set = [
        "HalfTensor", "FloatTensor", "DoubleTensor", "CharTensor", "ByteTensor", "ShortTensor", "IntTensor",
        "LongTensor",
    ]

    private static let allowed: [String: PickleGlobal] = [
        "collections.OrderedDict": .orderedDictionary,
        "torch.Size": .size,
        "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
        "torch._utils._rebuild_tensor": .rebuildTensor,
        "torch._utils._rebuild_tensor_v2": .rebuildTensor,
        "torch._utils._rebuild_parameter": .parameter,
        "torch._utils._rebuild_parameter_with_state": .parameter,
        "torch.nn.parameter.Parameter": .parameter,
        "torch.HalfStorage": .storageType(.float16),
        "torch.BFloat16Storage": .storageType(.bfloat16),
        "torch.FloatStorage": .storageType(.float32),
        "torch.DoubleStorage": .storageType(.float64),
        "torch.CharStorage": .storageType(.int8),
        "torch.ByteStorage": .storageType(.uint8),
        "torch.ShortStorage": .storageType(.int16),
        "torch.IntStorage": .storageType(.int32),
        "torch.LongStorage": .storageType(.int64),
        "torch.BoolStorage": .storageType(.boolean),
        "numpy.core.multiarray.scalar": .numpyScalar,
        "numpy._core.multiarray.scalar": .numpyScalar,
        "numpy.dtype": .numpyType,
        "numpy.core.multiarray._reconstruct": .numpyReconstruct,
        "numpy._core.multiarray._reconstruct": .numpyReconstruct,
        "numpy.ndarray": .numpyArray,
        "_codecs.encode": .encode,
    ]
}
