import Basics

/// Why a network cannot be built, loaded or run.
public enum NetsError: Error, Sendable, CustomStringConvertible {
    /// An instruction set that does not exist or that this CPU lacks.
    case instructionSet(String)
    /// A library that is not installed: says which and how to get it.
    case missingLibrary(String)
    /// Weights that do not fit the backbone: names what is missing, extra or of another shape.
    case weights(String)
    /// A training state that belongs to another run.
    case resume(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .instructionSet(let text), .missingLibrary(let text), .weights(let text), .resume(let text): text
        }
    }
}

extension NetsError: DescribedError {
    package var status: ExitStatus { .badInput }
}
