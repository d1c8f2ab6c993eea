import Basics
import Dispatch
import Foundation
import Repro

/// Ends the program on Ctrl-C or a polite kill with a word on how to go on.
///
/// Nothing needs saving: every file in a work directory is whole or absent at any moment.
package enum Interruption {
    /// - Parameters:
    ///   - message: what to tell the user; the process then ends with 128 + the signal's number, as shells expect.
    ///   - temporary: a file that is removed, should it be there.
    package static func explain(_ message: String, removing temporary: String? = nil) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
            source.setEventHandler {
                if let temporary { unlink(temporary) }
                Console.log("\nrepro: interrupted. \(message)")
                _exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}
