import Testing

@testable import Nets

/// Other people's checkpoints: where the weights are among a file's tensors, and what is said if they are not.
@Suite("Weights in other people's files")
struct TensorSetTests {
    private static func weights(_ backbone: Backbone) -> [NamedTensor] {
        let weights = Weights(graph: backbone.graph(size: 64))
        weights.initialise(seed: 1)
        return weights.namedTensors()
    }

    private static func renamed(_ tensors: [NamedTensor], _ name: (String) -> String) -> [NamedTensor] {
        tensors.map { $0.named(name($0.name)) }
    }

    @Test(
        "any prefix that all weights share is understood, with other tensors beside them", arguments: Backbone.allCases)
    func prefixes(backbone: Backbone) throws {
        let own = Self.weights(backbone)
        let others = [
            NamedTensor(name: "n_averaged", shape: [], values: .int64([3])),
            NamedTensor(name: "head.weight", shape: [1], values: .float32([1])),
        ]
        for prefix in ["", "module.", "_orig_mod.", "module._orig_mod.", "model.", "backbone.", "net.encoder.0."] {
            let set = TensorSet(name: "x", tensors: others + Self.renamed(own) { prefix + $0 })
            let found = try backbone.weights(in: [TensorSet(name: "", tensors: others), set])
            #expect(found.filter { tensor in !others.contains(tensor) } == own, "\(prefix)")
        }
    }

    @Test("of several sets that fit one is chosen by the name that the message gives; equal ones are one")
    func several() throws {
        let own = Self.weights(.resnet34)
        let average = own.map { tensor in
            guard case .float32(let values) = tensor.values else { return tensor }
            return NamedTensor(name: tensor.name, shape: tensor.shape, values: .float32(values.map { $0 / 2 }))
        }
        let apart = [TensorSet(name: "state_dict", tensors: own), TensorSet(name: "state_dict_ema", tensors: average)]
        let together = [
            TensorSet(
                name: "", tensors: Self.renamed(own) { "student." + $0 } + Self.renamed(average) { "teacher." + $0 })
        ]
        for (sets, names) in [(apart, ["state_dict", "state_dict_ema"]), (together, ["student", "teacher"])] {
            let error = #expect(throws: NetsError.self) { try Backbone.resnet34.weights(in: sets) }
            for name in names + ["--entry"] { #expect(error?.description.contains(name) == true) }
            #expect(try Backbone.resnet34.weights(in: sets, entry: names[0]) == own)
            #expect(try Backbone.resnet34.weights(in: sets, entry: names[1]) == average)
            let none = #expect(throws: NetsError.self) { try Backbone.resnet34.weights(in: sets, entry: "model") }
            #expect(none?.description.contains(names[1]) == true)
        }
        #expect(try Backbone.resnet34.weights(in: [apart[0], TensorSet(name: "copy", tensors: own)]) == own)
    }

    @Test("where nothing fits, the closest set is shown: missing, other and instead, ten of each")
    func mismatch() throws {
        var own = Self.weights(.resnet34)
        own.removeAll { $0.name == "layer1.0.conv1.weight" }
        let near = own + [NamedTensor(name: "layer1.0.convolution.weight", shape: [1], values: .float32([1]))]
        let error = #expect(throws: NetsError.self) {
            try Backbone.resnet34.weights(in: [
                TensorSet(name: "optim", tensors: [NamedTensor(name: "lr", shape: [1], values: .float32([1]))]),
                TensorSet(name: "model", tensors: Self.renamed(near) { "net." + $0 }),
            ])
        }
        for words in [
            "missing (1): layer1.0.conv1.weight", "net.layer1.0.convolution.weight", "closest entry is model",
        ] {
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
        let other = #expect(throws: NetsError.self) {
            try Backbone.efficientNetB3.weights(in: [TensorSet(name: "", tensors: Self.weights(.resnet34))])
        }
        #expect(
            other?.description.contains("_conv_stem.weight") == true && other?.description.contains(", ...") == true)
    }

    @Test(
        "a weight or statistic that is no finite number is found on loading, by tensor and count; so is a negative variance"
    )
    func noNumbers() throws {
        let own = Self.weights(.resnet34)
        func loading(_ name: String, _ values: [Int: Float]) -> NetsError? {
            let damaged = own.map { tensor in
                guard tensor.name == name, case .float32(var numbers) = tensor.values else { return tensor }
                for (place, value) in values { numbers[place] = value }
                return NamedTensor(name: name, shape: tensor.shape, values: .float32(numbers))
            }
            do {
                try Weights(graph: Backbone.resnet34.graph(size: 64)).load(damaged)
                return nil
            } catch { return error }
        }
        #expect(loading("conv1.weight", [0: 1]) == nil)
        for value in [Float.nan, .infinity, -.infinity] {
            for name in [
                "conv1.weight", "layer4.2.bn2.weight", "bn1.running_mean", "bn1.running_var", "last_linear.bias",
            ] {
                let error = loading(name, [0: value, 3: value])
                #expect(error?.description.contains("\(name) has 2 of") == true && error?.status == .badInput)
            }
        }
        #expect(loading("bn1.running_var", [1: -1])?.description.contains("bn1.running_var") == true)
    }
}

extension NetsError: Equatable {
    public static func == (a: NetsError, b: NetsError) -> Bool { a.description == b.description }
}
