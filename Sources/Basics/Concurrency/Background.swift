import Dispatch
import Synchronization

/// Work that goes on beside the caller's until its result is asked for.
package final class Background<Value: Sendable>: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let result = Mutex<Value?>(nil)

    /// Starts at once.
    package init(_ work: @escaping @Sendable () -> Value) {
        DispatchQueue.global().async { [self] in
            let value = work()
            result.withLock { $0 = value }
            done.signal()
        }
    }

    /// Waits for the end of the work.
    package func value() -> Value {
        while true {
            if let value = result.withLock({ $0 }) { return value }
            done.wait()
        }
    }
}

/// Runs `body` here and `other` on another thread at the same time, and returns what both give.
package func alongside<Other: Sendable, Result>(
    _ other: @escaping @Sendable () -> Other, run body: () -> Result
) -> (Result, Other) {
    let background = Background(other)
    let result = body()
    return (result, background.value())
}
