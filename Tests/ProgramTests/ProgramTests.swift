import Foundation
import Testing

@testable import Basics
@testable import TestSupport

@Suite("program")
struct ProgramTests {
    @Test(
        "help and version are printed to stdout with exit code 0",
        arguments: [["--help"], ["help", "score"], ["score", "--help"], ["--version"], []])
    func help(arguments: [String]) throws {
        let run = try ProgramRun(arguments)
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(run.output.contains(arguments == ["--version"] ? programVersion : "USAGE: repro"))
    }

    @Test(
        "a command line that is not understood is bad usage",
        arguments: [["scores"], ["score"], ["score", "a", "--clip", "x"]])
    func badUsage(arguments: [String]) throws {
        let run = try ProgramRun(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("Usage: repro"))
    }

    @Test(
        "a misspelt option is named with the nearest one, also where another is missing",
        arguments: [
            (["score", "a", "--truht", "t"], "there is no option '--truht'. Did you mean '--truth'?"),
            (["catalog", "--inptu", "a", "--work", "b"], "there is no option '--inptu'. Did you mean '--input'?"),
            (["catalog", "export", "--wrok", "a"], "there is no option '--wrok'. Did you mean '--work'?"),
            (["help", "scroe"], "there is no command 'scroe'. Did you mean 'score'?"),
        ])
    func misspelt(arguments: [String], message: String) throws {
        let run = try ProgramRun(arguments)
        #expect(run.status == 64 && run.output.isEmpty)
        #expect(run.errors.hasPrefix("repro: error: \(message)"), "\(run.errors)")
    }

    @Test("a configuration of OpenSSL in which SHA-256 is not to be had changes no hash")
    func openSSLConfiguration() throws {
        let folder = try TableFolder([
            "data": "abc",
            "openssl.cnf": """
            openssl_conf = all
            [all]
            providers = providers
            alg_section = algorithms
            [providers]
            legacy = legacy
            [legacy]
            activate = 1
            [algorithms]
            default_properties = fips=yes
            """,
        ])
        let run = try ProgramRun(
            ["fingerprint", folder["data"]], environment: ["OPENSSL_CONF": folder["openssl.cnf"]])
        #expect(run.status == 0)
        #expect(run.output.contains("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
    }

    @Test("a shell completes the names of files wherever one is taken")
    func completion() throws {
        struct Help: Decodable {
            struct Kind: Decodable {}
            struct Argument: Decodable {
                let valueName: String
                let kind: String
                let completionKind: Kind?
            }
            struct Command: Decodable {
                let commandName: String
                let arguments: [Argument]?
                let subcommands: [Command]?
            }
            let command: Command
        }
        func arguments(of command: Help.Command) -> [Help.Argument] {
            (command.arguments ?? []) + (command.subcommands ?? []).flatMap(arguments)
        }
        let help = try JSONDecoder().decode(
            Help.self, from: Data(ProgramRun("--experimental-dump-help").output.utf8))
        let paths = [
            "archive", "csv", "dir", "dir-or-archive", "file", "file-or-dir", "hash or file", "manifest", "png",
            "recipe",
        ]
        let taken = arguments(of: help.command).filter { $0.kind != "flag" && paths.contains($0.valueName) }
        #expect(taken.count >= 40)
        #expect(taken.allSatisfy { $0.completionKind != nil })
    }
}
