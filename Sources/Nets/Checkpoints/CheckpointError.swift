import Basics

/// Why a checkpoint was not read: what is wrong, where, and what kind of fault it is.
///
/// It knows no file name, because Nets reads bytes: whoever opened the file puts the name in front.
public struct CheckpointError: Error, Equatable, CustomStringConvertible {
    /// What kind of fault it is.
    public enum Fault: Sendable {
        /// The file ends before its contents do, usually an interrupted copy or download.
        case truncated
        /// The file contradicts itself or its format.
        case malformed
        /// The file asks for something that could do harm, which was not done.
        case refused
        /// The file is sound, but of a kind that is not read here.
        case unsupported
    }

    /// What kind of fault it is.
    public let fault: Fault
    /// The place in the file: a byte, a part of the container or a tensor.
    public let place: String
    /// What is wrong there, what was expected, and what to do where that can be said.
    public let problem: String

    init(_ fault: Fault, at place: some CustomStringConvertible, _ problem: String) {
        (self.fault, self.place, self.problem) = (fault, place.description, problem)
    }

    /// The place and the problem, in one line.
    public var description: String { "\(place): \(problem)" }
}

extension CheckpointError: DescribedError {
    package var status: ExitStatus { .badInput }
}
