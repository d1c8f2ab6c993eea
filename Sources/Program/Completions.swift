import ArgumentParser
import Foundation
import Repro

extension CompletionKind {
    /// A recipe in a shell: the names of the built-in ones, and the `.yaml` files and folders where the word so far points.
    static var recipe: CompletionKind {
        .custom { _, _, word in
            let folder = word.lastIndex(of: "/").map { String(word[...$0]) } ?? ""
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
            let recipes = names.map { folder + $0 }.filter { path in
                var isFolder: ObjCBool = false
                _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                return isFolder.boolValue || path.hasSuffix(".yaml") || path.hasSuffix(".yml")
            }
            return RecipeLibrary.builtIn.map(\.name) + recipes.sorted()
        }
    }
}
