import Foundation

/// The bytes of what a command was given as an input: a file, or standard input for "-".
enum InputBytes {
    static func read(_ path: String) throws -> Data {
        if path == "-" {
            guard let bytes = try FileHandle.standardInput.readToEnd() else { return Data() }
            return bytes
        }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw Failure(.inputMissing, "\(path): there is no such file.")
        }
        guard !isDirectory.boolValue else {
            throw Failure(.inputMissing, "\(path): is a folder; expected a file.")
        }
        do {
            return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it is readable.")
        }
    }

    /// What an input is called in messages.
    static func name(_ path: String) -> String { path == "-" ? "standard input" : path }

    /// Refuses a command line that names standard input for more than one input.
    static func checkAtMostOneStandardInput(_ paths: [String]) throws {
        guard paths.count(where: { $0 == "-" }) <= 1 else {
            throw Failure(.badUsage, "\"-\" is given more than once, but standard input can be read only once.")
        }
    }
}
