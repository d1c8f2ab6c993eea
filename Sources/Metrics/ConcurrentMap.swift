import Dispatch

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
