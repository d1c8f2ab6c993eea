import ArgumentParser
import Basics
import Foundation
import Repro

/// The program: parses the command line, runs one command and turns its errors into a message and an exit code.
@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repro",
        abstract: "Reproduce, score and audit the RSNA 2019 intracranial hemorrhage competition.",
        version: programVersion,
        subcommands: [
            AuditCommand.self,
            BenchCommand.self,
            BlendCommand.self,
            CatalogCommand.self,
            DemoDataCommand.self,
            DiffCommand.self,
            ExportCommand.self,
            FingerprintCommand.self,
            ImportPredictionsCommand.self,
            PlanCommand.self,
            PostprocessCommand.self,
            PredictCommand.self,
            RecipesCommand.self,
            ReproduceCommand.self,
            ScoreCommand.self,
            ShowCommand.self,
            TrainCommand.self,
            UnpackCommand.self,
            VerifyCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try run(&command)
        } catch {
            // The command line itself, --help and --version: ArgumentParser knows what to print and how to end.
            exit(withError: error)
        }
    }

    /// Runs a command; an error of ours or of a library ends the program with the exit code that fits.
    private static func run(_ command: inout any ParsableCommand) throws {
        do {
            try command.run()
        } catch let error where error is ExitCode || [.success, .validationFailure].contains(exitCode(for: error)) {
            // Help that was asked for, and a command line whose parts do not fit: ArgumentParser's, as in main().
            throw error
        } catch {
            let failure = Failure(describing: error)
            Console.log("repro: error: \(failure.message)")
            Foundation.exit(failure.status.rawValue)
        }
    }
}
