import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

/// What `sha256sum --check` (coreutils 9.1) takes is taken here.
@Suite("Forms of manifests")
struct ManifestFormTests {
    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    private static let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private static let expected = Manifest([
        .init(sha256: abc, path: "a b"), .init(sha256: nothing, path: "d/x(1) = y"),
    ])

    @Test(
        "one manifest in every form",
        arguments: [
            "\(abc)  a b\n\(nothing)  d/x(1) = y\n", "\(abc) *a b\r\n\(nothing)  d/x(1) = y\r\n",
            "\u{FEFF}# made by hand\n\n  \(abc)  a b\n\t\(nothing)\t d/x(1) = y",
            "\(abc.uppercased()) a b\n\(nothing) d/x(1) = y\n",
            "SHA256 (a b) = \(abc)\nSHA256 (d/x(1) = y) = \(nothing)\n",
            "SHA256(a b)= \(abc)\r\nSHA2-256(d/x(1) = y)= \(nothing)\r\n", "\(abc)  a b\0\(nothing)  d/x(1) = y\0",
            "\\\(abc)  a b\n\\SHA256 (d/x(1) = y) = \(nothing)",
            "\(abc)  ./a b\n\(nothing)  .//d/./x(1) = y\n",
        ])
    func form(text: String) throws {
        #expect(try Manifest(parsing: text, name: "m").normalized() == Self.expected)
    }

    @Test("names with line breaks, backslashes and bytes that are no UTF-8 come back as they were")
    func names() throws {
        let names: [[UInt8]] = [
            Array("a\nb\\c\rd".utf8), [0x6E, 0xFF, 0xE9], [0xC3], Array("\u{10FFC3}".utf8), Array("ä日".utf8),
            Array("r\r".utf8),
        ]
        let texts = names.map { String(path: $0) }
        #expect(texts.map(\.pathBytes) == names && Set(texts).count == names.count)
        #expect(!texts[3].isPlainPath && texts[4] == "ä日")
        let manifest = Manifest(texts.map { .init(sha256: Self.abc, path: $0) })
        let lines: [[UInt8]] = manifest.text.pathBytes.split(separator: 10).dropFirst().map { Array($0) }
        #expect(try Manifest(parsing: Data(manifest.text.pathBytes), name: "m") == manifest)
        #expect(lines.contains(Array("\(Self.abc)  n".utf8) + [0xFF, 0xE9]))
        // By bytes, as `LC_ALL=C sort` does.
        let sorted: [UInt8] = lines.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { (line: [UInt8]) in line + [10]
        }
        #expect(manifest.rootHash == Digest.sha256(sorted))
        let inOrder = manifest.entries.map(\.path.pathBytes)
        #expect(inOrder == inOrder.sorted { $0.lexicographicallyPrecedes($1) })
        let json = try JSON.encode(texts, indented: false)
        #expect(json.isPlainPath)
        let back = try JSONDecoder().decode([String].self, from: Data(json.utf8))
        #expect(back == texts)
    }

    @Test("what lies in a manifest's place is called what it is")
    func impostors() {
        for (text, word) in [
            ("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
            ("\n <!DOCTYPE html><html>", "web page"), ("<?xml version=\"1.0\"?>\n<html xmlns=\"x\">", "web page"),
        ] {
            let failure = InputFixtures.failure { _ = try Manifest(parsing: text, name: "m") }
            #expect(failure?.status == .badInput && failure?.message.contains(word) == true)
        }
        let wide = Data([0xFF, 0xFE] + "ab".utf16.flatMap { [UInt8(truncatingIfNeeded: $0), 0] })
        #expect(
            InputFixtures.failure { _ = try Manifest(parsing: wide, name: "m") }?.message.contains("UTF-16") == true)
    }

    @Test("a manifest that lost lines or got others is refused by its first line; a line that comes twice counts once")
    func header() throws {
        let manifest = Manifest((0..<4).map { .init(sha256: Digest.sha256("\($0)"), path: "ID_\($0).dcm") })
        let lines = manifest.text.split(separator: "\n")
        #expect(try Manifest(parsing: manifest.text + manifest.text, name: "m") == manifest)
        #expect(try Manifest(parsing: lines.dropFirst().joined(separator: "\n"), name: "m") == manifest)
        for text in [
            lines.dropLast().joined(separator: "\n"), lines[0...0].joined() + "\n",
            manifest.text.replacingOccurrences(of: "ID_2", with: "ID_7"),
            manifest.text.replacingOccurrences(of: "4 files", with: "5 files"),
        ] {
            let failure = InputFixtures.failure { _ = try Manifest(parsing: text, name: "m") }
            #expect(failure?.status == .badInput && failure?.message.contains("cut off or changed") == true)
        }
    }

    @Test("of 300 damaged manifests each is read or refused, and none gives a hash or a name that is not in it")
    func mutations() throws {
        var random = SeededBytes(seed: 21)
        let forms = [
            Self.expected.text, "SHA256 (a b) = \(Self.abc)\n\\SHA256 (x\\ny) = \(Self.nothing)\n",
            "\(Self.abc)  ./a\0\(Self.nothing) *b\0",
        ]
        for round in 0..<300 {
            let bytes = random.mutated(Array(forms[round % forms.count].utf8))
            guard let manifest = try? Manifest(parsing: Data(bytes), name: "m") else { continue }
            let text = String(decoding: bytes, as: UTF8.self).lowercased()
            for entry in manifest.entries { #expect(entry.sha256.utf8.count == 64 && text.contains(entry.sha256)) }
        }
    }
}
