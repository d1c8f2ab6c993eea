import ArgumentParser
import Basics
import Foundation
import Nets
import Repro

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write weights as .safetensors, or as .pt for PyTorch.",
        discussion: """
            Takes any file of weights that `predict` takes, a training's checkpoint among them, and writes the weights alone under \
            PyTorch's names: load_state_dict(torch.load("resnet34.pt")) works as it stands. docs/checkpoints.md says how to \
            build each backbone in PyTorch.

            repro export --weights work/demo/models/resnet34/fold0/epoch2.safetensors --backbone resnet34 --out resnet34.pt
            """)

    @Option(help: ArgumentHelp("The weights: .safetensors, .pt or .pth.", valueName: "file"), completion: .file())
    var weights: String

    @Option(help: "Which backbone they are of: \(Backbone.allCases.map(\.rawValue).joined(separator: ", ")).")
    var backbone: Backbone

    @Option(
        help: ArgumentHelp("Which weights, if the file has several: the names that lead to them.", valueName: "name"))
    var entry: String?

    @Option(
        help: ArgumentHelp("Where to: a name that ends in .safetensors, .pt or .pth.", valueName: "file"),
        completion: .file())
    var out: String

    @OptionGroup var output: OutputOptions

    @Flag(help: "Print JSON for machines.")
    var json = false

    private var isTorch: Bool { out.hasSuffix(".pt") || out.hasSuffix(".pth") }

    func validate() throws {
        guard isTorch || out.hasSuffix(".safetensors") else {
            throw ValidationError("--out: expected a name that ends in .safetensors, .pt or .pth, found \(out).")
        }
    }

    private struct Result: Encodable {
        let out: String
        let backbone: Backbone
        let tensors: Int
        let bytes: Int
        let parametersHash: String
    }

    func run() throws {
        let out = try output.destination(out, .weights, inputs: [weights], json: json)
        let file = try WeightsFile.read(weights, .init(backbone, entry: entry))
        let steps = file.metadata["steps"].flatMap { Int64($0) } ?? 0
        let stateDict = try file.naming { try backbone.stateDict(of: file.tensors, batches: steps) }
        var bytes = 0
        try out.write { append in
            func sink(_ piece: UnsafeRawBufferPointer) throws {
                bytes += piece.count
                try append(piece)
            }
            if isTorch { return try TorchCheckpoint.write(stateDict, to: sink) }
            try SafeTensors(metadata: metadata(of: file), tensors: stateDict).write(to: sink)
        }
        // The counters of batches have no say in what the network computes, and trainings do not keep them.
        let parameters = stateDict.filter { if case .float32 = $0.values { true } else { false } }
        let result = Result(
            out: out.path, backbone: backbone, tensors: stateDict.count, bytes: bytes,
            parametersHash: Engine.parametersHash(of: parameters))
        if json { return Console.result(try JSON.encode(result)) }
        Console.result(
            "\(out.path): \(backbone.rawValue), \(result.tensors) tensors, \(Numbers.bytes(bytes))\nparameters \(result.parametersHash)"
        )
    }

    /// What the source says about itself, but that it is weights now and no training that could go on.
    private func metadata(of file: WeightsFile) -> [String: String] {
        file.metadata.merging(["format": "repro-weights-1", "backbone": backbone.rawValue]) { $1 }
    }
}
