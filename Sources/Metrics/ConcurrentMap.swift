import Dispatch
import Foundation

/// Calls `body` for 0..<count on all processors and returns the results in order.
///
/// For pure work in pieces: each result depends on its number alone, so neither the number of processors nor their timing can
/// show in what is made of them.
public func concurrentMap<Result: Sendable>(_ count: Int, _ body: @Sendable (Int) -> Result) -> [Result] {
    guard count > 1 else { return (0..<count).map(body) }
    var results = [Result?](repeating: nil, count: count)
    results.withUnsafeMutableBufferPointer { buffer in
        // Every call writes its own element, and nothing is read before the last call is done.
        nonisolated(unsafe) let buffer = buffer
        DispatchQueue.concurrentPerform(iterations: count) { buffer[$0] = body($0) }
    }
    return results.compactMap { $0 }
}

/// Makes an array piece by piece on all processors.
///
/// - Parameter initialize: Initializes the elements with these numbers, which the buffer holds; it is called for every piece once.
public func concurrentArray<Element>(
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

/// Runs `body` here and `other` on another thread at the same time, and returns what both give.
public func alongside<Other: Sendable, Result>(
    _ other: @escaping @Sendable () -> Other, run body: () -> Result
) -> (Result, Other) {
    let group = DispatchGroup()
    // Written once, before the wait for the group ends, and read after it.
    nonisolated(unsafe) var found: Other?
    DispatchQueue.global().async(group: group) { found = other() }
    let result = body()
    group.wait()
    guard let found else { preconditionFailure("a group was left before its work was done") }
    return (result, found)
}
