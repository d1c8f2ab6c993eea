import Foundation
import Synchronization

/// A fixed set of threads that share numbered tasks; who runs a task never shows in its result.
///
/// The calling thread works too, so a pool of 1 starts no thread. One `run` at a time: the pool belongs to whoever drives
/// the network. Between two runs the threads spin for a moment and then sleep.
public final class ThreadPool: Sendable {
    public let threads: Int
    private let shared = Shared()

    /// - Parameter threads: at least 1.
    public init(threads: Int) {
        self.threads = max(1, threads)
        shared.workers = self.threads - 1
        for worker in 1..<self.threads {
            let shared = shared
            let thread = Thread { shared.work(as: worker) }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    deinit { shared.stop() }

    /// Calls `body(task, worker)` once for every task in `0..<tasks` and returns when all are done.
    ///
    /// Tasks run at the same time and must write to disjoint memory; `worker` is in `0..<threads` and names scratch memory.
    public func run(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        if threads == 1 || tasks <= 1 {
            for task in 0..<tasks { body(task, 0) }
            return
        }
        withoutActuallyEscaping(body) { shared.run(tasks, $0) }
    }

    /// What the threads share. A run publishes its job by raising `generation`; every worker takes tasks from `next` until
    /// none is left and then lowers `active`, which the caller waits for: so `job` is only written while nobody reads it.
    private final class Shared: @unchecked Sendable {
        let generation = Atomic<Int>(0)
        let next = Atomic<Int>(0)
        let active = Atomic<Int>(0)
        let stopping = Atomic<Bool>(false)
        let wake = NSCondition()
        let finished = NSCondition()
        var workers = 0
        var tasks = 0
        var job: ((Int, Int) -> Void)?

        func run(_ tasks: Int, _ body: @escaping (Int, Int) -> Void) {
            self.tasks = tasks
            job = body
            next.store(0, ordering: .relaxed)
            active.store(workers, ordering: .relaxed)
            wake.lock()
            generation.add(1, ordering: .releasing)
            wake.broadcast()
            wake.unlock()
            take(as: 0)
            if !spin({ self.active.load(ordering: .acquiring) == 0 }) {
                finished.lock()
                while active.load(ordering: .acquiring) != 0 { finished.wait() }
                finished.unlock()
            }
            job = nil
        }

        func work(as worker: Int) {
            var seen = 0
            while true {
                if !spin({ self.generation.load(ordering: .acquiring) != seen }) {
                    wake.lock()
                    while generation.load(ordering: .acquiring) == seen { wake.wait() }
                    wake.unlock()
                }
                seen += 1
                if stopping.load(ordering: .acquiring) { return }
                take(as: worker)
                if active.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                    finished.lock()
                    finished.signal()
                    finished.unlock()
                }
            }
        }

        func stop() {
            stopping.store(true, ordering: .releasing)
            wake.lock()
            generation.add(1, ordering: .releasing)
            wake.broadcast()
            wake.unlock()
        }

        private func take(as worker: Int) {
            guard let job else { return }
            while true {
                let task = next.add(1, ordering: .relaxed).oldValue
                if task >= tasks { return }
                job(task, worker)
            }
        }

        /// Waits a short while for a condition that is about to come true; false: it is worth sleeping.
        private func spin(_ condition: () -> Bool) -> Bool {
            for round in 0..<2000 {
                if condition() { return true }
                if round > 1000 { sched_yield() }
            }
            return false
        }
    }
}
