import Basics
import Foundation
import Nets

/// A file of ImageNet weights from a model zoo, checked against the digits in its name.
package struct PretrainedFile: Sendable {
    package let path: String
    package let sha256: String
    /// Which of several sets of weights in it is meant, if the user said it.
    package let entry: String?

    /// What a training's start depends on.
    package var identity: String { entry.map { "\(sha256) \($0)" } ?? sha256 }

    /// Where the original's starting weights were published.
    private static let sources = [
        "resnet34-333f7ec4.pth": "https://download.pytorch.org/models/resnet34-333f7ec4.pth",
        "se_resnext50_32x4d-a260b3a4.pth":
            "http://data.lip6.fr/cadene/pretrainedmodels/se_resnext50_32x4d-a260b3a4.pth",
        "efficientnet-b3-5fb5a3c3.pth":
            "https://github.com/lukemelas/EfficientNet-PyTorch/releases/download/1.0/efficientnet-b3-5fb5a3c3.pth",
    ]

    /// Finds the file `name` in `folder` and checks its hash.
    ///
    /// - Throws: ``Failure``: `inputMissing` with where to get it, `badInput` if its contents are not what its name says.
    package static func locate(_ name: String, in folder: String?, entry: String? = nil) throws -> PretrainedFile {
        let origin = sources[name].map { " It was published at \($0)" } ?? ""
        guard let folder else {
            throw Failure(
                .inputMissing,
                "the recipe starts from the ImageNet weights \(name). Give --pretrained the folder that has them.\(origin)"
            )
        }
        let path = "\(folder)/\(name)"
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw Failure(.inputMissing, "\(path): is not there or not readable.\(origin)")
        }
        let hash = try Digest.sha256(file: path)
        try check(hash, of: path)
        return PretrainedFile(path: path, sha256: hash, entry: entry)
    }

    /// Whether a file's name is that of one of the three ImageNet files.
    ///
    /// Other people's files may end in eight digits that are no hash, a date for one.
    package static func isKnown(_ path: String) -> Bool { sources[fileName(path)] != nil }

    /// Compares a file's SHA-256 with the digits in its name, if it has such.
    package static func check(_ hash: String, of path: String) throws {
        let name = fileName(path)
        guard let expected = modelZooHash(inFileName: name), !hash.hasPrefix(expected) else { return }
        throw Failure(
            .badInput,
            "\(path): its SHA-256 begins with \(hash.prefix(8)), its name says \(expected): it is damaged or another file. Get it again."
                + (sources[name].map { " It was published at \($0)" } ?? ""))
    }
}
