/// How the program ends, as its exit code; the values follow `sysexits.h` where it has one.
package enum ExitStatus: Int32, Sendable {
    case done = 0
    /// A check that the user asked for failed: verify, audit, golden.
    case checkFailed = 1
    case badUsage = 64
    case badInput = 65
    case inputMissing = 66
    case bug = 70
    case inputOutput = 74
}

/// An error whose description is for the user, and which says how the program ends because of it.
package protocol DescribedError: Error, CustomStringConvertible {
    var status: ExitStatus { get }
}

/// An error that ends a command: what went wrong, in words a user can act on, and the exit code.
///
/// The message names the file, the place in it, what was expected and what to do.
package struct Failure: DescribedError, Sendable {
    package let status: ExitStatus
    package let message: String

    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { message }
}
