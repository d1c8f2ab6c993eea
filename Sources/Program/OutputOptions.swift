import ArgumentParser
import Basics

/// What every command with an --out has beside it.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Replace a file at --out that is of another kind; one that the command reads is never replaced.")
    var force = false

    /// The output of a command, looked at before anything else is done.
    func destination(
        _ path: String, _ content: Destination.Content, inputs: [String?]
    ) throws -> Destination {
        try Destination(path, content, inputs: inputs.compactMap { $0 }, force: force)
    }
}
