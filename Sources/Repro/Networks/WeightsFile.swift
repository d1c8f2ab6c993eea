import Basics
import Foundation
import Nets

/// A file of weights, read whole: .safetensors, or .pt and .pth as PyTorch writes them.
package struct WeightsFile {
    package let path: String
    package let tensors: [NamedTensor]
    /// What the file says about itself: the metadata of safetensors, the details of a PyTorch snapshot.
    package let metadata: [String: String]

    /// - Throws: ``Failure`` that names the file: `inputMissing`, or `badInput` if it is none of these, damaged, or an ImageNet file
    ///   that is not what its name says.
    package static func read(_ path: String) throws -> WeightsFile {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it exists and is readable.")
        }
        if PretrainedFile.isKnown(path) { try PretrainedFile.check(Digest.sha256(bytes), of: path) }
        do {
            if path.hasSuffix(".safetensors") {
                let file = try SafeTensors(parsing: bytes)
                return WeightsFile(path: path, tensors: file.tensors, metadata: file.metadata)
            }
            let file = try TorchCheckpoint(parsing: bytes)
            return WeightsFile(path: path, tensors: file.stateDict, metadata: file.detail.mapValues(\.description))
        } catch {
            throw Failure(.badInput, "\(path): \(error)")
        }
    }

    /// How the weights were trained, if the file says it, as this program's checkpoints do.
    package var training: TrainingSettings? {
        guard let text = metadata["settings"],
            let found = try? JSONDecoder().decode(TrainingSettings.self, from: Data(text.utf8)),
            (32...2048).contains(found.imageSize), found.windows.count == 3
        else { return nil }
        return found
    }

    /// Does something with the weights; that they do not fit is said with the file's name.
    package func naming<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch NetsError.weights(let problem) {
            throw Failure(.badInput, "\(path): \(problem)")
        }
    }
}

extension TorchCheckpoint.Scalar: CustomStringConvertible {
    public var description: String {
        switch self {
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        }
    }
}
