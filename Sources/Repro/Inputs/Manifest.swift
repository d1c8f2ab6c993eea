import Foundation

/// The SHA-256 of every file of a folder or archive, and one root hash over all of them.
///
/// Its text is what `sha256sum` writes, sorted by path, after comment lines that `sha256sum --check` skips. The root hash is the
/// SHA-256 of the lines sorted by byte value, so that it depends on nothing but paths and contents:
/// `grep -v '^#' manifest.sha256 | LC_ALL=C sort | sha256sum`.
struct Manifest: Sendable, Equatable {
    struct Entry: Sendable, Equatable, Codable {
        var sha256: String
        /// Relative to the folder, with `/` between names.
        var path: String
    }

    /// The file that `unpack` writes beside what it unpacked; never part of a fingerprint.
    static let fileName = "manifest.sha256"

    /// Sorted by the bytes of their paths.
    let entries: [Entry]

    init(_ entries: [Entry]) {
        self.entries = entries.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    var rootHash: String {
        let lines = entries.map { Array(Self.line($0).utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        return Digest.sha256(lines.flatMap { $0 })
    }

    var text: String {
        "# repro manifest 1: \(entries.count) files, root \(rootHash)\n" + entries.map(Self.line).joined()
    }

    /// A path with a line break or a backslash is escaped, and its line starts with a backslash, as `sha256sum` does.
    static func line(_ entry: Entry) -> String {
        guard entry.path.utf8.contains(where: { $0 == 10 || $0 == 92 }) else {
            return "\(entry.sha256)  \(entry.path)\n"
        }
        let escaped = entry.path.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
            of: "\n", with: "\\n")
        return "\\\(entry.sha256)  \(escaped)\n"
    }

    /// Reads what ``text`` or `sha256sum` wrote.
    ///
    /// - Throws: ``Failure`` with status `badInput` that names the line.
    init(parsing text: String, name: String) throws {
        var entries: [Entry] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        where !line.isEmpty && !line.hasPrefix("#") {
            let isEscaped = line.hasPrefix("\\")
            let body = isEscaped ? line.dropFirst() : line
            let hash = body.prefix(64)
            let rest = body.dropFirst(64)
            // Two spaces, or a space and an asterisk for what sha256sum calls binary mode.
            guard hash.utf8.count == 64, hash.allSatisfy(\.isHexDigit), rest.hasPrefix("  ") || rest.hasPrefix(" *"),
                rest.count > 2
            else {
                throw Failure(
                    .badInput,
                    "\(name), line \(number + 1): expected 64 hexadecimal digits, two spaces and a path, as sha256sum writes them."
                )
            }
            let path = String(rest.dropFirst(2))
            entries.append(Entry(sha256: hash.lowercased(), path: isEscaped ? Self.unescaped(path) : path))
        }
        self.init(entries)
    }

    private static func unescaped(_ path: String) -> String {
        var result = ""
        var isEscape = false
        for character in path {
            if isEscape {
                result.append(character == "n" ? "\n" : character)
                isEscape = false
            } else if character == "\\" {
                isEscape = true
            } else {
                result.append(character)
            }
        }
        return result
    }

    /// How two manifests differ, by path.
    struct Differences: Sendable, Equatable, Codable {
        /// In the expected manifest only.
        var missing: [String] = []
        /// In the found manifest only.
        var extra: [String] = []
        /// In both, with other contents.
        var changed: [String] = []

        var isEmpty: Bool { missing.isEmpty && extra.isEmpty && changed.isEmpty }
    }

    /// What a folder lacks, has too much or has changed, when this manifest is what is expected.
    func differences(from found: Manifest) -> Differences {
        let expectedHashes = Dictionary(entries.map { ($0.path, $0.sha256) }, uniquingKeysWith: { first, _ in first })
        let foundHashes = Dictionary(
            found.entries.map { ($0.path, $0.sha256) }, uniquingKeysWith: { first, _ in first })
        var result = Differences()
        for entry in entries {
            guard let hash = foundHashes[entry.path] else { result.missing.append(entry.path); continue }
            if hash != entry.sha256 { result.changed.append(entry.path) }
        }
        result.extra = found.entries.map(\.path).filter { expectedHashes[$0] == nil }
        return result
    }
}
