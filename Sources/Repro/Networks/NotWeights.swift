import Basics
import Foundation

/// What lies where weights were expected: a file that was never downloaded, or one of another program.
enum NotWeights {
    /// What the bytes are and what to do, as the rest of a sentence about the file; nil if they may be weights.
    static func description(of bytes: Data) -> String? {
        if let impostor = Impostor.found(in: bytes.prefix(512)) { return impostor }
        if bytes.isEmpty { return "is empty. Copy or download it again." }
        let binary: [([UInt8], String)] = [
            ([0x89] + Array("HDF\r\n".utf8), "is an HDF5 file, as Keras writes weights; PyTorch's are read"),
            ([0x93] + Array("NUMPY".utf8), "is a NumPy array; PyTorch's weights are read"),
            (Array("PAR1".utf8), "is a Parquet table, no weights"), (Array("%PDF".utf8), "is a PDF, no weights"),
        ]
        if let (_, what) = binary.first(where: { bytes.starts(with: $0.0) }) { return "\(what)." }
        // Text throughout, so that no binary file whose first bytes happen to be letters is taken for it.
        guard bytes.prefix(64).allSatisfy({ (0x20..<0x7F).contains($0) || [9, 10, 13].contains($0) }) else {
            return nil
        }
        let line = String(decoding: bytes.prefix(64), as: UTF8.self).prefix { !$0.isNewline }
        return "is text, no weights; it begins: \(line)"
    }
}
