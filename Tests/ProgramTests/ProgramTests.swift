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
}
