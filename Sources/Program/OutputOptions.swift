import ArgumentParser
import Basics

/// What every command with an --out has beside it.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Replace a file at --out that is of another kind; one that the command reads is never replaced.")
    var force = false

    /// The output of a command, looked at before anything else is done.
    ///
    /// - Parameter json: whether a report goes to standard output, which then cannot be the result's.
    func destination(
        _ path: String, _ content: Destination.Content, inputs: [String?], json: Bool = false
    ) throws -> Destination {
        let destination = try Destination(path, content, inputs: inputs.compactMap { $0 }, force: force)
        guard !json || !destination.isStandardOutput else {
            throw Failure(
                .badUsage,
                "--json prints to standard output, and so does --out \(path). Give --out a file, or leave out --json.")
        }
        return destination
    }
}
