import Foundation

extension TorchCheckpoint {
    /// Hands out a state dict as a file that `torch.load` reads, piece by piece: the zip container of PyTorch 1.6 and later.
    ///
    /// The object is an OrderedDict of contiguous tensors on the CPU, float32 or int64, in the order given; `torch.load` reads it
    /// with `weights_only=True` too. Equal tensors encode to equal bytes. Names must be unique.
    public static func write(
        _ stateDict: [NamedTensor], to sink: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        precondition(Set(stateDict.map(\.name)).count == stateDict.count, "tensor names are unique")
        var zip = StoredZipWriter()
        try StateDictPickle(stateDict).bytes.withUnsafeBytes { try zip.add("archive/data.pkl", $0, to: sink) }
        try Array("little".utf8).withUnsafeBytes { try zip.add("archive/byteorder", $0, to: sink) }
        for (key, tensor) in stateDict.enumerated() {
            let name = "archive/data/\(key)"
            switch tensor.values {
            case .float32(let values): try values.withUnsafeBytes { try zip.add(name, $0, to: sink) }
            case .int64(let values): try values.withUnsafeBytes { try zip.add(name, $0, to: sink) }
            }
        }
        // The container's version: 3 is what torch.save has written since 1.6.
        try Array("3\n".utf8).withUnsafeBytes { try zip.add("archive/version", $0, to: sink) }
        try zip.finish(to: sink)
    }

    /// The members of a checkpoint that was unpacked, as the file that it was; together they have less than 4 GiB.
    package static func packed(_ members: [(name: String, contents: Data)]) -> [UInt8] {
        var bytes: [UInt8] = []
        var zip = StoredZipWriter()
        func append(_ piece: UnsafeRawBufferPointer) { bytes.append(contentsOf: piece) }
        for (name, contents) in members { contents.withUnsafeBytes { zip.add(name, $0, to: append) } }
        zip.finish(to: append)
        return bytes
    }

    /// The file's bytes in one piece.
    public static func encoded(_ stateDict: [NamedTensor]) -> [UInt8] {
        var bytes: [UInt8] = []
        write(stateDict) { bytes.append(contentsOf: $0) }
        return bytes
    }
}

/// The pickle, protocol 2, of a state dict whose tensor number i has its elements in the member `data/i`.
///
/// Python's own pickler refers back to what it has written before; this one writes it again, which reads to the same.
private struct StateDictPickle {
    private(set) var bytes: [UInt8] = [0x80, 2]  // PROTO 2

    init(_ tensors: [NamedTensor]) {
        emptyOrderedDictionary()
        operation("(")
        for (key, tensor) in tensors.enumerated() {
            text(tensor.name)
            self.tensor(tensor, key: key)
        }
        operation("u")  // SETITEMS
        operation(".")  // STOP
    }

    /// `torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks)`
    private mutating func tensor(_ tensor: NamedTensor, key: Int) {
        global("torch._utils", "_rebuild_tensor_v2")
        operation("(")
        storage(of: tensor.values, key: key)
        integer(0)
        tuple(tensor.shape)
        tuple(StridedView.contiguousStrides(of: tensor.shape))
        bytes.append(0x89)  // NEWFALSE
        emptyOrderedDictionary()
        operation("t")  // TUPLE
        operation("R")  // REDUCE
    }

    /// The persistent value `('storage', type, key, 'cpu', count)`.
    private mutating func storage(of values: NamedTensor.Values, key: Int) {
        operation("(")
        text("storage")
        switch values {
        case .float32: global("torch", "FloatStorage")
        case .int64: global("torch", "LongStorage")
        }
        text(String(key))
        text("cpu")
        integer(values.count)
        operation("t")  // TUPLE
        operation("Q")  // BINPERSID
    }

    private mutating func emptyOrderedDictionary() {
        global("collections", "OrderedDict")
        operation(")")  // EMPTY_TUPLE
        operation("R")  // REDUCE
    }

    private mutating func tuple(_ numbers: [Int]) {
        operation("(")
        for number in numbers { integer(number) }
        operation("t")  // TUPLE
    }

    private mutating func global(_ module: String, _ name: String) {
        operation("c")  // GLOBAL
        bytes += Array("\(module)\n\(name)\n".utf8)
    }

    private mutating func text(_ text: String) {
        operation("X")  // BINUNICODE
        append(UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    private mutating func integer(_ number: Int) {
        operation("J")  // BININT
        append(Int32(number))
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    private mutating func operation(_ code: Unicode.Scalar) { bytes.append(UInt8(ascii: code)) }
}
