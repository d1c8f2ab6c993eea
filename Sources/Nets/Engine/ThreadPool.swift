import Basics
import Foundation
import Synchronization

/// A fixed set of threads that share numbered tasks; who runs a task never shows in its result.
///
/// Make one and give it to a ``Trainer`` or ``Predictor``.
///
/// `run` is for work that is needed now. The calling thread takes part, so a pool of 1 starts no thread. One `run` at a time: the
/// pool belongs to whoever drives the network, and a task may not call it.
///
/// `begin` is for work that is needed later: a thread that finds no task of a run to take does some of it meanwhile. Threads with
/// nothing to do spin for a moment and then sleep.
public final class ThreadPool: Sendable {
    /// How many threads work, the calling one among them.
    public let threads: Int
    private let shared = Shared()
    private let running = Atomic<Bool>(false)

    /// Starts the threads.
    ///
    /// - Parameter threads: at least 1.
    public init(threads: Int) {
        self.threads = max(1, threads)
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
    package func run(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        precondition(!running.exchange(true, ordering: .acquiring), "a pool's task cannot run tasks on the same pool")
        defer { running.store(false, ordering: .releasing) }
        if threads == 1 || tasks <= 1 {
            for task in 0..<tasks { body(task, 0) }
            return
        }
        withoutActuallyEscaping(body) { body in
            let list = shared.current
            list.publish(tasks, body)
            shared.wakeAll()
            while list.runOne(as: 0) {}
            list.wait()
            list.clear()
        }
    }

    /// Has `body(task, worker)` called once for every task in `0..<tasks` by threads that have nothing else to do.
    ///
    /// Nothing is certain to be done before ``AheadTasks/finish()``; in a pool of 1 everything is done there. The same rules
    /// hold as for `run`, beside which the tasks run.
    func begin(_ tasks: Int, _ body: @escaping @Sendable (_ task: Int, _ worker: Int) -> Void) -> AheadTasks {
        let list = TaskList()
        list.publish(tasks, body)
        if threads > 1 { shared.add(list) }
        return AheadTasks(list: list)
    }

    /// What the threads share.
    private final class Shared: Sendable {
        /// The tasks of the current run.
        let current = TaskList()
        /// What was begun and has, or had a moment ago, tasks to take; the first one first.
        private let ahead = Mutex<[TaskList]>([])
        /// How many of these there are, to see at a glance.
        private let aheadCount = Atomic<Int>(0)
        private let stopping = Atomic<Bool>(false)
        private let wake = NSCondition()

        func add(_ list: TaskList) {
            ahead.withLock {
                $0.append(list)
                aheadCount.store($0.count, ordering: .releasing)
            }
            wakeAll()
        }

        func work(as worker: Int) {
            while !isStopping {
                if current.runOne(as: worker) || runAhead(as: worker) || Spin.until({ self.hasWork }) { continue }
                wake.lock()
                while !hasWork { wake.wait() }
                wake.unlock()
            }
        }

        func stop() {
            stopping.store(true, ordering: .releasing)
            wakeAll()
        }

        /// Under the lock, so that a thread which has just looked for work in vain sleeps before, or sees it.
        func wakeAll() {
            wake.lock()
            wake.broadcast()
            wake.unlock()
        }

        private var isStopping: Bool { stopping.load(ordering: .acquiring) }

        private var hasWork: Bool {
            current.isOpen || aheadCount.load(ordering: .acquiring) > 0 || isStopping
        }

        private func runAhead(as worker: Int) -> Bool {
            guard aheadCount.load(ordering: .acquiring) > 0 else { return false }
            let first = ahead.withLock {
                $0.removeAll { !$0.isOpen }
                aheadCount.store($0.count, ordering: .releasing)
                return $0.first
            }
            return first?.runOne(as: worker) ?? false
        }
    }
}

/// Tasks that a pool does ahead of the time at which they are needed.
struct AheadTasks: Sendable {
    fileprivate let list: TaskList

    /// Does what is left, together with the pool's free threads, and returns when all is done; for the thread that drives the pool.
    func finish() {
        while list.runOne(as: 0) {}
        list.wait()
    }

    /// Gives up what has not been begun, and returns when nothing of it runs any more.
    func cancel() {
        list.drop()
        list.wait()
    }
}
