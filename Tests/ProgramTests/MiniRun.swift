import Foundation
import Testing

@testable import Basics
@testable import Repro
@testable import TestSupport

/// The recipe `mini` reproduced from nothing by the program, once for all tests that only look at what a run leaves.
enum MiniRun {
    /// The work directory of the one run, which nobody may change.
    static let shared: Result<TableFolder, any Error> = Result {
        let files = try TableFolder()
        let run = try reproduce(files.path)
        guard run.status == 0 else { throw Failure(.checkFailed, run.errors) }
        // Nobody lets go of what is shared.
        atexit { if let files = try? MiniRun.shared.get() { try? FileManager.default.removeItem(atPath: files.path) } }
        return files
    }

    /// - Parameter environment: what is added to the tests' own.
    static func reproduce(
        _ work: String, _ options: String..., environment: [String: String] = [:]
    ) throws -> ProgramRun {
        try ProgramRun(
            ["reproduce", "--recipe", "mini", "--work", work, "--quiet", "--json"] + options, environment: environment)
    }

    static func record(in work: String) throws -> RunRecord {
        try #require(try RunRecord.load(from: work))
    }

    static func hashes(in work: String) throws -> [String: String] {
        try record(in: work).stages.mapValues(\.hash)
    }
}
