import ArgumentParser
import Basics
import Foundation
import Repro

extension CompletionKind {
    /// A recipe in a shell: the names of the built-in ones, and the `.yaml` files and folders where the word so far points.
    static var recipe: CompletionKind {
        .custom { _, _, word in
            let folder = word.lastIndex(of: "/").map { String(word[...$0]) } ?? ""
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
            let recipes = names.map { folder + $0 }.filter {
                isFolder($0) || $0.hasSuffix(".yaml") || $0.hasSuffix(".yml")
            }
            return RecipeLibrary.builtIn.map(\.name) + recipes.sorted()
        }
    }
}
