import Basics
import Foundation

/// A safetensors file: named tensors in a fixed order and text metadata (https://huggingface.co/docs/safetensors).
///
/// Eight bytes with the header's length, a JSON header, the tensors' bytes one after another. Equal contents encode to equal
/// bytes, so that a checkpoint can be compared by its hash.
///
/// Written are F32 and I64. Read are F16, BF16, F32 and F64, as binary32, and I8, U8, I16, I32, I64 and BOOL, as 64-bit integers.
public struct SafeTensors: Sendable, Equatable {
    /// Texts by name, the file's `__metadata__`.
    public var metadata: [String: String]
    /// The tensors in the order of their bytes in the file. Names are unique, and none is `__metadata__`.
    public var tensors: [NamedTensor]

    /// Makes a file's contents of tensors, whose names are unique.
    public init(metadata: [String: String] = [:], tensors: [NamedTensor]) {
        (self.metadata, self.tensors) = (metadata, tensors)
    }

    /// Reads a whole file's bytes; they may be mapped, only the tensors' values are copied.
    ///
    /// Refused are headers longer than the file or 100 MB, and tensors that overlap, leave gaps, leave the file or do not
    /// have the length that their shape and type say.
    ///
    /// - Throws: ``CheckpointError``.
    public init(parsing bytes: some ContiguousBytes) throws(CheckpointError) {
        self = try bytes.withUnsafeBytes { raw in
            Result { () throws(CheckpointError) in try SafeTensors(parsing: raw) }
        }.get()
    }

    /// Hands the file's bytes to a sink piece by piece: the header, then each tensor, without a copy of the whole.
    public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        try header().withUnsafeBytes(sink)
        for tensor in tensors {
            switch tensor.values {
            case .float32(let values): try values.withUnsafeBytes(sink)
            case .int64(let values): try values.withUnsafeBytes(sink)
            }
        }
    }

    /// The file's bytes in one piece.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        write { bytes.append(contentsOf: $0) }
        return bytes
    }
}

// MARK: - Writing

extension SafeTensors {
    /// The length and the JSON, keys in a fixed order, padded with spaces so that the tensors begin at a multiple of 8.
    private func header() -> [UInt8] {
        precondition(
            Set(tensors.map(\.name)).count == tensors.count && !tensors.contains { $0.name == "__metadata__" },
            "tensor names are unique and none is __metadata__")
        var members: [String] = []
        if !metadata.isEmpty {
            // By Unicode scalars: String's own order could change with the Unicode tables.
            let sorted = metadata.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            let pairs = sorted.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for tensor in tensors {
            let (type, width) =
                switch tensor.values {
                case .float32: ("F32", 4)
                case .int64: ("I64", 8)
                }
            let end = offset + tensor.values.count * width
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(Self.quoted(tensor.name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - json.count % 8) % 8))
        return withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json
    }

    /// A JSON string (RFC 8259): quotation mark, backslash and control characters escaped, everything else as it is.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

// MARK: - Reading

extension SafeTensors {
    /// The longest header read, the same limit as the reference implementation's.
    private static let longestHeader: UInt64 = 100_000_000

    private init(parsing raw: UnsafeRawBufferPointer) throws(CheckpointError) {
        var reader = CheckpointReader(raw, of: "the safetensors file")
        let length = try reader.integer(UInt64.self)
        guard length <= Self.longestHeader else {
            throw CheckpointError(
                .malformed, at: "the header's length",
                "\(length) bytes is not believable: this is not a safetensors file")
        }
        let header = try Header(try reader.take(Int(length)))
        metadata = header.metadata
        tensors = []
        // Tensors of no bytes share their offsets: their names put them in order.
        let entries = header.entries.sorted {
            ($0.value.begin, $0.value.end, $0.key) < ($1.value.begin, $1.value.end, $1.key)
        }
        let data = try reader.take(reader.remaining)
        var expected = 0
        for (name, entry) in entries {
            let place = "tensor \(name)"
            guard entry.begin == expected else {
                let what = entry.begin < expected ? "overlaps the one before it" : "leaves a gap before it"
                throw CheckpointError(
                    .malformed, at: place, "it begins at \(entry.begin) and \(what), which ends at \(expected)")
            }
            guard entry.end <= data.count else {
                throw CheckpointError(
                    .truncated, at: place,
                    "it ends at \(entry.end), but the file has only \(data.count) bytes of tensors: it is cut short")
            }
            tensors.append(
                NamedTensor(name: name, shape: entry.shape, values: try entry.values(in: data, at: place)))
            expected = entry.end
        }
        guard expected == data.count else {
            throw CheckpointError(
                .malformed, at: "the end", "\(data.count - expected) bytes follow the last tensor and belong to none")
        }
    }
}

/// The JSON header: what it says about each tensor, not yet checked against the data.
private struct Header: Decodable {
    var metadata: [String: String] = [:]
    var entries: [String: Entry] = [:]

    struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]

        var begin: Int { data_offsets[0] }
        var end: Int { data_offsets[1] }

        /// The values, after checking that type, shape and length agree.
        func values(in data: UnsafeRawBufferPointer, at place: String) throws(CheckpointError) -> NamedTensor.Values {
            guard let type = Header.types[dtype] else {
                throw CheckpointError(.unsupported, at: place, "its type \(dtype) is not one of \(Header.typeNames)")
            }
            let bytes = end - begin
            guard
                let view = StridedView(
                    offset: 0, shape: shape, strides: StridedView.contiguousStrides(of: shape),
                    within: bytes / type.byteCount),
                view.count * type.byteCount == bytes
            else {
                throw CheckpointError(.malformed, at: place, "shape \(shape) of \(dtype) does not take \(bytes) bytes")
            }
            return type.values(of: view, in: UnsafeRawBufferPointer(rebasing: data[begin..<end]))
        }
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static let types: [String: ElementType] = [
        "F16": .float16, "BF16": .bfloat16, "F32": .float32, "F64": .float64, "I8": .int8, "U8": .uint8, "I16": .int16,
        "I32": .int32, "I64": .int64, "BOOL": .boolean,
    ]
    private static let typeNames = "F16, BF16, F32, F64, I8, U8, I16, I32, I64, BOOL"

    init(_ json: UnsafeRawBufferPointer) throws(CheckpointError) {
        let place = "the header"
        guard json.first == UInt8(ascii: "{") else {
            throw CheckpointError(.malformed, at: place, "JSON expected: this is not a safetensors file")
        }
        do {
            self = try JSONDecoder().decode(Header.self, from: Data(json))
        } catch let error as DecodingError {
            throw CheckpointError(.malformed, at: place, Self.explain(error))
        } catch {
            throw CheckpointError(.malformed, at: place, "\(error)")
        }
        for (name, entry) in entries where entry.data_offsets.count != 2 || entry.begin < 0 || entry.begin > entry.end {
            throw CheckpointError(
                .malformed, at: "tensor \(name)",
                "data_offsets \(entry.data_offsets): begin and end expected, in this order")
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        for key in container.allKeys {
            if key.stringValue == "__metadata__" {
                metadata = try container.decode([String: String].self, forKey: key)
            } else {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            }
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        func at(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: " / ")
            return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
        }
        return switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context): at(context)
        case .keyNotFound(let key, let context): "\(at(context)) (\(key.stringValue))"
        @unknown default: "\(error)"
        }
    }
}
