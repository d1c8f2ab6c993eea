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
        Console.begin()
        do {
            var command = try parseAsRoot(negativeNumbersJoined(Array(CommandLine.arguments.dropFirst())))
            try run(&command)
        } catch {
            // The command line itself, --help and --version: ArgumentParser knows what to say and how to end.
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            guard code != .success, !message.isEmpty else { exit(withError: error) }
            let prefix = "Error: "
            let said = message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
            Console.log("repro: error: \(unknownCommand() ?? said)")
            Foundation.exit(code.rawValue)
        }
    }

    /// The arguments with an option and the negative number after it as one: a number is no option, and it is for the command to
    /// say that it is out of range.
    private static func negativeNumbersJoined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        for argument in arguments {
            if argument.hasPrefix("-"), Double(argument) != nil, let option = joined.last, option.hasPrefix("--"),
                option.count > 2, !option.contains("=")
            {
                joined[joined.count - 1] = "\(option)=\(argument)"
            } else {
                joined.append(argument)
            }
        }
        return joined
    }

    /// What is wrong with the command's name; nil if there is such a command.
    private static func unknownCommand() -> String? {
        let names = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
        guard let name = CommandLine.arguments.dropFirst().first, !name.hasPrefix("-"), !names.contains(name) else {
            return nil
        }
        let meant = nearestWord(to: name, in: names).map { " Did you mean '\($0)'?" } ?? ""
        return "there is no command '\(name)'.\(meant) See 'repro --help' for the commands.\nUsage: repro <subcommand>"
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
