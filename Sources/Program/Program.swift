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
        requireText()
        let arguments = negativeNumbersJoined(Array(CommandLine.arguments.dropFirst()))
        do {
            var command = try parseAsRoot(arguments)
            try run(&command)
        } catch {
            // The command line itself, --help and --version: ArgumentParser knows what to say and how to end.
            let code = exitCode(for: error)
            let message = fullMessage(for: error)
            if code == .success, unknownCommand() == nil {
                if !message.isEmpty { Console.result(message) }
                Foundation.exit(0)
            }
            guard !message.isEmpty else { exit(withError: error) }
            let prefix = "Error: "
            let said = message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : message
            Console.log("repro: error: \(unknownCommand() ?? unknownOption(in: arguments) ?? said)")
            Foundation.exit(code == .success ? ExitStatus.badUsage.rawValue : code.rawValue)
        }
    }

    /// Ends the program with 64 if an argument is empty or no text: Swift would make another name of it, and so another file.
    private static func requireText() {
        for number in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[number] else { continue }
            let problem: String
            if argument.pointee == 0 {
                problem = "is empty. Is a variable of the shell not set?"
            } else if String(validatingCString: argument) == nil {
                let shown = String(path: UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
                problem = "'\(shown)', is not UTF-8. Rename the file, or give the folder that it is in."
            } else {
                continue
            }
            Console.log("repro: error: argument \(number) \(problem)")
            Foundation.exit(ExitStatus.badUsage.rawValue)
        }
    }

    /// The arguments with an option and the negative number after it, or several with commas, as one: a number is no option, and it
    /// is for the command to say that it is out of range.
    private static func negativeNumbersJoined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        for argument in arguments {
            let isNumber = argument.split(separator: ",", omittingEmptySubsequences: false).allSatisfy {
                Double($0) != nil
            }
            if argument.hasPrefix("-"), isNumber, let option = joined.last, option.hasPrefix("--"),
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
        let arguments = CommandLine.arguments.dropFirst()
        guard let name = arguments.first == "help" ? arguments.dropFirst().first : arguments.first,
            !name.hasPrefix("-"), !names.contains(name)
        else { return nil }
        let meant = nearestWord(to: name, in: names).map { " Did you mean '\($0)'?" } ?? ""
        return "there is no command '\(name)'.\(meant) See 'repro --help' for the commands.\nUsage: repro <subcommand>"
    }

    /// An option that the command does not have: a missing one may be a misspelt one. nil if all are known.
    private static func unknownOption(in arguments: [String]) -> String? {
        var command: any ParsableCommand.Type = Program.self
        for argument in arguments {
            let subcommand = command.configuration.subcommands.first { $0._commandName == argument }
            guard let subcommand else { break }
            command = subcommand
        }
        command = command.configuration.defaultSubcommand ?? command
        let help = helpMessage(for: command, includeHidden: true)
        let names = help.matches(of: /--[a-z][a-z0-9-]*/).map { String($0.output) }
        let given = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("--") }.map { $0.prefix { $0 != "=" } }
        guard let unknown = given.first(where: { !names.contains(String($0)) }) else { return nil }
        let meant = nearestWord(to: String(unknown), in: names).map { " Did you mean '\($0)'?" } ?? ""
        return "there is no option '\(unknown)'.\(meant)\nUsage: \(usageString(for: command))"
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
