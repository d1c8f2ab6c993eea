import ArgumentParser
import Basics
import Repro

struct RecipesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recipes",
        abstract: "List the recipes that come with the program, or show one.",
        discussion: "A shown recipe, saved as a .yaml file and changed, is what --recipe takes.")

    @Argument(
        help: "A recipe to print; without it, all are listed.", completion: .list(RecipeLibrary.builtIn.map(\.name)))
    var recipe: String?

    @Flag(help: "Print JSON for machines.")
    var json = false

    private struct Entry: Encodable {
        let name: String
        let summary: String
    }

    func run() throws {
        if let recipe {
            let read = try RecipeLibrary.recipe(recipe)
            if json { return Console.result(try JSON.encode(read)) }
            guard let builtIn = RecipeLibrary.builtIn.first(where: { $0.name == recipe }) else {
                return Console.result("\(recipe): a valid recipe named \(read.name)")
            }
            return Console.result(String(decoding: builtIn.yaml, as: UTF8.self).trimmingSuffix("\n"))
        }
        let entries = try RecipeLibrary.builtIn.map { builtIn in
            let read = try RecipeLibrary.recipe(builtIn.name)
            return Entry(name: read.name, summary: read.summary)
        }
        if json { return Console.result(try JSON.encode(entries)) }
        var table = TextTable([("recipe", .left), ("what it is", .left)])
        for entry in entries { table.add(entry.name, entry.summary) }
        Console.result(table.text)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: Character) -> String {
        var text = Substring(self)
        while text.last == suffix { text = text.dropLast() }
        return String(text)
    }
}
