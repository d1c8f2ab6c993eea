import Basics
import Foundation
import Inputs
import Nets

/// A file of weights, read whole: .safetensors, or .pt and .pth as PyTorch writes them, packed or not.
public struct WeightsFile {
    /// Where it was read from.
    public let path: String
    /// The weights, under their backbone's own names if a backbone was asked for.
    public let tensors: [NamedTensor]
    /// What the file says about itself: the metadata of safetensors, the details of a PyTorch snapshot.
    public let metadata: [String: String]

    /// Which weights are looked for in a file that may hold more.
    public struct Wanted {
        let backbone: Backbone
        let entry: String?
        let exceptLastLayer: Bool

        /// Makes the wish for a backbone's weights.
        ///
        /// - Parameters:
        ///   - entry: which ones, if there are several: the file in an archive, the keys that lead to them, or both with a colon between.
        ///   - exceptLastLayer: whether the last layer's may be of another shape, as ImageNet's are.
        public init(_ backbone: Backbone, entry: String? = nil, exceptLastLayer: Bool = false) {
            (self.backbone, self.entry, self.exceptLastLayer) = (backbone, entry, exceptLastLayer)
        }
    }

    /// Reads a file of weights.
    ///
    /// - Parameter wanted: the weights to take, under their backbone's own names; nil takes all tensors, or those of the entry `model`.
    /// - Throws: An error whose description names the file: if it is not there, none of these, damaged, has no such weights or
    ///   several, or is an ImageNet file that is not what its name says.
    public static func read(_ path: String, _ wanted: Wanted? = nil) throws -> WeightsFile {
        let bytes = try InputFile.read(path)
        if PretrainedFile.isKnown(path) { try PretrainedFile.check(Digest.sha256(bytes), of: path) }
        do {
            return try read(bytes, path: path, wanted, entry: wanted?.entry, depth: 0)
        } catch let error as CheckpointError {
            throw Failure(.badInput, "\(path): \(error)")
        } catch NetsError.weights(let problem) {
            throw Failure(.badInput, "\(path): \(problem)")
        }
    }

    /// How the weights were trained, if the file says it, as this program's checkpoints do.
    public var training: TrainingSettings? {
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

// MARK: - Formats and packing

extension WeightsFile {
    /// A gzip in a zip, and no more.
    private static let deepestPacking = 3

    private static func read(
        _ bytes: Data, path: String, _ wanted: Wanted?, entry: String?, depth: Int
    ) throws -> WeightsFile {
        if isSafeTensors(bytes, path: path) {
            let file = try SafeTensors(parsing: bytes)
            let tensors = try wanted.map {
                try $0.backbone.ownNames(of: file.tensors, entry: entry, exceptLastLayer: $0.exceptLastLayer)
            }
            return WeightsFile(path: path, tensors: tensors ?? file.tensors, metadata: file.metadata)
        }
        if depth < deepestPacking, let packing = Packing(bytes), !isCheckpoint(bytes, packing) {
            let (unpacked, entry) = try unpacked(bytes, packing, path: path, entry: entry)
            return try read(unpacked, path: path, wanted, entry: entry, depth: depth + 1)
        }
        if let what = NotWeights.description(of: bytes) { throw Failure(.badInput, "\(path): \(what)") }
        let file =
            try wanted.map {
                try TorchCheckpoint(
                    parsing: bytes, of: $0.backbone, entry: entry, exceptLastLayer: $0.exceptLastLayer)
            } ?? TorchCheckpoint(parsing: bytes)
        return WeightsFile(path: path, tensors: file.stateDict, metadata: file.detail.mapValues(\.description))
    }

    /// Told by its name, or by its beginning: the length of a header in JSON.
    private static func isSafeTensors(_ bytes: Data, path: String) -> Bool {
        if bytes.count > 8, bytes[8] == UInt8(ascii: "{"), bytes[6] == 0, bytes[7] == 0 { return true }
        return path.hasSuffix(".safetensors") && Packing(bytes) == nil && bytes.first != 0x80
            && NotWeights.description(of: bytes) == nil
    }

    /// Whether the bytes are what `torch.save` writes or wrote: a zip of which no member is compressed, one that is cut short, or a tar
    /// that begins with one of its four members.
    private static func isCheckpoint(_ bytes: Data, _ packing: Packing) -> Bool {
        if packing == .tar {
            let first = String(decoding: bytes.prefix(100).prefix { $0 != 0 }, as: UTF8.self)
            return ["sys_info", "pickle", "storages", "tensors"].contains(first)
        }
        guard packing == .zip else { return false }
        guard let members = zipMembers(of: bytes) else { return true }
        let isCheckpoint = members.contains { isPickle($0.path) }
        return isCheckpoint && members.allSatisfy { $0.method == .stored && !$0.isEncrypted }
    }

    private static func zipMembers(of bytes: Data) -> [ZipMember]? {
        let directory = bytes.withUnsafeBytes { raw in
            ZipDirectory.read(fileSize: raw.count) { offset, count in
                [UInt8](raw[min(offset, raw.count)..<min(raw.count, offset + count)])
            }
        }
        return try? directory.get().members
    }

    private static func isPickle(_ member: String) -> Bool { member == "data.pkl" || member.hasSuffix("/data.pkl") }

    /// The one file of weights in a packed file, and what is left of the entry when that has named it.
    private static func unpacked(
        _ bytes: Data, _ packing: Packing, path: String, entry: String?
    ) throws -> (Data, String?) {
        var files: [(name: String, bytes: Data)] = []
        try packing.forEachFile(in: bytes, name: path) { files.append(($0, try $1())) }
        // A checkpoint whose members were compressed is packed again without.
        if files.contains(where: { isPickle($0.name) }) {
            let members = files.filter { $0.name.utf8.count < 1024 }.map { (name: $0.name, contents: $0.bytes) }
            guard members.count < 65_535 else {
                throw Failure(.badInput, "\(path): has \(members.count) members, which no checkpoint has.")
            }
            return (Data(TorchCheckpoint.packed(members)), entry)
        }
        // Beside other files, weights are those that begin like some; alone, anything is taken for weights.
        let likely = files.count == 1 ? files : files.filter { isLikely($0.bytes) }
        let named = likely.filter { file in
            guard let entry else { return true }
            return entry == file.name || entry.hasPrefix("\(file.name):")
        }
        // An entry may be in the file rather than its name.
        let chosen = named.isEmpty ? likely : named
        guard let file = chosen.first else {
            let names = files.prefix(10).map(\.name).joined(separator: ", ")
            throw Failure(.badInput, "\(path): has no file of weights, but: \(names.isEmpty ? "nothing" : names).")
        }
        guard chosen.count == 1 else {
            let names = chosen.prefix(10).map(\.name).joined(separator: ", ")
            throw Failure(
                .badInput, "\(path): has \(chosen.count) files of weights: \(names). Say which: --entry NAME")
        }
        guard let entry, !named.isEmpty else { return (file.bytes, entry) }
        let rest = entry.dropFirst(file.name.count + 1)
        return (file.bytes, rest.isEmpty ? nil : String(rest))
    }

    private static func isLikely(_ bytes: Data) -> Bool {
        Packing(bytes) != nil || bytes.first == 0x80 || isSafeTensors(bytes, path: "")
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
