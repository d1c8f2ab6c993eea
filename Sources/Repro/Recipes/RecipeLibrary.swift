import Basics
import Foundation

/// The recipes that come with the program, inside its binary so that it can be copied anywhere.
public enum RecipeLibrary {
    package static let builtIn: [(name: String, yaml: [UInt8])] = [
        ("demo", PackageResources.demo_yaml),
        ("mini", PackageResources.mini_yaml),
        ("rsna-2019-58th", PackageResources.rsna_2019_58th_yaml),
    ]

    /// A recipe by the name of a built-in one, or by the path of a `.yaml` file.
    public static func recipe(_ nameOrPath: String) throws -> Recipe {
        if let known = builtIn.first(where: { $0.name == nameOrPath }) {
            return try Recipe(yaml: String(decoding: known.yaml, as: UTF8.self), name: "\(known.name).yaml")
        }
        guard nameOrPath.hasSuffix(".yaml") || nameOrPath.hasSuffix(".yml") else {
            let names = builtIn.map(\.name)
            let meant = nearestWord(to: nameOrPath, in: names).map { " Did you mean \($0)?" } ?? ""
            throw Failure(
                .badUsage,
                "there is no recipe '\(nameOrPath)'.\(meant) Give one of \(names.joined(separator: ", ")), or the path of a .yaml file."
            )
        }
        let bytes = try InputFile.read(nameOrPath)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(.badInput, "\(nameOrPath): is not text in UTF-8.")
        }
        return try Recipe(yaml: text, name: nameOrPath)
    }
}
