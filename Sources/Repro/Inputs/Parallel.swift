import Dispatch
import Synchronization

/// Runs `body` for 0..<count on the given number of threads and returns the results in order.
///
/// For coarse work such as reading files: threads take the next index one at a time, so results depend on nothing but the index.
func mapInParallel<Result: Sendable>(
    count: Int, threads: Int, _ body: @Sendable (Int) -> Result
) -> [Result] {
    let next = Mutex(0)
    let results = Mutex([Result?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, count))) { _ in
        while let index = next.withLock({ next -> Int? in
            guard next < count else { return nil }
            defer { next += 1 }
            return next
        }) {
            let result = body(index)
            results.withLock { $0[index] = result }
        }
    }
    return results.withLock { $0.compactMap { $0 } }
}
