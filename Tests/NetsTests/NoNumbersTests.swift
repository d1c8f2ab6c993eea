import CKernels
import Testing

@testable import Nets

/// What is no number stays none, at every instruction set, and ends a training or a prediction.
@Suite struct NoNumbersTests {
    private static let special: [Float] = [
        .nan, -.nan, .infinity, -.infinity, -0.0, 0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
        .greatestFiniteMagnitude, -3, 3, 0.5, 88, -88, 1e30, -1e30,
    ]

    @Test("ReLU keeps what is no number, gives +0 for -0 and negative numbers, and its gradient does likewise")
    func relu() {
        let slopes = (0..<16).map { Float($0) - 7.5 }
        for set in InstructionSet.available {
            var (y, dx) = ([Float](repeating: 7, count: 16), [Float](repeating: 7, count: 16))
            set.kernels.activate(Self.special, &y, 16, CK_RELU)
            set.kernels.activateGradient(Self.special, slopes, &dx, 16, CK_RELU, 0)
            for (i, x) in Self.special.enumerated() {
                let (value, slope): (Float, Float) = x <= 0 ? (0, 0) : (x, slopes[i])
                #expect(x.isNaN ? y[i].isNaN : y[i].bitPattern == value.bitPattern, "\(set): relu(\(x)) = \(y[i])")
                #expect(dx[i].bitPattern == slope.bitPattern, "\(set): relu'(\(x)) = \(dx[i])")
            }
        }
    }

    @Test("swish and sigmoid of what is no number are none, of numbers they are numbers")
    func smooth() {
        for set in InstructionSet.available {
            for kind in [CK_SWISH, CK_SIGMOID] {
                var y = [Float](repeating: 7, count: 16)
                set.kernels.activate(Self.special, &y, 16, kind)
                for (x, y) in zip(Self.special, y) where !x.isInfinite {
                    #expect(x.isNaN == y.isNaN, "\(set), \(kind): \(y) of \(x)")
                }
            }
        }
        for function in [Elementary.exp, Elementary.sigmoid] {
            #expect(function(.nan).isNaN && !function(.infinity).isNaN && !function(-.infinity).isNaN)
        }
    }

    @Test("a window with something that is no number has none for its maximum, wherever it is in the window")
    func maxPool() {
        for set in InstructionSet.available {
            for place in 0..<9 {
                var x = [Float](repeating: 0, count: 9 * 16)
                for i in x.indices { x[i] = Float((i * 37) % 11) - 5 }
                x[place * 16 + 5] = .nan
                var (y, winner) = ([Float](repeating: 0, count: 16), [UInt8](repeating: 0, count: 16))
                var pooling = CKPooling()
                (pooling.inputHeight, pooling.inputWidth, pooling.outputHeight, pooling.outputWidth) = (3, 3, 1, 1)
                (pooling.kernel, pooling.stride, pooling.padding, pooling.pixelStride) = (3, 1, 0, 16)
                set.kernels.maxPool(&pooling, x, &y, &winner, 0, 1)
                for lane in 0..<16 {
                    let window = (0..<9).map { x[$0 * 16 + lane] }
                    #expect(lane == 5 ? y[lane].isNaN : y[lane] == window.max(), "\(set), place \(place), lane \(lane)")
                    #expect(winner[lane] == (lane == 5 ? place : window.firstIndex(of: window.max() ?? 0) ?? 0))
                }
            }
        }
    }

    @Test("Adam says so when a gradient is infinite or none, or a moment overflows, and only then")
    func adam() {
        var settings = CKAdam()
        (settings.learningRate, settings.inverseCorrection, settings.epsilon) = (0.1, 1, 1e-8)
        (settings.beta1, settings.beta2, settings.oneMinusBeta1, settings.oneMinusBeta2) = (0.9, 0.999, 0.1, 0.001)
        for set in InstructionSet.available {
            func isFinite(_ value: Float, at place: Int) -> Bool {
                var (p, m, v) = (
                    [Float](repeating: 1, count: 64), [Float](repeating: 0, count: 64), [Float](repeating: 0, count: 64)
                )
                var g = [Float](repeating: -0.25, count: 64)
                g[place] = value
                return set.kernels.adam(&settings, &p, g, &m, &v, 64) != 0
            }
            for place in [0, 15, 16, 63] {
                for number: Float in [0, -0.0, .leastNonzeroMagnitude, 1e15, -1e15] {
                    #expect(isFinite(number, at: place), "\(set): \(number)")
                }
                for number: Float in [.nan, .infinity, -.infinity, 1e25] {
                    #expect(!isFinite(number, at: place), "\(set): \(number)")
                }
            }
        }
    }

    @Test(
        "a training ends at the first step with something that is no number, and says which array of which step",
        arguments: Backbone.allCases)
    func diverges(backbone: Backbone) throws {
        func trainer(learningRate: Double = 1e-3) throws -> Trainer {
            var settings = TrainerTests.settings(backbone)
            settings.learningRate = learningRate
            return try Trainer(
                settings: settings, samples: TrainerTests.samples, source: TrainerTests.source,
                pool: ThreadPool(threads: 2))
        }
        // The first step moves each weight by the rate: finite, and too far for sums of their products.
        for rate in [1e30, 1e38, 1e39] {
            let wild = try trainer(learningRate: rate)
            let error = #expect(throws: NetsError.self) { for _ in 0..<4 { _ = try wild.step() } }
            #expect(error?.status == .badInput && error?.description.contains("step ") ?? false)
        }
        let sound = try trainer()
        for _ in 0..<3 { #expect(try sound.step().isFinite) }
    }

    @Test("a prediction whose output is no number is an error that names the slice")
    func overflow() throws {
        let trainer = try Trainer(
            settings: TrainerTests.settings(.resnet34), samples: TrainerTests.samples, source: TrainerTests.source,
            pool: ThreadPool(threads: 1))
        // Finite weights whose sums overflow.
        let weights = trainer.snapshot().tensors.map { tensor in
            guard tensor.name == "conv1.weight", case .float32(let values) = tensor.values else { return tensor }
            return NamedTensor(
                name: tensor.name, shape: tensor.shape, values: .float32(values.map { $0 < 0 ? -3e38 : 3e38 }))
        }
        let predictor = try Predictor(
            settings: .init(backbone: .resnet34, imageSize: 32, augmentation: nil, seed: 0, batchSize: 2),
            weights: weights,
            pool: ThreadPool(threads: 1))
        let error = #expect(throws: NetsError.self) {
            _ = try predictor.predict(["ID_1", "ID_2"], source: TrainerTests.source)
        }
        #expect(error?.description.contains("ID_1") ?? false)
    }

    @Test("a batch that the memory does not hold is refused before anything is allocated, with what fits")
    func memory() throws {
        let error = #expect(throws: NetsError.self) {
            _ = try Predictor(
                settings: .init(backbone: .seResNeXt50, imageSize: 2048, augmentation: nil, seed: 0, batchSize: 4096),
                weights: [],
                pool: ThreadPool(threads: 1))
        }
        #expect(
            error?.status == .badUsage && error?.description.contains("at most") ?? false,
            "\(String(describing: error))")
    }
}
