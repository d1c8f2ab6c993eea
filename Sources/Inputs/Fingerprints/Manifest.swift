import Basics
import Foundation

/// The SHA-256 of every file of a folder or archive, and one root hash over all of them.
///
/// Its text is what `sha256sum` writes, sorted by path, after comment lines that `sha256sum --check` skips. The root hash is the
/// SHA-256 of the lines sorted by byte value, so that it depends on nothing but paths and contents:
/// `grep -v '^#' manifest.sha256 | LC_ALL=C sort | sha256sum`.
package struct Manifest: Sendable, Equatable {
    package struct Entry: Sendable, Equatable, Codable {
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

    /// Sorted by the bytes of their paths.
    package let entries: [Entry]

    package init(_ entries: [Entry]) {
        self.entries = entries.sorted { bytesPrecede($0.path, $1.path) }
    }

    package var rootHash: String {
        var hash = Digest.Stream()
        for line in entries.map(Self.line).sorted(by: bytesPrecede) {
            var line = line
            line.withUTF8 { hash.update(UnsafeRawBufferPointer($0)) }
        }
        return hash.finish()
    }

    package var text: String {
        "# repro manifest 1: \(entries.count) files, root \(rootHash)\n" + entries.map(Self.line).joined()
    }

    /// A path with a line break or a backslash is escaped, and its line starts with a backslash, as `sha256sum` does.
    package static func line(_ entry: Entry) -> String {
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
    package init(parsing text: Data, name: String) throws {
        var entries: [Entry] = []
        var (rest, number) = (text[...], 0)
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: 10) ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[min(end + 1, rest.endIndex)...]
            guard let first = line.first, first != UInt8(ascii: "#") else { continue }
            let isEscaped = first == UInt8(ascii: "\\")
            let body = isEscaped ? line.dropFirst() : line
            let hash = body.prefix(64)
            let rest = body.dropFirst(64)
            // Two spaces, or a space and an asterisk for what sha256sum calls binary mode.
            guard hash.count == 64, hash.allSatisfy(Self.isHexadecimal), rest.count > 2,
                rest.starts(with: "  ".utf8) || rest.starts(with: " *".utf8)
            else {
                throw Failure(
                    .badInput,
                    "\(name), line \(number): expected 64 hexadecimal digits, two spaces and a path, as sha256sum writes them."
                )
            }
            let path = String(decoding: rest.dropFirst(2), as: UTF8.self)
            entries.append(
                Entry(
                    sha256: String(decoding: hash, as: UTF8.self).lowercased(),
                    path: isEscaped ? Self.unescaped(path) : path))
        }
        self.init(entries)
    }

    package init(parsing text: String, name: String) throws { try self.init(parsing: Data(text.utf8), name: name) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
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
    package struct Differences: Sendable, Equatable, Codable {
        /// In the expected manifest only.
        package var missing: [String] = []
        /// In the found manifest only.
        package var extra: [String] = []
        /// In both, with other contents.
        package var changed: [String] = []

        package var isEmpty: Bool { missing.isEmpty && extra.isEmpty && changed.isEmpty }
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
