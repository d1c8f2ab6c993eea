import Foundation
import Testing

@testable import Nets

@Suite("writing for PyTorch")
struct TorchWritingTests {
    private let tensors = [
        NamedTensor(
            name: "conv.weight", shape: [2, 3, 2, 2], values: .float32((0..<24).map { Float($0) / 8 - 1 })),
        NamedTensor(name: "bn.num_batches_tracked", shape: [], values: .int64([3])),
        NamedTensor(name: "empty", shape: [0, 4], values: .float32([])),
        NamedTensor(name: "counts", shape: [2, 2], values: .int64([1 << 40, -1, 0, 7])),
    ]

    private func fixture(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: goldenFolder.appendingPathComponent("checkpoints/\(name)")))
    }

    @Test("what is written is read back, and equal tensors are equal bytes")
    func roundTrip() throws {
        let bytes = TorchCheckpoint.encoded(tensors)
        let read = try TorchCheckpoint(parsing: bytes)
        #expect(read.container == .zip && read.stateDict == tensors)
        #expect(TorchCheckpoint.encoded(read.stateDict) == bytes)
    }

    @Test("torch.save of the same tensors has the same elements in members of the same names")
    func likePyTorch() throws {
        let theirs = try fixture("plain_state_dict_zip.pt")
        #expect(try TorchCheckpoint(parsing: theirs).stateDict == tensors)
        try theirs.withUnsafeBytes { theirs in
            try TorchCheckpoint.encoded(tensors).withUnsafeBytes { ours in
                let (theirs, ours) = (try StoredZip(theirs), try StoredZip(ours))
                for name in ["byteorder", "version"] + tensors.indices.map({ "data/\($0)" }) {
                    let expected = try theirs.contents(of: "plain_state_dict_zip/\(name)")
                    #expect(try ours.contents(of: "archive/\(name)").elementsEqual(expected), "\(name)")
                }
            }
        }
    }

    @Test("contents begin at multiples of 64 bytes, so that a file can be mapped")
    func alignment() throws {
        try TorchCheckpoint.encoded(tensors).withUnsafeBytes { raw in
            let zip = try StoredZip(raw)
            let start = try #require(raw.baseAddress)
            for name in zip.names {
                let contents = try zip.contents(of: name)
                guard let base = contents.baseAddress, !contents.isEmpty else { continue }
                #expect((base - start) % 64 == 0, "\(name)")
            }
        }
    }
}

@Suite("state dicts")
struct StateDictTests {
    /// Weights and statistics of a backbone, all zero but for the last layer's bias.
    private func weights(_ backbone: Backbone) -> [NamedTensor] {
        let weights = Weights(graph: backbone.graph(size: 64))
        return weights.namedTensors().map {
            guard $0.name == "\(backbone.lastLayer).bias" else { return $0 }
            return NamedTensor(name: $0.name, shape: $0.shape, values: .float32([1, 2, 3, 4, 5, 6]))
        }
    }

    private func renamed(_ tensors: [NamedTensor], _ name: (String) -> String) -> [NamedTensor] {
        tensors.map { NamedTensor(name: name($0.name), shape: $0.shape, values: $0.values) }
    }

    /// The counts are those of `len(model.state_dict())` with torchvision 0.29, pretrainedmodels 0.7.4, efficientnet-pytorch 0.7.1.
    @Test(
        "a state dict has as many entries as PyTorch's, each batch norm's counter among them",
        arguments: [(Backbone.resnet34, 218, 36), (.seResNeXt50, 384, 53), (.efficientNetB3, 574, 78)])
    func complete(backbone: Backbone, entries: Int, norms: Int) throws {
        let source = weights(backbone)
        let optimizer = renamed(source) { "optimizer.exp_avg." + $0 }
        let stateDict = try backbone.stateDict(of: source + optimizer, batches: 12)
        #expect(stateDict.count == entries)
        let counters = stateDict.filter { $0.name.hasSuffix(".num_batches_tracked") }
        #expect(counters.count == norms)
        #expect(counters.allSatisfy { $0.shape.isEmpty && $0.values == .int64([12]) })
        // Counters that are known are kept, and what is complete stays as it is.
        #expect(try backbone.stateDict(of: stateDict, batches: 1) == stateDict)
    }

    @Test("names that DataParallel and torchvision give are understood")
    func otherNames() throws {
        let expected = try Backbone.resnet34.stateDict(of: weights(.resnet34))
        let torchvision = renamed(expected) { $0.replacing("last_linear.", with: "fc.") }
        let parallel = renamed(torchvision) { "module." + $0 }
        #expect(try Backbone.resnet34.stateDict(of: torchvision) == expected)
        #expect(try Backbone.resnet34.stateDict(of: parallel) == expected)
        let efficientNet = try Backbone.efficientNetB3.stateDict(of: weights(.efficientNetB3))
        #expect(try Backbone.efficientNetB3.stateDict(of: renamed(efficientNet) { "module." + $0 }) == efficientNet)
    }

    @Test("another backbone's weights and ImageNet's are refused by the tensor that tells them")
    func refused() throws {
        let missing = #expect(throws: NetsError.self) {
            try Backbone.efficientNetB3.stateDict(of: weights(.resnet34))
        }
        #expect(missing?.description.contains("weights of resnet34, not of efficientnet-b3") == true)
        let imageNet = weights(.resnet34).map {
            $0.name == "last_linear.weight"
                ? NamedTensor(
                    name: "fc.weight", shape: [1000, 512], values: .float32(.init(repeating: 0, count: 512_000)))
                : $0.name == "last_linear.bias"
                    ? NamedTensor(name: "fc.bias", shape: [1000], values: .float32(.init(repeating: 0, count: 1000)))
                    : $0
        }
        let classes = #expect(throws: NetsError.self) { try Backbone.resnet34.stateDict(of: imageNet) }
        #expect(classes?.description.contains("ImageNet") == true)
        #expect(imageNet.count == weights(.resnet34).count)
    }
}
