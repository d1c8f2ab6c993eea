import Basics
import Foundation
import Inputs

/// Where a command writes its result: looked at before the work begins, so that no file is lost and no hour is wasted.
struct Destination: Sendable {
    /// What a command writes, and so replaces without being told to.
    enum Content: String, Sendable {
        case table, weights
        case picture = "PNG picture"
    }

    /// As the user gave it.
    let path: String
    /// How a table is compressed, by its name; nil if it is not.
    private let compression: CompressedOutput?
    /// Whether it is `-` or `/dev/stdout`: then the result is all that goes to standard output.
    var isStandardOutput: Bool { path == "-" || path == "/dev/stdout" }

    /// - Parameters:
    ///   - inputs: the files that the command reads; `-` and pipes among them do no harm.
    ///   - force: whether a file of another kind is replaced too.
    /// - Throws: ``Failure``: `badUsage` if it is one of the inputs or a file of another kind, `inputOutput` if it is a folder or
    ///   cannot be written.
    init(_ path: String, _ content: Content, inputs: [String], force: Bool) throws {
        self.path = path
        compression = content == .table ? CompressedOutput(path: path) : nil
        guard !isStandardOutput else { return }
        guard !path.isEmpty else { throw Failure(.badUsage, "--out: expected a file's name, found nothing.") }
        let suffix = (path as NSString).pathExtension.lowercased()
        if content == .table, Self.otherFormats.contains(suffix) {
            throw Failure(
                .badUsage,
                "--out \(path): a table is written as CSV, plain or compressed as .gz, .bz2 or .xz, and not as .\(suffix). Give another name."
            )
        }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            if let input = inputs.first(where: { Self.isSame($0, status) }) {
                throw Failure(
                    .badUsage,
                    "--out \(path): this command reads it\(input == path ? "" : " as \(input)"), and would lose it. Give another name."
                )
            }
            if !force, status.st_size > 0, !content.isThat(of: path) {
                throw Failure(
                    .badUsage,
                    "--out \(path): is there already and no \(content.rawValue). Give another name, or --force to replace it."
                )
            }
        }
        try AtomicFile.check(path)
    }

    /// Writes the whole result.
    func write(_ bytes: some ContiguousBytes) throws {
        if isStandardOutput { return Console.write(bytes) }
        guard let compression else { return try AtomicFile.write(bytes, to: path) }
        try AtomicFile.write(try bytes.withUnsafeBytes { try compression.packed($0) }, to: path)
    }

    /// Writes the result piece by piece.
    func write(_ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        if isStandardOutput { return try body { Console.write($0) } }
        guard compression != nil else { return try AtomicFile.write(to: path, body) }
        var whole = Data()
        try body { whole.append(contentsOf: $0) }
        try write(whole)
    }

    /// What programs take for something else than CSV by its name.
    private static let otherFormats: Set = [
        "zip", "zst", "7z", "tar", "tgz", "xlsx", "xls", "ods", "parquet", "feather", "npy", "npz",
    ]

    private static func isSame(_ input: String, _ output: stat) -> Bool {
        var status = stat()
        return stat(input, &status) == 0 && status.st_dev == output.st_dev && status.st_ino == output.st_ino
    }
}

extension Destination.Content {
    /// Whether a file that is there looks like one of these; one that cannot be read does not.
    fileprivate func isThat(of path: String) -> Bool {
        guard let region = try? FileRegion(path: path), let start = try? region.bytes(at: 0, count: 4096) else {
            return false
        }
        switch self {
        case .table:
            if start.starts(with: [0x1F, 0x8B]) { return path.hasSuffix(".gz") }
            if start.starts(with: Array("BZh".utf8)) { return path.hasSuffix(".bz2") }
            if start.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) { return path.hasSuffix(".xz") }
            let line = start.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            return !start.contains(0) && line.contains(UInt8(ascii: ","))
        case .weights:
            // Safetensors, the zip and the pickle of PyTorch.
            return start.dropFirst(8).first == UInt8(ascii: "{") || start.starts(with: [0x50, 0x4B, 3, 4])
                || start.starts(with: [0x80])
        case .picture: return start.starts(with: [0x89, 0x50, 0x4E, 0x47])
        }
    }
}
