import Foundation
import Synchronization
import Testing

@testable import Nets

/// How often each of some numbered tasks was run.
private final class Tally: Sendable {
    private let counts: Mutex<[Int]>

    init(_ tasks: Int) { counts = Mutex([Int](repeating: 0, count: tasks)) }

    func add(_ task: Int) { counts.withLock { $0[task] += 1 } }

    var all: [Int] { counts.withLock { $0 } }
}

/// Far longer than anything here takes: a test that would wait forever fails instead.
private func passes(_ semaphore: DispatchSemaphore) -> Bool { semaphore.wait(timeout: .now() + 60) == .success }

@Suite struct ThreadPoolTests {
    static let sizes = [1, 2, 3, 8, 64]

    @Test("every task of every run is done once, by a worker of the pool, and before the run returns", arguments: sizes)
    func everyTaskOnce(threads: Int) {
        let pool = ThreadPool(threads: threads)
        for tasks in [0, 1, 2, 3, 7, 64, 1000] + (0..<200).map({ $0 % 9 }) {
            let tally = Tally(tasks)
            let workers = Mutex<Set<Int>>([])
            pool.run(tasks) { task, worker in
                tally.add(task)
                _ = workers.withLock { $0.insert(worker) }
            }
            #expect(tally.all.allSatisfy { $0 == 1 })
            #expect(workers.withLock { $0.isSubset(of: Set(0..<threads)) })
        }
    }

    @Test("tasks begun ahead are done once each, beside runs and whenever they are asked for", arguments: sizes)
    func aheadOnce(threads: Int) {
        let pool = ThreadPool(threads: threads)
        for round in 0..<50 {
            let (first, second) = (Tally(round), Tally(5))
            let begun = pool.begin(round) { task, _ in first.add(task) }
            let later = pool.begin(5) { task, _ in second.add(task) }
            for run in 0..<round % 4 {
                let tally = Tally(run * 3)
                pool.run(run * 3) { task, _ in tally.add(task) }
                #expect(tally.all.allSatisfy { $0 == 1 })
            }
            later.finish()
            begun.finish()
            #expect(first.all.allSatisfy { $0 == 1 } && second.all.allSatisfy { $0 == 1 })
            begun.finish()
            #expect(first.all.allSatisfy { $0 == 1 })
        }
    }

    @Test("no worker does two tasks at a time, so that scratch memory by worker is its own", arguments: sizes)
    func workersAreExclusive(threads: Int) {
        let pool = ThreadPool(threads: threads)
        let busy = Mutex<Set<Int>>([])
        let clashes = Tally(1)
        @Sendable func work(_ worker: Int) {
            if !busy.withLock({ $0.insert(worker).inserted }) { clashes.add(0) }
            sched_yield()
            _ = busy.withLock { $0.remove(worker) }
        }
        for _ in 0..<20 {
            let begun = pool.begin(20) { _, worker in work(worker) }
            pool.run(20) { _, worker in work(worker) }
            begun.finish()
        }
        #expect(clashes.all == [0])
    }

    @Test("a free thread does what was begun while the caller is busy with a run")
    func runsAhead() {
        let pool = ThreadPool(threads: 2)
        let (running, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let begun = pool.begin(1) { _, worker in
            if worker == 1 && passes(running) { done.signal() }
        }
        pool.run(1) { _, _ in
            running.signal()
            #expect(passes(done), "only the other thread can have done it")
        }
        begun.finish()
    }

    @Test("a run goes on without a thread that is held up by what was begun")
    func runsDoNotWaitForAhead() {
        let pool = ThreadPool(threads: 2)
        let (holding, release) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let begun = pool.begin(1) { _, _ in
            holding.signal()
            _ = passes(release)
        }
        #expect(passes(holding))
        let tally = Tally(100)
        pool.run(100) { task, _ in tally.add(task) }
        #expect(tally.all.allSatisfy { $0 == 1 })
        release.signal()
        begun.finish()
    }

    @Test("with one thread, what was begun is done when it is asked for")
    func oneThread() {
        let pool = ThreadPool(threads: 1)
        let tally = Tally(3)
        let begun = pool.begin(3) { task, _ in tally.add(task) }
        pool.run(2) { _, _ in }
        #expect(tally.all == [0, 0, 0])
        begun.finish()
        #expect(tally.all == [1, 1, 1])
    }

    @Test("what is given up is not done later, and what runs meanwhile is waited for", arguments: sizes)
    func cancels(threads: Int) {
        let pool = ThreadPool(threads: threads)
        for _ in 0..<50 {
            let tally = Tally(100)
            let begun = pool.begin(100) { task, _ in tally.add(task) }
            begun.cancel()
            let done = tally.all
            #expect(done.allSatisfy { $0 <= 1 })
            pool.run(100) { _, _ in }
            begun.finish()
            #expect(tally.all == done)
        }
    }

    @Test("a run inside a run's task is refused")
    func nestedRuns() async {
        await #expect(processExitsWith: .failure) {
            let pool = ThreadPool(threads: 1)
            pool.run(1) { _, _ in pool.run(1) { _, _ in } }
        }
    }
}
