import Basics
import Foundation

/// The SHA-256 of every file of a folder or archive, and one root hash over all of them.
///
/// Its text is what `sha256sum` writes, sorted by path, after comment lines that `sha256sum --check` skips. The root hash is the
/// SHA-256 of the lines sorted by byte value, so that it depends on nothing but paths and contents:
/// `grep -v '^#' manifest.sha256 | LC_ALL=C sort | sha256sum`.
package struct Manifest: Sendable, Equatable {
    package struct Entry: Sendable, Hashable, Codable {
        package var sha256: String
        /// Relative to the folder, with `/` between names.
        package var path: String

        package init(sha256: String, path: String) {
            self.sha256 = sha256
            self.path = path
        }
    }

    /// The file that `unpack` writes beside what it unpacked; never part of a fingerprint.
    package static let fileName = "manifest.sha256"

    /// Whether a file of this name at a folder's top is the program's own, which is not part of the folder's fingerprint.
    package static func isOwn(_ name: String) -> Bool { name == fileName || name.hasPrefix(".repro-") }

    /// Sorted by the bytes of their paths.
    package let entries: [Entry]

    package init(_ entries: [Entry]) {
        let isPlain = entries.allSatisfy(\.path.isPlainPath)
        self.entries = entries.sorted { isPlain ? bytesPrecede($0.path, $1.path) : Self.precede($0.path, $1.path) }
    }

    /// Whether a path or line comes before another by its bytes, where some have other bytes than their text.
    private static func precede(_ a: String, _ b: String) -> Bool { a.pathBytes.lexicographicallyPrecedes(b.pathBytes) }

    package var rootHash: String {
        var hash = Digest.Stream()
        let isPlain = entries.allSatisfy(\.path.isPlainPath)
        for line in entries.map(Self.line).sorted(by: isPlain ? bytesPrecede : Self.precede) {
            var line = line
            if isPlain {
                line.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
            } else {
                hash.update(line.pathBytes)
            }
        }
        return hash.finish()
    }

    /// The manifest; what is written of it are its `pathBytes`.
    package var text: String {
        "\(header)\n" + entries.map(Self.line).joined()
    }

    /// The first line, which says how many follow.
    var header: String { "\(Self.headerStart)\(entries.count) files, root \(rootHash)" }
    static let headerStart = "# repro manifest 1: "

    /// A path with a line break (LF or CR) or a backslash is escaped, and its line starts with a backslash, as `sha256sum` does.
    package static func line(_ entry: Entry) -> String {
        guard entry.path.utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 92 }) else {
            return "\(entry.sha256)  \(entry.path)\n"
        }
        let escaped = entry.path.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
            of: "\n", with: "\\n"
        ).replacingOccurrences(of: "\r", with: "\\r")
        return "\\\(entry.sha256)  \(escaped)\n"
    }

    package init(parsing text: String, name: String) throws { try self.init(parsing: Data(text.utf8), name: name) }

    /// How two manifests differ, by path.
    package struct Differences: Sendable, Equatable, Codable {
        /// In the expected manifest only.
        package var missing: [String] = []
        /// In the found manifest only.
        package var extra: [String] = []
        /// In both, with other contents.
        package var changed: [String] = []

        package var isEmpty: Bool { missing.isEmpty && extra.isEmpty && changed.isEmpty }
    }

    /// The same with paths without `.` and doubled slashes, by which they are compared.
    package func normalized() -> Manifest {
        Manifest(entries.map { Entry(sha256: $0.sha256, path: Self.normalized($0.path)) })
    }

    /// Paths below a folder, relative to it, as `find FOLDER` names them and this manifest does not; nil if some are not below it.
    package func relative(to folder: String) -> Manifest? {
        let prefix = Self.normalized(folder) + "/"
        guard !entries.isEmpty, entries.allSatisfy({ $0.path.hasPrefix(prefix) }) else { return nil }
        return Manifest(entries.map { Entry(sha256: $0.sha256, path: String($0.path.dropFirst(prefix.count))) })
    }

    package static func normalized(_ path: String) -> String {
        guard path.hasPrefix("./") || path.contains("//") || path.contains("/./") || path.hasSuffix("/.") else {
            return path
        }
        return (path.hasPrefix("/") ? "/" : "")
            + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    /// What a folder lacks, has too much or has changed, when this manifest is what is expected.
    package func differences(from found: Manifest) -> Differences {
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
