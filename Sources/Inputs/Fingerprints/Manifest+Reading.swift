import Basics
import Foundation

extension Manifest {
    /// Reads what ``text`` or `sha256sum` wrote: in any form that `sha256sum --check` takes, and what `sha256sum --zero` writes.
    ///
    /// That is `HASH  PATH` (or `HASH *PATH`, or `HASH PATH` as BSD's `sha256 -r` has it), or `SHA256 (PATH) = HASH`; a line that begins
    /// with a backslash has an escaped path. Comments and empty lines are passed over; lines may end as on Windows. A line that comes
    /// twice counts once.
    /// - Throws: ``Failure`` with status `badInput` that names the line, also if the first line of ``text`` does not fit the others.
    package init(parsing text: Data, name: String) throws {
        if let impostor = Impostor.found(in: text) { throw Failure(.badInput, "\(name): \(impostor)") }
        guard !text.starts(with: [0xFF, 0xFE]), !text.starts(with: [0xFE, 0xFF]) else {
            throw Failure(.badInput, "\(name): is UTF-16 text. Save it as UTF-8.")
        }
        let text = text.starts(with: [0xEF, 0xBB, 0xBF]) ? text.dropFirst(3) : text
        let isZero = text.contains(0)
        var entries: [Entry] = []
        var header: String?
        var (rest, number) = (text[...], 0)
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: isZero ? 0 : 10) ?? rest.endIndex
            var line = rest[..<end]
            rest = rest[min(end + 1, rest.endIndex)...]
            if !isZero, line.last == 13 { line = line.dropLast() }
            line = line.drop { $0 == 32 || $0 == 9 }
            guard let first = line.first, first != UInt8(ascii: "#") else {
                if line.starts(with: Self.headerStart.utf8) { header = header ?? String(decoding: line, as: UTF8.self) }
                continue
            }
            guard let entry = Self.entry(line, isEscapable: !isZero) else {
                throw Failure(
                    .badInput,
                    "\(name), line \(number): expected 64 hexadecimal digits (SHA-256), two spaces and a path, as sha256sum writes them."
                )
            }
            entries.append(entry)
        }
        self.init(Array(Set(entries)))
        guard let header, header != self.header else { return }
        throw Failure(
            .badInput,
            "\(name): begins with '\(header)', but what follows is '\(self.header)': it was cut off or changed. Get it again, or remove that line if it was changed on purpose."
        )
    }

    private static func entry(_ line: Data.SubSequence, isEscapable: Bool) -> Entry? {
        let isEscaped = isEscapable && line.first == UInt8(ascii: "\\")
        let body = isEscaped ? line.dropFirst() : line
        guard let (hash, path) = body.first == UInt8(ascii: "S") ? tagged(body) : plain(body), hash.count == 64,
            hash.allSatisfy(isHexadecimal),
            !path.isEmpty, let name = isEscaped ? unescaped(path) : Array(path)
        else { return nil }
        return Entry(sha256: String(decoding: hash, as: UTF8.self).lowercased(), path: String(path: name))
    }

    /// `HASH  PATH`, `HASH *PATH` or `HASH PATH`.
    private static func plain(_ line: Data.SubSequence) -> (hash: Data.SubSequence, path: Data.SubSequence)? {
        let (hash, rest) = (line.prefix(64), line.dropFirst(64))
        guard rest.first == 32 || rest.first == 9 else { return nil }
        let path = rest.dropFirst()
        guard path.count > 1 || path.first == 32, path.first == 32 || path.first == UInt8(ascii: "*") else {
            return (hash, path)
        }
        return (hash, path.dropFirst())
    }

    /// `SHA256 (PATH) = HASH`, or without the spaces, as `openssl sha256` writes it.
    private static func tagged(_ line: Data.SubSequence) -> (hash: Data.SubSequence, path: Data.SubSequence)? {
        guard line.starts(with: "SHA256".utf8) || line.starts(with: "SHA2-256".utf8),
            let start = line.firstIndex(of: UInt8(ascii: "(")), let end = line.lastIndex(of: UInt8(ascii: ")")),
            start < end, line[..<start].count <= 9
        else { return nil }
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }
        let equals = line[(end + 1)...].drop(while: isSpace)
        guard equals.first == UInt8(ascii: "=") else { return nil }
        return (equals.dropFirst().drop(while: isSpace), line[(start + 1)..<end])
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    /// A path without its escapes: `\\`, `\n` and, since coreutils 9, `\r`; nil with another one, as `sha256sum` has it.
    private static func unescaped(_ path: Data.SubSequence) -> [UInt8]? {
        var (result, rest) = ([UInt8](), path)
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else { result.append(byte); continue }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): result.append(10)
            case UInt8(ascii: "r"): result.append(13)
            case UInt8(ascii: "\\"): result.append(byte)
            default: return nil
            }
        }
        return result
    }
}
