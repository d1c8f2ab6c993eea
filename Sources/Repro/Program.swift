import ArgumentParser
import Foundation

/// The program: parses the command line, runs one command and turns its errors into a message and an exit code.
@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repro",
        abstract: "Reproduce, score and audit the RSNA 2019 intracranial hemorrhage competition.",
        version: programVersion,
        subcommands: [
            CatalogCommand.self,
            DemoDataCommand.self,
            FingerprintCommand.self,
            UnpackCommand.self,
        ])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("repro: error: \(failure.message)\n".utf8))
            Foundation.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// The version that is recorded with every stage; a stage made by another version is made again.
let programVersion = "0.1.0"
