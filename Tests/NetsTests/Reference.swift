import Foundation

@testable import Nets

/// The numbers of float64 PyTorch in golden/nets, and the formula that weights and inputs come from.
struct Reference: Decodable {
    struct Case: Decodable {
        let batch: Int
        let size: Int
        let losses: [Double]
        let evalLogits: [[Double]]
        let trainLogits: [[Double]]
        let evalLogitsAfter3Steps: [[Double]]
        let gradients: [String: [Double]]
        let afterStep: [String: [Double]]?
    }

    let cases: [Case]

    static func load(_ backbone: Backbone) throws -> Reference {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let url = goldenFolder.appendingPathComponent("nets/\(backbone.rawValue).json")
        return try decoder.decode(Reference.self, from: Data(contentsOf: url))
    }
}

let goldenFolder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("golden")

/// u[0], u[1], ...: the top 53 bits of SplitMix64's outputs / 2^53, state seeded with FNV-1a-64(name) XOR salt.
func referenceUniform(_ name: String, count: Int) -> [Double] {
    var state = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } ^ 2019
    return (0..<count).map { _ in
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ (z >> 31)) >> 11) / 9007199254740992
    }
}

/// A parameter or buffer of the reference by its `state_dict` key.
func referenceValues(_ entry: ParameterTable.Entry) -> [Float] {
    let u = referenceUniform(entry.name, count: entry.shape.reduce(1, *))
    let key = entry.name.split(separator: ".").last ?? ""
    let isNorm: Bool
    if case .vector = entry.layout { isNorm = key == "weight" } else { isNorm = false }
    switch key {
    case "running_var": return u.map { Float(0.5 + $0) }
    case "running_mean", "bias": return u.map { Float(0.1 * (2 * $0 - 1)) }
    case _ where isNorm: return u.map { Float(0.8 + 0.4 * $0) }
    default:
        let fanIn = Double(entry.shape.dropFirst().reduce(1, *))
        return u.map { Float((2 * $0 - 1) * (3 / fanIn).squareRoot()) }
    }
}

/// A network with the reference's weights and input.
func referenceNetwork(
    _ backbone: Backbone, batch: Int, size: Int, training: Bool = true, pool: ThreadPool = ThreadPool(threads: 2),
    instructionSet: InstructionSet? = nil, arithmetic: Arithmetic = .exact, grains: Int = 8
) throws -> (network: Network, targets: [Float]) {
    let graph = backbone.graph(size: size, training: training)
    let weights = Weights(graph: graph)
    for entry in graph.parameters.entries {
        graph.parameters.set(referenceValues(entry), of: entry, in: weights.parameters)
    }
    for entry in graph.statistics.entries {
        graph.statistics.set(referenceValues(entry), of: entry, in: weights.statistics)
    }
    let network = try Network(
        graph: graph, weights: weights, capacity: batch, grains: grains, training: training, pool: pool,
        kernels: try (instructionSet ?? .chosen()).kernels, arithmetic: arithmetic)
    let u = referenceUniform("input/\(batch)x3x\(size)x\(size)", count: batch * 3 * size * size).map { Float($0) }
    let plane = size * size
    for image in 0..<batch {
        let pixels = (0..<plane * 3).map { u[image * 3 * plane + $0 % 3 * plane + $0 / 3] }
        network.setImage(image, pixels)
    }
    let targets = referenceUniform("target/\(batch)x6", count: batch * 6).map { $0 < 0.3 ? 1 : 0 as Float }
    return (network, targets)
}

extension Network {
    /// Copies one image, `[height][width][3]`, into the batch.
    func setImage(_ index: Int, _ pixels: UnsafePointer<Float>) {
        let frame = imageFrame
        let start = image.base + index * frame.imageStride + frame.start
        for y in 0..<graph.input.height {
            (start + y * frame.rowStride).update(
                from: pixels + y * graph.input.width * 3, count: graph.input.width * 3)
        }
    }
}
