import Foundation
import Testing

@testable import Nets

/// A safetensors file with any header and data.
private func file(_ header: String, data: [UInt8] = []) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8) + data
}

/// The fault that reading these bytes ends with, and its words.
private func fault(_ bytes: [UInt8]) -> CheckpointError? {
    do {
        _ = try SafeTensors(parsing: bytes)
        return nil
    } catch {
        return error
    }
}

private let example = SafeTensors(
    metadata: ["format": "pt", "a \"quoted\"\n\\ name": "é\u{1}"],
    tensors: [
        NamedTensor(name: "z.weight", shape: [2, 1, 3], values: .float32([0, -0.0, 1.5, .infinity, 0x1p-149, -3])),
        NamedTensor(name: "a.count", shape: [], values: .int64([-7])),
        NamedTensor(name: "empty", shape: [0, 4], values: .float32([])),
        NamedTensor(name: "b", shape: [2], values: .int64([.max, .min])),
    ])

@Suite("safetensors")
struct SafeTensorsTests {
    @Test("what is written is read back, in order, to the same bits, and encodes to the same bytes")
    func roundTrip() throws {
        let bytes = example.encoded()
        let read = try SafeTensors(parsing: bytes)
        #expect(read.metadata == example.metadata)
        #expect(read.tensors.map(\.name) == ["z.weight", "a.count", "empty", "b"])
        #expect(read.tensors.map(\.shape) == [[2, 1, 3], [], [0, 4], [2]])
        #expect(read.encoded() == bytes)
        #expect(try SafeTensors(parsing: Data(bytes)) == read)
    }

    @Test("the file is byte for byte what the format's page says")
    func layout() {
        let tensors = SafeTensors(
            metadata: ["b": "2", "a": "1"], tensors: [NamedTensor(name: "t", shape: [1], values: .float32([1]))])
        let header = #"{"__metadata__":{"a":"1","b":"2"},"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(tensors.encoded() == file(padded, data: [0, 0, 0x80, 0x3F]))
        #expect(padded.utf8.count % 8 == 0)
    }

    @Test("the sink gets the header and then each tensor, never the whole at once, and its error ends the writing")
    func streaming() {
        struct Full: Error {}
        var pieces: [Int] = []
        example.write { pieces.append($0.count) }
        #expect(pieces.dropFirst() == [24, 8, 0, 16] && pieces[0] % 8 == 0)
        #expect(throws: Full.self) { try example.write { _ in throw Full() } }
    }

    @Test("half, bfloat16 and double are read as binary32, small integers and booleans as 64-bit integers")
    func otherTypes() throws {
        let header = #"""
            {"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"bf":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},
            "d":{"dtype":"F64","shape":[1],"data_offsets":[6,14]},"u":{"dtype":"U8","shape":[2],"data_offsets":[14,16]},
            "i":{"dtype":"I32","shape":[1],"data_offsets":[16,20]},"s":{"dtype":"I8","shape":[1],"data_offsets":[20,21]},
            "t":{"dtype":"BOOL","shape":[1],"data_offsets":[21,22]},"w":{"dtype":"I16","shape":[1],"data_offsets":[22,24]}}
            """#
        let double = withUnsafeBytes(of: (0.1).bitPattern.littleEndian, Array.init)
        let data: [UInt8] =
            [0x00, 0x3C, 0x01, 0x00, 0xC0, 0x3F] + double + [7, 255, 0xFE, 0xFF, 0xFF, 0xFF, 0x80, 1, 0xFE, 0xFF]
        let read = try SafeTensors(parsing: file(header, data: data))
        let values = Dictionary(uniqueKeysWithValues: read.tensors.map { ($0.name, $0.values) })
        #expect(values["h"] == .float32([1, 0x1p-24]))
        #expect(values["bf"] == .float32([1.5]))
        #expect(values["d"] == .float32([Float(0.1)]))
        #expect(values["u"] == .int64([7, 255]))
        #expect(values["i"] == .int64([-2]))
        #expect(values["s"] == .int64([-128]))
        #expect(values["t"] == .int64([1]))
        #expect(values["w"] == .int64([-2]))
    }

    @Test("a file cut short at any byte is refused")
    func truncation() {
        let bytes = example.encoded()
        for length in 0..<bytes.count {
            #expect(fault(Array(bytes[..<length]))?.fault == .truncated, "\(length) bytes")
        }
    }

    @Test(
        "a header that contradicts itself is refused and the tensor named",
        arguments: [
            (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,4]}}"#, 4, "tensor t"),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "tensor t"),
            (
                #"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"u":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                6, "tensor u"
            ),
            (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "the end"),
            (#"{"t":{"dtype":"F32","shape":[1]}}"#, 4, "the header"),
            (#"{"t":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#, 4, "the header"),
            (#"{"__metadata__":{"a":1}}"#, 0, "the header"),
            (#"["t"]"#, 0, "the header"),
            (#"{"t":"#, 0, "the header"),
            ("", 0, "the header"),
        ] as [(String, Int, String)])
    func contradiction(header: String, dataBytes: Int, place: String) {
        let error = fault(file(header, data: .init(repeating: 0, count: dataBytes)))
        #expect(error?.fault == .malformed && error?.place == place, "\(String(describing: error))")
    }

    @Test("an unknown type is named, and an unbelievable header length is refused before it is read")
    func otherFaults() {
        let unknown = fault(file(#"{"t":{"dtype":"Q4","shape":[1],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]))
        #expect(unknown?.fault == .unsupported && unknown?.description.contains("Q4") == true)
        #expect(fault([UInt8](repeating: 0xFF, count: 64))?.fault == .malformed)
    }
}
