import Foundation
import Testing

@testable import Nets

/// Where a backbone's weights are found among what other people's checkpoints hold.
@Suite("finding weights")
struct WeightsSearchTests {
    /// What a whole file of the backbone has, without values.
    private static func outlines(_ backbone: Backbone, counters: Bool = true) -> [TensorOutline] {
        let graph = backbone.graph(size: 64)
        let real = (graph.parameters.entries + graph.statistics.entries).map {
            TensorOutline(name: $0.name, shape: $0.shape, kind: .real)
        }
        let norms = graph.statistics.entries.filter { $0.name.hasSuffix(".running_var") }
        return real
            + norms.map {
                TensorOutline(
                    name: $0.name.replacing("running_var", with: "num_batches_tracked"), shape: [], kind: .integer)
            }
    }

    private func renamed(_ tensors: [TensorOutline], _ name: (String) -> String) -> [TensorOutline] {
        tensors.map { TensorOutline(name: name($0.name), shape: $0.shape, kind: $0.kind, place: $0.place) }
    }

    private func find(
        _ sets: [TensorSet], _ backbone: Backbone = .resnet34, entry: String? = nil, exceptLastLayer: Bool = false
    ) -> Result<WeightsSearch.Found, WeightsMisfit> {
        let search = WeightsSearch(backbone, exceptLastLayer: exceptLastLayer)
        return Result { () throws(WeightsMisfit) in try search.find(in: sets, entry: entry) { _, _ in false } }
    }

    private func problem(_ sets: [TensorSet], _ backbone: Backbone = .resnet34, entry: String? = nil) -> String {
        if case .failure(let misfit) = find(sets, backbone, entry: entry) { return misfit.problem }
        return ""
    }

    @Test(
        "any prefix that all weights share is taken off, whatever else is beside them",
        arguments: [
            "", "module.", "_orig_mod.", "module._orig_mod.", "model.", "backbone.", "ema.module.", "0.", "a.b.c.d.",
            "layer1.0.",
        ], Backbone.allCases)
    func prefixes(prefix: String, backbone: Backbone) throws {
        let own = Self.outlines(backbone)
        let beside = ["n_averaged", "criterion.weight", "head.bias", "other.conv1.weight"].map {
            TensorOutline(name: $0, shape: [3], kind: .real)
        }
        let set = TensorSet(path: "", tensors: beside + renamed(own) { prefix + $0 })
        let found = try find([set], backbone).get()
        #expect(found.prefix == prefix)
        #expect(found.ownNames(in: set).suffix(own.count).map { $0 ?? "" } == own.map(\.name))
    }

    @Test("torchvision's name of resnet34's last layer does as well, the backbone's own goes first")
    func lastLayer() throws {
        let own = Self.outlines(.resnet34)
        let theirs = renamed(own) { "net." + $0.replacing("last_linear.", with: "fc.") }
        let set = TensorSet(path: "", tensors: theirs)
        #expect(try find([set]).get().ownNames(in: set).map { $0 ?? "" } == own.map(\.name))
        let both = own + [TensorOutline(name: "fc.weight", shape: [1000, 512], kind: .real)]
        let names = try find([TensorSet(path: "", tensors: both)]).get().ownNames(
            in: TensorSet(path: "", tensors: both))
        #expect(names.compactMap { $0 } == both.map(\.name))
    }

    @Test(
        "several sets are named, and an entry says which: by its keys, by the beginning of its names, or . for the top")
    func entries() throws {
        let own = Self.outlines(.resnet34)
        let sets = [
            TensorSet(path: "", tensors: own),
            TensorSet(path: "state_dict_ema", tensors: renamed(own) { "module." + $0 }),
            TensorSet(path: "two", tensors: renamed(own) { "student." + $0 } + renamed(own) { "teacher." + $0 }),
        ]
        let said = problem(sets)
        #expect(said.contains("4 sets of resnet34's weights"))
        #expect(said.contains("., state_dict_ema, two.student, two.teacher") && said.contains("--entry NAME"))
        for (entry, set, prefix) in [
            (".", 0, ""), ("state_dict_ema", 1, "module."), ("state_dict_ema.module", 1, "module."),
            ("two.teacher", 2, "teacher."), ("two.student.", 2, "student."),
        ] {
            let found = try find(sets, entry: entry).get()
            #expect(found.set == set && found.prefix == prefix, "\(entry)")
        }
        #expect(problem(sets, entry: "two").contains("two.student, two.teacher"))
        #expect(
            problem(sets, entry: "three").contains(
                "nothing under --entry three; there are: ., state_dict_ema, two.student"))
    }

    @Test("every set has a name of its own that chooses it, also where keys have dots or one set is inside another")
    func namesChoose() throws {
        let own = Self.outlines(.resnet34)
        let sets = [
            TensorSet(path: "", tensors: renamed(own) { "ema.model." + $0 }),
            TensorSet(path: "ema.model", tensors: own), TensorSet(path: "ema.model", tensors: own),
            TensorSet(path: "ema.model.deep", tensors: own), TensorSet(path: "ema", tensors: own),
        ]
        let names = ["ema.model#1", "ema.model#2", "ema.model#3", "ema.model.deep", "ema"]
        #expect(problem(sets).contains("5 sets of resnet34's weights are in it: \(names.joined(separator: ", "))"))
        for (set, name) in names.enumerated() { #expect(try find(sets, entry: name).get().set == set, "\(name)") }
        #expect(problem(sets, entry: "ema.model").contains("ema.model#2"))
    }

    @Test("two dicts of the same tensors are one set")
    func shared() throws {
        var own = Self.outlines(.resnet34)
        for index in own.indices { own[index].place = .init(storage: "\(index)", start: 0, strides: []) }
        var sets = [TensorSet(path: "model", tensors: own), TensorSet(path: "state_dict", tensors: own)]
        #expect(try find(sets).get().set == 0)
        own[0].place = .init(storage: "0", start: 1, strides: [])
        sets[1] = TensorSet(path: "state_dict", tensors: own)
        #expect(problem(sets).contains("model, state_dict"))
    }

    @Test("two sets of the same values are one, which differ in one value are two")
    func equal() throws {
        let own = Weights(graph: Backbone.efficientNetB3.graph(size: 64)).namedTensors()
        func twice(_ change: Float) -> [NamedTensor] {
            own.map { $0.named("a." + $0.name) }
                + own.map { tensor in
                    guard tensor.name == "_fc.bias" else { return tensor.named("b." + tensor.name) }
                    return NamedTensor(name: "b._fc.bias", shape: [6], values: .float32([0, 0, 0, 0, 0, change]))
                }
        }
        for read in [
            { try Backbone.efficientNetB3.ownNames(of: $0) },
            { try TorchCheckpoint(parsing: TorchCheckpoint.encoded($0), of: .efficientNetB3).stateDict },
        ] as [([NamedTensor]) throws -> [NamedTensor]] {
            #expect(try read(twice(0)).map(\.name) == own.map(\.name))
            let error = #expect(throws: (any Error).self) { try read(twice(1)) }
            #expect(error.map { "\($0)" }?.contains("weights are in it: a, b") == true)
        }
    }

    @Test("an averaged model without statistics and an optimiser's moments are no set of weights")
    func incomplete() throws {
        let own = Self.outlines(.resnet34)
        let parameters = own.filter { !$0.name.contains("running_") && $0.kind == .real }
        let sets = [
            TensorSet(path: "", tensors: own + renamed(parameters) { "optimizer.exp_avg." + $0 }),
            TensorSet(path: "ema", tensors: parameters),
        ]
        #expect(try find(sets).get().set == 0)
    }

    @Test("a start needs no last layer, a prediction does")
    func start() throws {
        let own = Self.outlines(.seResNeXt50).filter { !$0.name.hasPrefix("last_linear.") }
        #expect(try find([TensorSet(path: "", tensors: own)], .seResNeXt50, exceptLastLayer: true).get().set == 0)
        #expect(problem([TensorSet(path: "", tensors: own)], .seResNeXt50).contains("last_linear.weight is missing"))
    }

    @Test("what does not fit is shown: the closest set, missing and other names, wrong shapes, ten of each")
    func closest() {
        let own = Self.outlines(.resnet34)
        let head = renamed(own) { "net." + $0.replacing("last_linear.", with: "head.") }
        let missing = problem([
            TensorSet(path: "ema", tensors: Array(own.prefix(20))), TensorSet(path: "state_dict", tensors: head),
        ])
        for words in [
            "closest: 180 of 182 names, in state_dict.net, with net. in front",
            "missing, 2: last_linear.weight (or fc.weight), last_linear.bias (or fc.bias)",
            "not resnet34's, 2: net.head.weight, net.head.bias",
        ] { #expect(missing.contains(words), "\(missing)") }

        let gray = own.map {
            $0.name == "conv1.weight" ? TensorOutline(name: $0.name, shape: [64, 1, 7, 7], kind: .real) : $0
        }
        #expect(
            problem([TensorSet(path: "", tensors: gray)])
                .contains("conv1.weight has shape [64, 1, 7, 7], conv1.weight of resnet34 has [64, 3, 7, 7]"))
        let quantized = own.map {
            TensorOutline(name: $0.name, shape: [], kind: .object("torch._utils._rebuild_qtensor"))
        }
        let said = problem([TensorSet(path: "", tensors: quantized)])
        #expect(said.contains("no plain tensor (torch._utils._rebuild_qtensor)") && said.hasSuffix("..."))
        #expect(said.split(separator: ";").count == 11)
        #expect(problem([TensorSet(path: "", tensors: renamed(own) { $0 + "_" })]).contains("conv1.weight_"))
    }

    @Test("another backbone's weights are called by its name")
    func otherBackbone() {
        let set = TensorSet(path: "net", tensors: renamed(Self.outlines(.efficientNetB3)) { "module." + $0 })
        #expect(problem([set]).contains("weights of efficientnet-b3"))
    }

    @Test("names of any length and number of dots are searched in no time")
    func hostileNames() {
        let dots = String(repeating: ".", count: 1_000_000) + "conv1.weight"
        let set = TensorSet(
            path: "",
            tensors: (0..<20_000).map { TensorOutline(name: "p\($0).conv1.weight", shape: [1], kind: .real) }
                + [TensorOutline(name: dots, shape: [1], kind: .real)])
        let time = ContinuousClock().measure { _ = problem([set]) }
        #expect(time < .seconds(20))
    }
}

@Suite("checkpoints of other people")
struct OtherCheckpointTests {
    private func fixture(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: goldenFolder.appendingPathComponent("checkpoints/\(name)")))
    }

    /// What `torch.load` gives for the entry, under the names in the file.
    private let weights = [
        NamedTensor(name: "module.w", shape: [2, 3], values: .float32([0, 1, 2, 3, 4, 5])),
        NamedTensor(name: "module.b", shape: [3], values: .float32([0, 1, 2])),
        NamedTensor(name: "module.n", shape: [], values: .int64([7])),
    ]

    /// `beside.py` has what is in them: states of optimisers and schedules, a Namespace, random states, sets, dates, odd tensors.
    @Test("weights are read whatever PyTorch saved beside them", arguments: ["beside_zip.pt", "beside_legacy.pt"])
    func beside(file: String) throws {
        let error = #expect(throws: CheckpointError.self) {
            try TorchCheckpoint(parsing: fixture(file), of: .resnet34, entry: "nested.0.net")
        }
        #expect(error?.description.contains("found in nested.0.net, 3 names: module.w, module.b, module.n") == true)
        let sets = try TorchCheckpoint(parsing: fixture(file)) { sets, _ throws(CheckpointError) in
            let set = sets.firstIndex { $0.path == "nested.0.net" } ?? 0
            return (set, sets[set].tensors.map(\.name))
        }
        #expect(sets.stateDict == weights)
    }

    @Test("a whole pickled model is refused with the line that saves its weights")
    func wholeModel() throws {
        let error = #expect(throws: CheckpointError.self) {
            try TorchCheckpoint(parsing: fixture("whole_model_zip.pt"))
        }
        #expect(error?.fault == .refused && error?.problem.contains("torch.nn.modules.container.Sequential") == true)
        #expect(error?.problem.contains("state_dict()") == true)
    }

    @Test("a file altered at random gives its weights, others of the same shapes, or an error, and never a crash")
    func mutations() throws {
        for file in ["beside_zip.pt", "beside_legacy.pt", "whole_model_zip.pt"] {
            let bytes = try fixture(file)
            var random = Philox(seed: 12, purpose: .shuffle, epoch: 0, sample: 0)
            for _ in 0..<300 {
                var damaged = bytes
                for _ in 0...random.permutation(3)[0] {
                    let place = Int(random.uniform() * Float(damaged.count - 1))
                    switch random.permutation(4)[0] {
                    case 0: damaged.removeSubrange(place...)
                    case 1: damaged.remove(at: place)
                    case 2: damaged[place] = [0, 1, 0x7F, 0xFF][random.permutation(4)[0]]
                    default: damaged.insert(UInt8(random.permutation(256)[0]), at: place)
                    }
                    if damaged.isEmpty { damaged = [0] }
                }
                let read = try? TorchCheckpoint(parsing: damaged) { sets, _ throws(CheckpointError) in
                    let set = sets.firstIndex { $0.path == "nested.0.net" } ?? 0
                    return (set, sets.isEmpty ? [] : sets[set].tensors.map(\.name))
                }
                // A zip's members have checksums.
                if let read, file == "beside_zip.pt" { #expect(read.stateDict == weights) }
            }
        }
    }

    @Test(
        "weights that are no numbers, and variances below 0, are refused by tensor and count",
        arguments: [
            (Float.nan, "_conv_stem.weight has 1 of 1080 values that are NaN"),
            (.infinity, "_conv_stem.weight has 1 of 1080 values that are infinite"),
        ])
    func noNumbers(value: Float, words: String) throws {
        let all = Weights(graph: Backbone.efficientNetB3.graph(size: 64)).namedTensors()
        func changed(_ name: String, _ value: Float) -> [NamedTensor] {
            all.map { tensor in
                guard tensor.name == name, case .float32(var values) = tensor.values else { return tensor }
                values[values.count / 2] = value
                return NamedTensor(name: name, shape: tensor.shape, values: .float32(values))
            }
        }
        func problem(_ tensors: [NamedTensor]) -> String? {
            do { _ = try Backbone.efficientNetB3.stateDict(of: tensors) } catch { return error.description }
            return nil
        }
        #expect(problem(all) == nil)
        #expect(problem(changed("_conv_stem.weight", value))?.contains(words) == true)
        #expect(problem(changed("_bn0.running_mean", value))?.contains("_bn0.running_mean has 1 of 40") == true)
        #expect(problem(changed("_bn0.running_var", -1))?.contains("below 0") == true)
        #expect(problem(changed("_bn0.running_mean", -1)) == nil)
    }
}
