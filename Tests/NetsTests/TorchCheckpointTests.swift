import Foundation
import Testing

@testable import Nets

/// The bytes of a file in `golden/checkpoints`.
private func fixture(_ name: String) throws -> [UInt8] {
    let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try Array(Data(contentsOf: root.appendingPathComponent("golden/checkpoints/\(name)")))
}

/// `golden/checkpoints/expected.json`: what PyTorch reads from the fixtures.
private struct Expected: Decodable {
    struct Tensor: Decodable {
        let shape: [Int]
        let dtype: String
        let values: [Float]
    }
    let state_dict: [String: Tensor]
    let strided_views: [String: [Float]]
    let detail: [String: Double]

    static func read() throws -> Expected {
        try JSONDecoder().decode(Expected.self, from: Data(fixture("expected.json")))
    }
}

/// The fault that reading these bytes ends with, and its words.
private func fault(_ bytes: [UInt8]) -> CheckpointError? {
    do {
        _ = try TorchCheckpoint(parsing: bytes)
        return nil
    } catch {
        return error
    }
}

/// A legacy container around a pickled object, without storages.
private func legacy(_ object: [UInt8], after: [UInt8] = [0x5D, 0x2E]) throws -> [UInt8] {
    // The fixture's first three pickles: magic number, protocol, machine. They are 137 bytes.
    Array(try fixture("state_dict_legacy.pth")[..<137]) + object + after
}

/// The bytes of a pickled text.
private func pickled(_ text: String) -> [UInt8] {
    [0x58] + withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian, Array.init) + Array(text.utf8)
}

@Suite("PyTorch checkpoints")
struct TorchCheckpointTests {
    @Test(
        "every container gives PyTorch's names, order, shapes and values",
        arguments: [
            "seed_snapshot_legacy.pt", "seed_snapshot_zip.pt", "state_dict_legacy.pth", "state_dict_half_zip.pth",
        ])
    func stateDict(file: String) throws {
        let checkpoint = try TorchCheckpoint(parsing: fixture(file))
        let expected = try Expected.read().state_dict
        #expect(checkpoint.container == (file.contains("zip") ? .zip : .legacy))
        #expect(
            checkpoint.stateDict.map(\.name) == [
                "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
                "bn1.num_batches_tracked", "last_linear.weight", "last_linear.bias",
            ])
        for tensor in checkpoint.stateDict {
            let reference = try #require(expected[tensor.name])
            #expect(tensor.shape == reference.shape)
            if reference.dtype == "torch.int64" {
                #expect(tensor.values == .int64(reference.values.map { Int64($0) }))
            } else if file.contains("half") {
                #expect(tensor.values == .float32(reference.values.map { Float(Float16($0)) }), "\(tensor.name)")
            } else {
                #expect(tensor.values == .float32(reference.values), "\(tensor.name)")
            }
        }
    }

    @Test("a snapshot's details are read, a bare state dict has none", arguments: ["legacy", "zip"])
    func detail(container: String) throws {
        let detail = try TorchCheckpoint(parsing: fixture("seed_snapshot_\(container).pt")).detail
        let expected = try Expected.read().detail
        #expect(
            detail == [
                "score": .real(expected["score"] ?? 0), "loss": .real(expected["loss"] ?? 0), "epoch": .integer(2),
            ])
        #expect(try TorchCheckpoint(parsing: fixture("state_dict_legacy.pth")).detail.isEmpty)
    }

    @Test("transposed, sliced and shared views of one storage come out in row-major order")
    func stridedViews() throws {
        let tensors = try TorchCheckpoint(parsing: fixture("strided_views_zip.pt")).stateDict
        let expected = try Expected.read().strided_views
        #expect(Set(tensors.map(\.name)) == Set(expected.keys))
        for tensor in tensors { #expect(tensor.values == .float32(try #require(expected[tensor.name]))) }
    }

    @Test("parameters, partial storages and NumPy details of old files are read")
    func oldStyle() throws {
        let checkpoint = try TorchCheckpoint(parsing: fixture("old_style_legacy.pt"))
        #expect(
            checkpoint.stateDict == [
                NamedTensor(name: "weight", shape: [2, 4], values: .float32((0..<8).map { Float($0) / 8 })),
                NamedTensor(name: "bias", shape: [3], values: .float32([9, 10, 11].map { $0 / 8 })),
            ])
        #expect(
            checkpoint.detail == [
                "score": .real(0.0625), "loss": .real(Double(Float(0.1))), "epoch": .integer(-3),
                "best": .boolean(true),
                "name": .text("fold0"),
            ])
    }

    @Test("the tar container, parameters in both old forms and storages that are parts of others are read")
    func tar() throws {
        let checkpoint = try TorchCheckpoint(parsing: fixture("old_style_tar.pth"))
        #expect(checkpoint.container == .tar)
        #expect(
            checkpoint.stateDict == [
                NamedTensor(name: "conv.weight", shape: [2, 3], values: .float32([0, 2, 4, 1, 3, 5].map { $0 / 4 })),
                NamedTensor(name: "conv.bias", shape: [2], values: .float32([7, 8].map { $0 / 4 })),
                NamedTensor(name: "bn.mean", shape: [4], values: .float32([6, 7, 8, 9].map { $0 / 4 })),
                NamedTensor(name: "count", shape: [1], values: .int64([-5])),
            ])
    }

    @Test("a pickle that would run a command is refused by that command's name")
    func hostile() throws {
        let bare = try #require(fault(fixture("hostile.pt")))
        #expect(bare.fault == .refused && bare.problem.contains("posix.system"))
        let wrapped = try #require(fault(legacy(fixture("hostile.pt"))))
        #expect(wrapped.fault == .refused && wrapped.problem.contains("posix.system"))
    }

    @Test(
        "every operation that could build a class, find a name by value or call code is refused",
        arguments: [0x69, 0x6F, 0x82, 0x83, 0x84, 0x92, 0x93, 0x94, 0x95, 0x50, 0x49] as [UInt8])
    func refusedOperations(code: UInt8) throws {
        let error = try #require(fault(legacy([0x80, 2, 0x7D, code, 0x2E])))
        #expect(error.fault == .refused && error.place == "byte 140 of the file")
        #expect(error.problem.contains(String(code, radix: 16)))
    }

    @Test(
        "a file cut short at any byte is refused with a typed error",
        arguments: ["state_dict_legacy.pth", "seed_snapshot_legacy.pt", "strided_views_zip.pt", "seed_snapshot_zip.pt"])
    func truncation(file: String) throws {
        let bytes = try fixture(file)
        for length in 0..<bytes.count {
            #expect(fault(Array(bytes[..<length]))?.fault == .truncated, "\(length) bytes")
        }
    }

    @Test("a file with bytes too many is called that, whatever its container")
    func tooLong() throws {
        for file in ["state_dict_legacy.pth", "seed_snapshot_zip.pt"] {
            let error = try #require(fault(fixture(file) + [0, 0, 0, 0]))
            #expect(error.fault == .malformed && error.problem.hasPrefix("4 bytes "), "\(error)")
        }
    }

    @Test("a tar file cut short anywhere in its members is refused; only the empty blocks behind them do not matter")
    func tarTruncation() throws {
        let bytes = try fixture("old_style_tar.pth")
        let used = try #require(bytes.lastIndex { $0 != 0 })
        for length in stride(from: 512, through: used, by: 7) {
            #expect(fault(Array(bytes[..<length]))?.fault == .truncated, "\(length) bytes")
        }
    }

    @Test("no changed byte makes a zip checkpoint give other values or stops the program")
    func damage() throws {
        let bytes = try fixture("strided_views_zip.pt")
        let original = try TorchCheckpoint(parsing: bytes)
        for place in bytes.indices {
            for flip in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= flip
                if let read = try? TorchCheckpoint(parsing: damaged) { #expect(read == original, "byte \(place)") }
            }
        }
    }

    @Test(
        "no changed byte of the older containers stops the program",
        arguments: ["old_style_legacy.pt", "old_style_tar.pth"])
    func damageOfOlder(file: String) throws {
        let bytes = try fixture(file)
        for place in bytes.indices {
            for flip in [0x01, 0x04, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= flip
                _ = fault(damaged)
            }
        }
    }

    @Test("nesting and self-containing values are read without deep recursion")
    func nesting() throws {
        // A tuple of a tuple of … a million deep; then a list that contains itself.
        let deep = [0x80, 2, 0x29] + [UInt8](repeating: 0x85, count: 1_000_000) + [0x2E]
        #expect(fault(try legacy(deep))?.fault == .unsupported)
        let cyclic: [UInt8] = [0x80, 2, 0x5D, 0x71, 0, 0x68, 0, 0x61, 0x2E]
        #expect(fault(try legacy(cyclic))?.fault == .unsupported)
    }

    @Test("views that repeat one element beyond the file's size are refused, not filled in")
    func amplification() throws {
        func tensor(shape: [UInt8], strides: [UInt8]) -> [UInt8] {
            Array("ctorch._utils\n_rebuild_tensor\n((".utf8) + pickled("storage") + Array("ctorch\nFloatStorage\n".utf8)
                + pickled("1") + pickled("cpu") + [0x4B, 1, 0x74, 0x51, 0x4B, 0] + shape + strides + [0x74, 0x52]
        }
        let million: [UInt8] = [0x4A, 0x40, 0x42, 0x0F, 0x00]
        let end: [UInt8] = [0x5D, 0x28] + pickled("1") + [0x65, 0x2E, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F]
        func file(_ tensor: [UInt8]) throws -> [UInt8] {
            try legacy([0x80, 2, 0x7D] + pickled("w") + tensor + [0x73, 0x2E], after: end)
        }
        let one = try TorchCheckpoint(parsing: file(tensor(shape: [0x4B, 1, 0x85], strides: [0x4B, 1, 0x85])))
        #expect(one.stateDict == [NamedTensor(name: "w", shape: [1], values: .float32([1]))])
        let repeated = try fault(file(tensor(shape: million + [0x85], strides: [0x4B, 0, 0x85])))
        #expect(repeated?.fault == .refused && repeated?.place == "tensor w")
        let outside = try fault(file(tensor(shape: [0x4B, 2, 0x85], strides: [0x4B, 1, 0x85])))
        #expect(outside?.fault == .malformed && outside?.place == "tensor w")
    }

    @Test("a tensor with PyTorch's negative bit has the other sign, one with any other bit is named and not read")
    func bits() throws {
        func file(_ metadata: [UInt8]) throws -> [UInt8] {
            let tensor =
                Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8) + pickled("storage")
                + Array("ctorch\nFloatStorage\n".utf8) + pickled("1") + pickled("cpu")
                + [0x4B, 1, 0x74, 0x51, 0x4B, 0, 0x4B, 1, 0x85, 0x4B, 1, 0x85, 0x89, 0x7D] + metadata + [0x74, 0x52]
            let end: [UInt8] = [0x5D, 0x28] + pickled("1") + [0x65, 0x2E, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F]
            return try legacy([0x80, 2, 0x7D] + pickled("w") + tensor + [0x73, 0x2E], after: end)
        }
        func bit(_ name: String, _ value: UInt8) -> [UInt8] { [0x7D] + pickled(name) + [value, 0x73] }
        for (metadata, value) in [
            (bit("neg", 0x88), -1), (bit("neg", 0x89), 1), (bit("conj", 0x89), 1), ([0x7D], 1), ([0x4E], 1), ([], 1),
        ] as [([UInt8], Float)] {
            let read = try TorchCheckpoint(parsing: file(metadata)).stateDict
            #expect(read == [NamedTensor(name: "w", shape: [1], values: .float32([value]))], "\(metadata)")
        }
        for name in ["conj", "else"] {
            let error = try #require(fault(file(bit(name, 0x88))))
            #expect(error.fault == .unsupported && error.problem.contains("tensor with PyTorch's bit '\(name)'"))
        }
    }

    @Test("sets of tensors are found under any keys, beside objects of any class, of which nothing is made")
    func otherObjects() throws {
        func text(_ text: String) -> [UInt8] { Array(text.utf8) }
        let tensor =
            text("ctorch._utils\n_rebuild_tensor_v2\n((") + pickled("storage") + text("ctorch\nFloatStorage\n")
            + pickled("1")
            + pickled("cpu") + [0x4B, 1, 0x74, 0x51, 0x4B, 0, 0x4B, 1, 0x85, 0x4B, 1, 0x85, 0x89, 0x7D, 0x74, 0x52]
        let end: [UInt8] = [0x5D, 0x28] + pickled("1") + [0x65, 0x2E, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3F]
        let empty: [UInt8] = [0x29, 0x52]
        let objects: [[UInt8]] = [
            text("cargparse\nNamespace\n") + [0x29, 0x81, 0x7D] + pickled("lr") + [0x4B, 1, 0x73, 0x62],
            text("ccollections\nCounter\n") + [0x7D, 0x4B, 1, 0x4B, 2, 0x73, 0x85, 0x52],
            text("ccollections\ndefaultdict\nc__builtin__\nlist\n") + [0x85, 0x52] + pickled("loss") + [0x5D, 0x73],
            text("ctorch\ndevice\n") + pickled("cpu") + [0x85, 0x52], text("ctorch\nfloat32\n"),
            text("cnumpy\ndtype\n") + pickled("u4") + [0x89, 0x88, 0x87, 0x52],
            text("cnumpy.random._pickle\n__randomstate_ctor\n") + empty, [0x8F, 0x4B, 1, 0x61],
            text("ctorch._utils\n_rebuild_sparse_tensor\n") + empty,
            text("cmy.module\nModel\n") + [0x29, 0x81, 0x7D, 0x62],
        ]
        for object in objects {
            let snapshot =
                [0x80, 2, 0x7D] + pickled("other") + object + [0x73] + pickled("net") + [0x7D] + pickled("w") + tensor
                + [0x73, 0x73, 0x2E]
            let read = try TorchCheckpoint(parsing: legacy(snapshot, after: end))
            #expect(read.stateDict == [.init(name: "w", shape: [1], values: .float32([1]))])
        }
        for attack in [
            "os\nsystem", "posix\nsystem", "builtins\neval", "__builtin__\ngetattr", "subprocess\nPopen",
            "runpy\n_run_code",
        ] {
            let pickle = [0x80, 2] + text("c\(attack)\n") + pickled("echo") + [0x85, 0x52, 0x2E]
            #expect(fault(try legacy(pickle))?.fault == .refused, "\(attack)")
        }
        let model = try #require(fault(legacy([0x80, 2] + text("cmy.module\nModel\n") + [0x29, 0x81, 0x2E])))
        #expect(model.problem.contains("my.module.Model") && model.problem.contains("state_dict(), \"weights.pt\")"))
    }

    @Test("what is no checkpoint says so")
    func otherFiles() throws {
        #expect(fault(Array("plain text".utf8))?.fault == .unsupported)
        #expect(fault([0x80, 2, 0x7D, 0x2E])?.problem.contains("magic number") == true)
        let noTensors = try #require(fault(legacy([0x80, 2, 0x7D] + pickled("epoch") + [0x4B, 3, 0x73, 0x2E])))
        #expect(noTensors.fault == .unsupported && noTensors.problem.contains("epoch"))
        let protocol4 = try #require(fault(legacy([0x80, 4, 0x7D, 0x2E])))
        #expect(protocol4.fault == .unsupported && protocol4.problem.contains("protocol 4"))
    }

    @Test("a model-zoo name's hash is its eight last hexadecimal digits")
    func modelZooNames() {
        #expect(modelZooHash(inFileName: "resnet34-333f7ec4.pth") == "333f7ec4")
        #expect(modelZooHash(inFileName: "se_resnext50_32x4d-a260b3a4.pth") == "a260b3a4")
        #expect(modelZooHash(inFileName: "efficientnet-b3-5fb5a3c3.pth") == "5fb5a3c3")
        for name in [
            "resnet34.pth", "resnet34-333f7ec4", "a-333F7EC4.pth", "a-333f7ec.pth", "fold0_ep2.pt",
            "efficientnet-b3.pth",
        ] {
            #expect(modelZooHash(inFileName: name) == nil, "\(name)")
        }
    }
}
