import Basics
import Foundation
import Synchronization

/// Numbered tasks that any number of threads take one by one until none is left.
///
/// `left` counts the tasks that nobody has taken, `unfinished` those whose end nobody has seen. Whoever lowers `left` has taken a
/// task, and until that task is finished nothing else is published here: so a taken task's `body` is there to be read.
final class TaskList: @unchecked Sendable {
    private let left = Atomic<Int>(0)
    private let unfinished = Atomic<Int>(0)
    private let finished = NSCondition()
    private var count = 0
    private var body: ((_ task: Int, _ worker: Int) -> Void)?

    /// Offers `count` tasks; what was published before must be finished.
    func publish(_ count: Int, _ body: @escaping (_ task: Int, _ worker: Int) -> Void) {
        self.count = count
        self.body = body
        unfinished.store(count, ordering: .relaxed)
        left.store(count, ordering: .releasing)
    }

    /// Lets go of what the tasks hold, once they are finished.
    func clear() { body = nil }

    var isOpen: Bool { left.load(ordering: .acquiring) > 0 }

    /// Takes a task and runs it; false if there is none to take.
    func runOne(as worker: Int) -> Bool {
        var found = left.load(ordering: .relaxed)
        while found > 0 {
            let attempt = left.weakCompareExchange(
                expected: found, desired: found - 1, successOrdering: .acquiring, failureOrdering: .relaxed)
            if attempt.exchanged {
                perform(count - found, worker)
                finish(1)
                return true
            }
            found = attempt.original
        }
        return false
    }

    /// Takes back what nobody has begun.
    func drop() {
        let dropped = left.exchange(0, ordering: .relaxed)
        if dropped > 0 { finish(dropped) }
    }

    /// Returns when all tasks are finished.
    func wait() {
        if Spin.until({ self.isFinished }) { return }
        finished.lock()
        while !isFinished { finished.wait() }
        finished.unlock()
    }

    private var isFinished: Bool { unfinished.load(ordering: .acquiring) == 0 }

    private func finish(_ tasks: Int) {
        guard unfinished.subtract(tasks, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        finished.lock()
        finished.broadcast()
        finished.unlock()
    }

    /// Not inlined, so that the closure is let go of before the task counts as finished.
    @inline(never)
    private func perform(_ task: Int, _ worker: Int) { body?(task, worker) }
}

/// Waiting a short while for something that is about to happen, before it is worth sleeping.
enum Spin {
    /// False if the condition did not come true in that while.
    static func until(_ condition: () -> Bool) -> Bool {
        for round in 0..<2000 {
            if condition() { return true }
            if round > 1000 { sched_yield() }
        }
        return false
    }
}
