import Testing

@testable import Nets

/// A training is a function of settings, slices and seed, however it is run.
@Suite struct TrainerTests {
    static func settings(_ backbone: Backbone) -> TrainingSettings {
        TrainingSettings(
            backbone: backbone, imageSize: 32, batchSize: 4, learningRate: 1e-3, milestones: [1], gamma: 0.5, seed: 20)
    }

    /// Slices of 40 x 36 pixels from the reference's random numbers.
    static let samples = (0..<10).map { index in
        TrainingSample(id: "ID_\(index)", targets: (0..<6).map { ($0 + index) % 3 == 0 ? 1 : 0 })
    }

    static let source: SliceSource = { id in
        HounsfieldImage(
            rows: 40, columns: 36, values: referenceUniform(id, count: 40 * 36).map { Float(200 * $0 - 60) })
    }

    private func trainer(_ backbone: Backbone, threads: Int = 2, source: @escaping SliceSource = source) throws
        -> Trainer
    {
        try Trainer(
            settings: Self.settings(backbone), samples: Self.samples, source: source, pool: ThreadPool(threads: threads)
        )
    }

    @Test("a training saved and taken up at every step ends with the same bits", arguments: Backbone.allCases)
    func resumes(backbone: Backbone) throws {
        let whole = try trainer(backbone)
        for _ in 0..<4 { _ = try whole.step() }
        var state = try trainer(backbone).snapshot()
        for steps in 1...4 {
            let part = try trainer(backbone, threads: 1 + steps % 3)
            try part.restore(try SafeTensors(parsing: state.encoded()))
            _ = try part.step()
            #expect(part.stepsDone == steps)
            state = part.snapshot()
        }
        #expect(state == whole.snapshot())
    }

    @Test(
        "three steps give the same parameters on every instruction set and with 1, 2 and 3 threads",
        arguments: Backbone.allCases)
    func dependsOnNothingElse(backbone: Backbone) throws {
        func parameters(_ set: InstructionSet, threads: Int) throws -> SafeTensors {
            let trainer = try Trainer(
                settings: Self.settings(backbone), samples: Self.samples, source: Self.source,
                pool: ThreadPool(threads: threads), instructionSet: set)
            for _ in 0..<3 { _ = try trainer.step() }
            return trainer.snapshot()
        }
        let expected = try parameters(.scalar, threads: 1)
        for set in InstructionSet.available {
            for threads in 1...3 where set != .scalar || threads > 1 {
                let same = try parameters(set, threads: threads) == expected
                #expect(same, "\(set), \(threads) threads")
            }
        }
    }

    @Test("an error of the source leaves the training as it was")
    func sourceErrors() throws {
        struct Unreadable: Error {}
        let failing = try trainer(.resnet34) { id in
            if id == "ID_3" { throw Unreadable() }
            return try Self.source(id)
        }
        var thrown = false
        for _ in 0..<6 {
            let before = failing.stepsDone
            do { _ = try failing.step() } catch is Unreadable {
                thrown = true
                #expect(failing.stepsDone == before)
                break
            }
        }
        #expect(thrown)
    }

    @Test("a checkpoint of other settings is refused")
    func refusesOtherSettings() throws {
        var settings = Self.settings(.resnet34)
        settings.seed = 21
        let other = try Trainer(
            settings: settings, samples: Self.samples, source: Self.source, pool: ThreadPool(threads: 1))
        #expect(throws: NetsError.self) { try other.restore(try trainer(.resnet34).snapshot()) }
    }

    @Test("a slice's prediction depends neither on its batch nor on its neighbours", arguments: Backbone.allCases)
    func predictionsAreIndependent(backbone: Backbone) throws {
        let weights = try trainer(backbone).snapshot().tensors
        let ids = Self.samples.map(\.id)
        func predict(batch: Int, _ ids: [String]) throws -> [Double] {
            let settings = Predictor.Settings(
                backbone: backbone, imageSize: 32, draws: 2, seed: 20, batchSize: batch)
            return try Predictor(settings: settings, weights: weights, pool: ThreadPool(threads: 2))
                .predict(ids, source: Self.source)
        }
        let all = try predict(batch: 10, ids)
        #expect(try predict(batch: 3, ids) == all)
        #expect(try predict(batch: 3, [ids[7]]) == Array(all[42..<48]))
    }

    @Test("weights of another backbone are refused by that backbone's name")
    func refusesOtherWeights() throws {
        let weights = try trainer(.resnet34).snapshot().tensors
        let settings = Predictor.Settings(backbone: .seResNeXt50, imageSize: 32, seed: 20, batchSize: 1)
        #expect {
            try Predictor(settings: settings, weights: weights, pool: ThreadPool(threads: 1))
        } throws: { "\($0)".contains("these are weights of resnet34, not of se_resnext50_32x4d") }
    }

    @Test("a fixed learning rate schedule is PyTorch's MultiStepLR")
    func schedule() {
        var settings = Self.settings(.resnet34)
        settings.learningRate = 6e-5
        settings.milestones = [1, 2, 3]
        settings.gamma = 2.0 / 3
        #expect(
            (0..<5).map(settings.learningRate(epoch:)).map(Float.init) == [
                6e-5, 4e-5, 2.6666667e-5, 1.7777778e-5, 1.7777778e-5,
            ])
    }
}
