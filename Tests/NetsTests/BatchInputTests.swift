import Foundation
import Synchronization
import Testing

@testable import Nets

/// What a source was asked for, in order.
private final class Requests: Sendable {
    private let ids = Mutex<[String]>([])
    private let arrived = DispatchSemaphore(value: 0)

    /// A source that notes each request once it has been served.
    func noting(_ source: @escaping SliceSource) -> SliceSource {
        { id in
            defer {
                self.ids.withLock { $0.append(id) }
                self.arrived.signal()
            }
            return try source(id)
        }
    }

    var all: [String] { ids.withLock { $0 } }

    /// Waits for so many more requests; false if they do not come.
    func arrive(_ count: Int) -> Bool { (0..<count).allSatisfy { _ in arrived.wait(timeout: .now() + 60) == .success } }
}

/// Input runs ahead of training and prediction, and does not show in their results.
@Suite struct BatchInputTests {
    private struct Unreadable: Error {}

    private static let settings = TrainerTests.settings(.resnet34)

    private func trainer(threads: Int = 2, _ source: @escaping SliceSource) throws -> Trainer {
        try Trainer(
            settings: Self.settings, samples: TrainerTests.samples, source: source, pool: ThreadPool(threads: threads))
    }

    /// The slices of a step, from the specification of an epoch's order.
    private func ids(ofStep step: Int) -> [String] {
        let stepsPerEpoch = TrainerTests.samples.count / Self.settings.batchSize
        var random = Philox(
            seed: Self.settings.seed, purpose: .shuffle, epoch: UInt32(step / stepsPerEpoch), sample: 0)
        let order = random.permutation(TrainerTests.samples.count)
        let first = step % stepsPerEpoch * Self.settings.batchSize
        return order[first..<first + Self.settings.batchSize].map { TrainerTests.samples[$0].id }
    }

    @Test("the next step's slices are read without being asked for, across the end of an epoch too")
    func readsAhead() throws {
        let requests = Requests()
        let trainer = try trainer(requests.noting(TrainerTests.source))
        let batch = Self.settings.batchSize
        for step in 0..<5 {
            _ = try trainer.step()
            // The first step reads its own slices, every step those of the next one.
            #expect(requests.arrive(step == 0 ? 2 * batch : batch))
            let read = requests.all
            #expect(read.count == (step + 2) * batch, "no slice is read twice for a step")
            #expect(Set(read.suffix(batch)) == Set(ids(ofStep: step + 1)))
        }
    }

    @Test("how fast slices come and how many threads there are changes no bit", arguments: [1, 2, 3, 8])
    func timing(threads: Int) throws {
        let plain = try trainer(threads: 1, TrainerTests.source)
        let delayed = try trainer(threads: threads) { id in
            usleep(UInt32(id.utf8.last ?? 0) % 4 * 2000)
            return try TrainerTests.source(id)
        }
        for _ in 0..<3 { #expect(try plain.step() == delayed.step()) }
        #expect(plain.snapshot() == delayed.snapshot())
    }

    @Test("an unreadable slice stops the step that needs it, not the one before, and a second try reads it anew")
    func errorsWait() throws {
        let bad = ids(ofStep: 1)[2]
        let isBroken = Mutex(true)
        let requests = Requests()
        let source: SliceSource = requests.noting { id in
            if id == bad && isBroken.withLock({ $0 }) { throw Unreadable() }
            return try TrainerTests.source(id)
        }
        let disturbed = try trainer(source)
        let undisturbed = try trainer(TrainerTests.source)
        #expect(try disturbed.step() == undisturbed.step())
        #expect(requests.arrive(2 * Self.settings.batchSize), "the error has happened by now")
        let before = disturbed.snapshot()
        #expect(throws: Unreadable.self) { try disturbed.step() }
        #expect(disturbed.snapshot() == before)
        isBroken.withLock { $0 = false }
        for _ in 0..<2 { #expect(try disturbed.step() == undisturbed.step()) }
        #expect(disturbed.snapshot() == undisturbed.snapshot())
    }

    @Test("a training taken up elsewhere forgets what it read ahead for another step")
    func restores() throws {
        let whole = try trainer(TrainerTests.source)
        for _ in 0..<3 { _ = try whole.step() }
        let state = whole.snapshot()
        let jumped = try trainer(TrainerTests.source)
        _ = try jumped.step()
        try jumped.restore(state)
        #expect(try jumped.step() == whole.step())
        #expect(jumped.snapshot() == whole.snapshot())
    }

    @Test("when a training is let go of, its source is asked for nothing any more")
    func endsWithTrainer() throws {
        let requests = Requests()
        do {
            let trainer = try trainer(threads: 3, requests.noting(TrainerTests.source))
            _ = try trainer.step()
        }
        let read = requests.all
        usleep(20_000)
        #expect(requests.all == read)
    }

    @Test("prediction decodes a slice once for all its draws, ahead, and gives what each batch size gives")
    func predictsAhead() throws {
        let weights = try trainer(TrainerTests.source).snapshot().tensors
        let ids = TrainerTests.samples.map(\.id)
        func predict(batch: Int, draws: Int, _ source: @escaping SliceSource) throws -> [[Double]] {
            let settings = Predictor.Settings(
                backbone: .resnet34, imageSize: 32, draws: draws, seed: 20, batchSize: batch)
            var parts: [[Double]] = []
            try Predictor(settings: settings, weights: weights, pool: ThreadPool(threads: 2))
                .predict(ids, source: source) { parts.append($0) }
            return parts
        }
        let requests = Requests()
        let expected = try predict(batch: 30, draws: 3, requests.noting(TrainerTests.source)).flatMap { $0 }
        #expect(requests.all.sorted() == ids.sorted())
        for (batch, slices) in [(1, 1), (2, 1), (3, 1), (5, 1), (8, 2)] {
            let parts = try predict(batch: batch, draws: 3, TrainerTests.source)
            #expect(parts.dropLast().allSatisfy { $0.count == slices * Backbone.outputs })
            #expect(parts.flatMap { $0 } == expected, "batches of \(batch)")
        }
        // While the first part is being looked at, the second one's slices are read.
        let ahead = Requests()
        let settings = Predictor.Settings(backbone: .resnet34, imageSize: 32, draws: 2, seed: 20, batchSize: 4)
        var isFirst = true
        try Predictor(settings: settings, weights: weights, pool: ThreadPool(threads: 2))
            .predict(ids, source: ahead.noting(TrainerTests.source)) { _ in
                if isFirst { #expect(ahead.arrive(4)) }
                isFirst = false
            }
    }

    @Test("an error of the source ends a prediction, and the next one starts afresh")
    func predictionErrors() throws {
        let weights = try trainer(TrainerTests.source).snapshot().tensors
        let ids = TrainerTests.samples.map(\.id)
        let settings = Predictor.Settings(backbone: .resnet34, imageSize: 32, draws: 2, seed: 20, batchSize: 4)
        let predictor = try Predictor(settings: settings, weights: weights, pool: ThreadPool(threads: 2))
        let expected = try predictor.predict(ids, source: TrainerTests.source)
        var done = 0
        #expect(throws: Unreadable.self) {
            try predictor.predict(ids) { id in
                if id == ids[5] { throw Unreadable() }
                return try TrainerTests.source(id)
            } _: {
                done += $0.count / Backbone.outputs
            }
        }
        #expect(done == 4, "slices before the batch of the unreadable one are predicted")
        #expect(try predictor.predict(ids, source: TrainerTests.source) == expected)
    }
}
