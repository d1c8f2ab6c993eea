import Basics
import Foundation
import Submit

/// How a stage's hash compares with the golden one.
package enum GoldenVerdict: String, Sendable, Codable {
    case same, differs
    /// There is no golden hash for this stage.
    case unknown
    /// There is one, but the stage was trained with other arithmetic than the exact one.
    case notCompared = "not compared"
}

extension Golden {
    package static func load(_ path: String) throws -> Golden {
        let bytes = try InputFile.read(path)
        return try Golden(parsing: bytes, name: path)
    }

    /// The golden hashes that come with the program, for a recipe that comes with it.
    package static func builtIn(for recipe: Recipe) throws -> Golden? {
        switch recipe.name {
        case "demo": try Golden(parsing: PackageResources.golden_demo_json, name: "golden/demo.json")
        case "mini": try Golden(parsing: PackageResources.golden_mini_json, name: "golden/mini.json")
        default: nil
        }
    }

    package func verdict(on outcome: StageOutcome, exactMath: Bool) -> GoldenVerdict {
        guard let expected = stages[outcome.name] else { return .unknown }
        if outcome.isTrained && !exactMath { return .notCompared }
        return expected == outcome.hash ? .same : .differs
    }
}
