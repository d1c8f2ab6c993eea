import Foundation

/// One run of the built program: its exit code and what it printed.
struct ProgramRun {
    let status: Int32
    let output: String
    let errors: String

    /// Runs `repro` as a user would; the executable lies beside the test bundle.
    init(_ arguments: String..., input: String = "") throws {
        try self.init(arguments, input: input)
    }

    /// A process of the program that is not started yet.
    static func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = Bundle.main.bundleURL.appendingPathComponent("repro")
        process.arguments = arguments
        return process
    }

    /// - Parameters:
    ///   - environment: what is added to the tests' own.
    ///   - folder: The working directory, if another than the tests'.
    init(
        _ arguments: [String], input: String = "", environment: [String: String] = [:], in folder: String? = nil
    ) throws {
        let process = Self.process(arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (stdin, stdout, stderr)
        try process.run()
        // The tests' inputs and outputs fit a pipe's buffer, so no side waits for the other.
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        output = String(decoding: try stdout.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        errors = String(decoding: try stderr.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        status = process.terminationStatus
    }
}

/// A folder of small files that is removed with the last reference to it.
final class TableFolder: Sendable {
    let path: String

    init(_ files: [String: String] = [:]) throws {
        path = NSTemporaryDirectory() + "repro-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: self[name])) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    subscript(name: String) -> String { "\(path)/\(name)" }

    func text(_ name: String) throws -> String { try String(contentsOfFile: self[name], encoding: .utf8) }
}

/// Rows of the tables that the commands take.
enum TableText {
    static let types = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]

    static func slice(_ id: String, _ values: String) -> String {
        zip(types, values.split(separator: " ")).map { "\(id)_\($0),\($1)\n" }.joined()
    }

    static func table(_ slices: (id: String, values: String)...) -> String {
        "ID,Label\n" + slices.map { slice($0.id, $0.values) }.joined()
    }
}
