import Foundation
import Testing

@testable import Basics
@testable import Program
@testable import Repro
@testable import TestSupport

/// `docs/architecture.md` against the package and its sources.
@Suite struct ArchitectureTests {
    private let page: String
    private let package: String
    private static let sources = InputFixtures.root + "/Sources"

    init() throws {
        page = try String(contentsOfFile: InputFixtures.root + "/docs/architecture.md", encoding: .utf8)
        package = try String(contentsOfFile: InputFixtures.root + "/Package.swift", encoding: .utf8)
    }

    /// The lines of a fenced block of the page that have a separator, as name and names.
    private func listed(_ separator: String) -> [String: [String]] {
        let lines = page.split(separator: "\n").filter { $0.contains(" \(separator) ") && !$0.contains("|") }
        return Dictionary(
            uniqueKeysWithValues: lines.compactMap { line in
                let words = line.split(separator: " ").map(String.init)
                guard words.count > 2, words[1] == separator else { return nil }
                return (words[0], Array(words[2...]))
            })
    }

    /// The dependencies of each Swift target of the package that are targets themselves.
    private func declared() throws -> [String: Set<String>] {
        let target = /\.(?:executableTarget|target)\(\s*name: "(\w+)"(?:,\s*dependencies: \[([^\]]*)\])?/
        var targets: [String: Set<String>] = [:]
        for match in package.matches(of: target)
        where match.1 != "TestSupport" && !match.1.contains(/^C[A-Z]/) {
            // Products of other packages are written as .product(name:package:).
            let own = String(match.2 ?? "").replacing(/\.product\([^)]*\)/, with: "")
            targets[String(match.1)] = Set(own.matches(of: /"(\w+)"/).map { String($0.1) })
        }
        return targets
    }

    private struct Source {
        let module: String
        /// The folder in the module; empty for a file that lies in none.
        let folder: String
        let path: String
        /// Without comments and texts.
        let code: String
    }

    private func allSources(of module: String) throws -> [Source] {
        let root = module == "Fuzz" ? InputFixtures.root + "/Fuzz" : "\(Self.sources)/\(module)"
        let paths = try #require(FileManager.default.subpaths(atPath: root)).filter { $0.hasSuffix(".swift") }
        return try paths.map { path in
            let text = try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
            let code = text.replacing(/\/\/[^\n]*/, with: "").replacing(/"(?:[^"\\\n]|\\[^(])*"/, with: "\"\"")
            let parts = path.split(separator: "/")
            return Source(
                module: module, folder: parts.count > 1 ? String(parts[0]) : "", path: path, code: code)
        }
    }

    @Test("the page lists the package's modules with the arrows that the package declares")
    func modules() throws {
        let declared = try declared()
        #expect(declared.count >= 9)
        #expect(listed("->").mapValues(Set.init) == declared)
    }

    @Test("a module imports no module that it has no arrow to, and each of its arrows is needed")
    func imports() throws {
        let modules = Set(try FileManager.default.contentsOfDirectory(atPath: Self.sources))
        for (module, arrows) in try declared() {
            let imported = try allSources(of: module).flatMap { source in
                source.code.matches(of: /(?m)^(?:@testable )?import (\w+)$/).map { String($0.1) }
            }
            #expect(Set(imported).intersection(modules) == arrows, "\(module)")
        }
    }

    /// Names that a folder declares for the rest of its module, by the folder; without those that several folders have.
    private func declarations(_ sources: [Source]) -> [String: (folder: String, isFunction: Bool)] {
        let declaration =
            /(?m)^(?:@\w+(?:\([^)]*\))? )*(?:package |public |nonisolated\(unsafe\) |final |indirect )*(struct|enum|class|protocol|actor|typealias|func|let|var) (\w+)/
        var found: [String: (folder: String, isFunction: Bool)] = [:]
        var ambiguous: Set<String> = []
        for source in sources {
            for match in source.code.matches(of: declaration) {
                let name = String(match.2)
                if let other = found[name], other.folder != source.folder { ambiguous.insert(name) }
                found[name] = (source.folder, match.1 == "func")
            }
        }
        return found.filter { !ambiguous.contains($0.key) }
    }

    /// Members that a folder's extensions declare and no other folder has, by the folder: what `.name` can mean elsewhere.
    private func extensionMembers(_ sources: [Source]) -> [String: String] {
        let anyMember =
            /(?m)^ {4,}(?:@\w+(?:\([^)]*\))? )*(?:(?:package|public|private|fileprivate|static|final|mutating|lazy|override|convenience)(?:\(set\))? )*(?:func|let|var|case) (\w+)/
        var foldersOfName: [String: Set<String>] = [:]
        for source in sources {
            for match in source.code.matches(of: anyMember) {
                foldersOfName[String(match.1), default: []].insert(source.folder)
            }
        }
        var found: [String: String] = [:]
        for source in sources {
            for block in source.code.matches(of: /(?ms)^extension [^\n{]*\{\n(.*?)^\}/) {
                for match in block.1.matches(
                    of:
                        /(?m)^    (?:@\w+(?:\([^)]*\))? )*(?:(?:package|public|static|mutating) )*(?:func|let|var) (\w+)/
                )
                where foldersOfName[String(match.1)]?.count == 1 { found[String(match.1)] = source.folder }
            }
        }
        return found
    }

    /// Which folders each folder uses, with a name that shows it.
    private func arrows(in module: String) throws -> [String: [String: String]] {
        let sources = try allSources(of: module)
        let (declared, members) = (declarations(sources), extensionMembers(sources))
        var arrows: [String: [String: String]] = [:]
        for source in sources {
            for match in source.code.matches(of: /(?:^|[^.\w])([A-Za-z_]\w*)(\s*\()?/) {
                guard let other = declared[String(match.1)], other.folder != source.folder, !other.folder.isEmpty,
                    match.2 != nil || !other.isFunction
                else { continue }
                arrows[source.folder, default: [:]][other.folder] = "\(match.1) in \(source.path)"
            }
            for match in source.code.matches(of: /\.([a-z]\w*)/) {
                guard let folder = members[String(match.1)], folder != source.folder, !folder.isEmpty else { continue }
                arrows[source.folder, default: [:]][folder] = ".\(match.1) in \(source.path)"
            }
        }
        return arrows
    }

    @Test(
        "folders of a module stand on the page so that each uses only folders to its right: there is no circle",
        arguments: ["Basics", "Catalog", "Inputs", "Metrics", "Nets", "Program", "Repro", "Submit"])
    func folders(module: String) throws {
        let arrows = try arrows(in: module)
        let order = listed(":")[module] ?? []
        let folders = Set(try allSources(of: module).map(\.folder)).subtracting([""])
        #expect(Set(order) == folders, "the page's list of folders in \(module)")
        #expect(arrows[""] == nil, "a file in no folder of \(module) uses one in a folder: \(arrows[""] ?? [:])")
        for (place, folder) in order.enumerated() {
            for (other, evidence) in arrows[folder] ?? [:] {
                #expect(order[(place + 1)...].contains(other), "\(module): \(folder) uses \(other): \(evidence)")
            }
        }
    }

    @Test("the check of folders finds arrows that are there")
    func teeth() throws {
        let arrows = try arrows(in: "Repro")
        #expect(arrows["Pipeline"]?.keys.contains("Record") == true)
        #expect(arrows["Audit"]?.keys.contains("Record") == true)
        #expect(arrows["Record"]?.keys.contains("Pipeline") != true)
        // By a member of an extension alone.
        let members = extensionMembers(try allSources(of: "Nets"))
        #expect(members["productWorkspace"] == "Engine")
    }
}
