import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import Repro
@testable import TestSupport

@Suite("Fingerprints")
struct ManifestTests {
    // SHA-256 of nothing and of "abc" (FIPS 180-4's examples).
    private static let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test("lines are those of sha256sum, sorted by path; the root hash is that of the sorted lines")
    func lines() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("abc", to: folder + "/b/x")
            try InputFixtures.write("", to: folder + "/a")
            try InputFixtures.write("abc", to: folder + "/B")
            let manifest = try Fingerprint.manifest(of: [folder], threads: 2)
            let lines = manifest.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            #expect(lines == ["\(Self.abc)  B", "\(Self.nothing)  a", "\(Self.abc)  b/x"])
            #expect(manifest.rootHash == Digest.sha256("\(Self.abc)  B\n\(Self.abc)  b/x\n\(Self.nothing)  a\n"))
            #expect(manifest.text.contains(manifest.rootHash))
        }
    }

    @Test("the root hash does not depend on the order of the entries")
    func order() {
        let entries = (0..<20).map { Manifest.Entry(sha256: Digest.sha256("\($0 % 7)"), path: "f\($0)") }
        #expect(Manifest(entries).rootHash == Manifest(entries.reversed()).rootHash)
        #expect(Manifest(entries).rootHash != Manifest(Array(entries.dropLast())).rootHash)
    }

    @Test("names with line breaks and backslashes survive, escaped as sha256sum does")
    func escapes() throws {
        let manifest = Manifest([
            .init(sha256: Self.abc, path: "a\nb\\c"), .init(sha256: Self.nothing, path: "two  spaces *"),
        ])
        #expect(manifest.text.contains("\\\(Self.abc)  a\\nb\\\\c\n"))
        #expect(try Manifest(parsing: manifest.text, name: "m") == manifest)
    }

    @Test("missing, extra and changed files are each named")
    func differences() {
        let expected = Manifest([
            .init(sha256: Self.abc, path: "same"), .init(sha256: Self.abc, path: "gone"),
            .init(sha256: Self.abc, path: "other"),
        ])
        let found = Manifest([
            .init(sha256: Self.abc, path: "same"), .init(sha256: Self.nothing, path: "other"),
            .init(sha256: Self.abc, path: "new"),
        ])
        #expect(expected.differences(from: found) == .init(missing: ["gone"], extra: ["new"], changed: ["other"]))
        #expect(expected.differences(from: expected).isEmpty)
    }

    @Test(
        "a line that is none names its number",
        arguments: [
            "abc  x", "\(abc)  ", "\(abc)x", "\\\(abc)  a\\t", "MD5 (x) = \(abc)", "SHA256 (x) = abc",
            "SHA256 (x) \(abc)",
        ])
    func malformed(line: String) {
        let failure = InputFixtures.failure { _ = try Manifest(parsing: "# comment\n\(line)\n", name: "m.txt") }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.contains("m.txt, line 2") == true)
    }

    @Test("a path that is not there is missing input")
    func absent() {
        #expect(
            InputFixtures.failure { _ = try Fingerprint.manifest(of: ["/nowhere"], threads: 1) }?.status
                == .inputMissing)
    }

    @Test("a link to a folder above ends")
    func linkLoop() throws {
        try InputFixtures.withFolder { folder in
            try InputFixtures.write("abc", to: folder + "/sub/x")
            try FileManager.default.createSymbolicLink(atPath: folder + "/sub/up", withDestinationPath: folder)
            #expect(try Fingerprint.manifest(of: [folder], threads: 1).entries.map(\.path) == ["sub/x"])
        }
    }
}

@Suite("Competition folders")
struct CompetitionFolderTests {
    @Test(
        "every variant of the folder names is found",
        arguments: [1, 2], ["", "/rsna-intracranial-hemorrhage-detection"])
    func variants(stage: Int, top: String) throws {
        for suffix in ["", "_images"] {
            try InputFixtures.withFolder { root in
                let base = "\(root)\(top)/stage_\(stage)_"
                try InputFixtures.write("", to: "\(base)train\(suffix)/ID_1.dcm")
                try InputFixtures.write("", to: "\(base)test\(suffix)/ID_2.dcm")
                try InputFixtures.write("", to: "\(base)train.csv")
                try InputFixtures.write("", to: "\(base)sample_submission.csv")
                let found = try CompetitionFolder.locate(in: root)
                #expect(found.stage == stage)
                #expect(found.trainFolder == "\(base)train\(suffix)")
                #expect(found.testFolder == "\(base)test\(suffix)")
                #expect(found.trainLabels == "\(base)train.csv")
                #expect(found.sampleSubmission == "\(base)sample_submission.csv")
            }
        }
    }

    @Test("stage 2 goes before stage 1; what is not there is nil")
    func stages() throws {
        try InputFixtures.withFolder { root in
            try InputFixtures.write("", to: root + "/stage_1_train/ID_1.dcm")
            try InputFixtures.write("", to: root + "/stage_2_test/ID_1.dcm")
            let found = try CompetitionFolder.locate(in: root)
            #expect(found.stage == 2 && found.trainFolder == nil && found.trainLabels == nil)
        }
    }

    @Test("a plain folder of slices is taken as test slices without labels")
    func plainFolder() throws {
        try InputFixtures.withFolder { root in
            try InputFixtures.write("", to: root + "/mine.dcm")
            let found = try CompetitionFolder.locate(in: root)
            #expect(found.testFolder == root && found.trainFolder == nil && found.sampleSubmission == nil)
        }
    }

    @Test("a folder without data names what was looked for")
    func empty() throws {
        try InputFixtures.withFolder { root in
            let failure = InputFixtures.failure { _ = try CompetitionFolder.locate(in: root) }
            #expect(failure?.status == .badInput)
            #expect(failure?.message.contains("stage_2_train_images") == true)
            #expect(
                InputFixtures.failure { _ = try CompetitionFolder.locate(in: root + "/none") }?.status == .inputMissing)
        }
    }
}
