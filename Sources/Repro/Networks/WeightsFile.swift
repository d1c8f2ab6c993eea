import Basics
import Foundation
import Inputs
import Nets

/// A file of weights, read whole: .safetensors, or .pt and .pth as PyTorch writes them.
package struct WeightsFile {
    package let path: String
    /// All tensors in the file, those of each dict of a PyTorch snapshot apart.
    package let sets: [TensorSet]
    /// Which of them to take, if several fit.
    package var entry: String?
    /// What the file says about itself: the metadata of safetensors, the details of a PyTorch snapshot.
    package let metadata: [String: String]

    /// - Throws: ``Failure`` that names the file: `inputMissing`, or `badInput` if it is none of these, damaged, or an ImageNet file
    ///   that is not what its name says.
    package static func read(_ path: String) throws -> WeightsFile {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.inputMissing, "\(path): cannot be read. Check that it exists and is readable.")
        }
        if let impostor = Impostor.found(in: bytes.prefix(512)) { throw Failure(.badInput, "\(path): \(impostor)") }
        if PretrainedFile.isKnown(path) { try PretrainedFile.check(Digest.sha256(bytes), of: path) }
        do {
            let isGzip = bytes.starts(with: [0x1F, 0x8B])
            return try WeightsFile(path: path, isGzip ? CompressedInput.unpacked(bytes, name: path) : bytes)
        } catch let error as CheckpointError {
            // A zip that is not PyTorch's own is what a download site packed the file into.
            guard error.fault == .unsupported, error.place == "the zip directory" else {
                throw Failure(.badInput, "\(path): \(error)")
            }
            let inner = try CompressedInput.unpacked(bytes, name: path)
            do { return try WeightsFile(path: path, inner) } catch {
                throw Failure(.badInput, "\(path): the file in it: \(error)")
            }
        }
    }

    private init(path: String, _ bytes: Data) throws(CheckpointError) {
        self.path = path
        if bytes.dropFirst(8).first == UInt8(ascii: "{") {
            let file = try SafeTensors(parsing: bytes)
            (sets, metadata) = ([TensorSet(name: "", tensors: file.tensors)], file.metadata)
        } else {
            let file = try TorchCheckpoint(parsing: bytes)
            (sets, metadata) = (file.sets, file.detail.mapValues(\.description))
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

    /// The file's own tensors, or those of its first dict.
    package var tensors: [NamedTensor] { sets.first?.tensors ?? [] }

    /// The weights of a backbone in the file, under its own names.
    ///
    /// - Throws: ``Failure`` with status `badInput` that names the file, if there are none or several.
    package func weights(of backbone: Backbone) throws -> [NamedTensor] {
        try naming { try backbone.weights(in: sets, entry: entry) }
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
