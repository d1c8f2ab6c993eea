import Basics
import Foundation

extension Failure {
    /// Any error as a message for the user and an exit code; what nobody foresaw is a bug and says so.
    init(describing error: any Error) {
        switch error {
        case let error as any DescribedError:
            self.init(error.status, error.description)
        case let error as CocoaError:
            self.init(.inputOutput, Self.describe(error))
        case let error as POSIXError:
            self.init(.inputOutput, error.localizedDescription)
        default:
            self.init(
                .bug,
                "this is a bug in repro \(programVersion), please report it with the command that you ran: \(error)")
        }
    }

    private static func describe(_ error: CocoaError) -> String {
        let reason = (error.underlying as? POSIXError)?.localizedDescription ?? error.localizedDescription
        guard let path = error.filePath else { return reason }
        return "\(path): \(reason)"
    }
}
