import Dispatch
import Foundation
import Synchronization

/// Calls `body` for 0..<count on some threads and returns the results in order.
///
/// Threads take the next number one at a time. A result depends on its number alone, so neither the number of threads nor their
/// timing can show in what is made of them.
///
/// - Parameter threads: how many work at most; as many as processors if left out.
package func concurrentMap<Result: Sendable>(
    _ count: Int, threads: Int = Machine.availableProcessors, _ body: @Sendable (Int) -> Result
) -> [Result] {
    concurrentMap(count, threads: threads, workspace: { _ in }) { index, _ in body(index) }
}

/// The same with something that each thread makes for itself once and uses for all its numbers, buffers for instance.
///
/// - Parameter workspace: gets the thread's number, from 0.
package func concurrentMap<Workspace, Result: Sendable>(
    _ count: Int, threads: Int = Machine.availableProcessors, workspace: @Sendable (Int) -> Workspace,
    _ body: @Sendable (Int, Workspace) -> Result
) -> [Result] {
    let next = Atomic(0)
    var results = [Result?](repeating: nil, count: count)
    results.withUnsafeMutableBufferPointer { buffer in
        // Every call writes its own element, and nothing is read before the last call is done.
        nonisolated(unsafe) let buffer = buffer
        @Sendable func work(_ thread: Int) {
            let own = workspace(thread)
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                buffer[index] = body(index, own)
            }
        }
        let workers = max(1, min(threads, count))
        if workers == 1 { work(0) } else { DispatchQueue.concurrentPerform(iterations: workers, execute: work) }
    }
    return results.compactMap { $0 }
}

/// Makes an array piece by piece on all processors.
///
/// - Parameter initialize: Initializes the elements with these numbers, which the buffer holds; it is called for every piece once.
package func concurrentArray<Element>(
    _ count: Int, pieceSize: Int = 1 << 15,
    initialize: @Sendable (_ numbers: Range<Int>, _ elements: UnsafeMutableBufferPointer<Element>) -> Void
) -> [Element] {
    Array(unsafeUninitializedCapacity: count) { buffer, initialized in
        #if os(Linux)
            // A large array in few large pages: quicker to get, and quicker to reach in any order.
            let hugePage = 1 << 21
            if let base = buffer.baseAddress, count * MemoryLayout<Element>.stride >= 4 * hugePage {
                let start = UnsafeMutableRawPointer(base).alignedUp(toMultipleOf: hugePage)
                let end = UnsafeMutableRawPointer(base + count).alignedDown(toMultipleOf: hugePage)
                madvise(start, end - start, Int32(MADV_HUGEPAGE))
            }
        #endif
        // Every call has elements of its own.
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: (count + pieceSize - 1) / pieceSize) { piece in
            let numbers = piece * pieceSize..<min((piece + 1) * pieceSize, count)
            initialize(numbers, UnsafeMutableBufferPointer(rebasing: buffer[numbers]))
        }
        initialized = count
    }
}
