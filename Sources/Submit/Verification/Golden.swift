import Basics
import Foundation

/// The hashes that the stages of a run are known to have, with how they were made: a file of `golden/`.
///
/// JSON: `{"about": "...", "stages": {"submission": "<SHA-256, 64 hexadecimal digits>", ...}}`.
public struct Golden: Sendable, Equatable, Codable {
    /// How the hashes were made: the command, the recipe, the version.
    public var about: String
    /// The SHA-256 of each stage, in lower-case hexadecimal.
    public var stages: [String: String]

    /// Makes a record of hashes.
    public init(about: String, stages: [String: String]) {
        self.about = about
        self.stages = stages
    }

    /// Reads a golden file.
    ///
    /// - Throws: ``GoldenError`` if it is not JSON of this form, or a hash is not one.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(GoldenError) {
        do {
            self = try JSONDecoder().decode(Golden.self, from: Data(bytes))
        } catch {
            throw GoldenError(
                "\(name): not a golden file; expected JSON with \"about\" and \"stages\", an object of stage names and SHA-256"
            )
        }
        for (stage, hash) in stages.sorted(by: { $0.key < $1.key }) where !isSHA256(hash) {
            throw GoldenError(
                "\(name): the hash of stage \(stage) is not a SHA-256 of 64 lower-case hexadecimal digits: '\(hash)'")
        }
    }
}

/// Why a golden file could not be used.
public struct GoldenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file's name, what is wrong and what was expected.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Whether a text is a SHA-256 as golden files have it: 64 lower-case hexadecimal digits.
package func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64 && text.allSatisfy { $0.isASCII && $0.isHexDigit && !$0.isUppercase }
}

extension GoldenError: DescribedError {
    package var status: ExitStatus { .badInput }
}
