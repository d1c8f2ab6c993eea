import Dispatch
import Synchronization

/// Runs `body` for 0..<count on the given number of threads and returns the results in order.
///
/// For coarse work such as reading files: threads take the next index one at a time, so results depend on nothing but the index.
func mapInParallel<Result: Sendable>(
    count: Int, threads: Int, _ body: @Sendable (Int) -> Result
) -> [Result] {
    mapInParallel(count: count, threads: threads, workspace: { _ in }) { index, _ in body(index) }
}

/// The same with something that each thread makes for itself once and uses for all its indices, buffers for instance.
///
/// - Parameter workspace: gets the thread's number, from 0.
func mapInParallel<Workspace, Result: Sendable>(
    count: Int, threads: Int, workspace: @Sendable (Int) -> Workspace, _ body: @Sendable (Int, Workspace) -> Result
) -> [Result] {
    let next = Mutex(0)
    let results = Mutex([Result?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { thread in
        let own = workspace(thread)
        while let index = next.withLock({ next -> Int? in
            guard next < count else { return nil }
            defer { next += 1 }
            return next
        }) {
            let result = body(index, own)
            results.withLock { $0[index] = result }
        }
    }
    return results.withLock { $0.compactMap { $0 } }
}

/// Work that goes on beside the caller's until its result is asked for.
final class Background<Value: Sendable>: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let result = Mutex<Value?>(nil)

    /// Starts at once.
    init(_ work: @escaping @Sendable () -> Value) {
        DispatchQueue.global().async { [self] in
            let value = work()
            result.withLock { $0 = value }
            done.signal()
        }
    }

    /// Waits for the end of the work.
    func value() -> Value {
        while true {
            if let value = result.withLock({ $0 }) { return value }
            done.wait()
        }
    }
}
