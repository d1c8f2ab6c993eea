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

    /// A loss, gradient, statistic, weight or output that is no finite number: says which and when.
    case diverged(String)
    /// A batch that does not fit the memory: says how much there is and what fits.
    case memory(String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .instructionSet(let text), .missingLibrary(let text), .weights(let text), .resume(let text),
            .diverged(let text),
            .memory(let text):
            text
        }
    }
}

extension NetsError: DescribedError {
    package var status: ExitStatus {
        if case .memory = self { .badUsage } else { .badInput }
    }
}
