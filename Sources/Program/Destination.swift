import Basics
import Foundation
import Inputs
import Repro

/// Where a command writes its result: looked at before the work begins, so that no file is lost and no hour is wasted.
struct Destination: Sendable {
    /// What a command writes, and so replaces without being told to.
    enum Content: String, Sendable {
        case predictions = "table of predictions (ID,Label)"
        case slices = "table of the catalog's slices"
        case weights = "file of weights"
        case picture = "PNG picture"

        /// Whether it is CSV, plain or compressed.
        var isTable: Bool { self == .predictions || self == .slices }
    }

    /// As the user gave it.
    let path: String
    /// How a table is compressed, by its name; nil if it is not.
    private let compression: CompressedOutput?
    /// Whether it is `-` or `/dev/stdout`: then the result is all that goes to standard output.
    var isStandardOutput: Bool { path == "-" || path == "/dev/stdout" }

    /// - Parameters:
    ///   - inputs: the files that the command reads, and the folders whose files it reads; `-` is standard input.
    ///   - force: whether a file of another kind is replaced too.
    /// - Throws: ``Failure``: `badUsage` if it is one of the inputs, a work directory's own or a file of another kind, `inputOutput`
    ///   if it is a folder or cannot be written.
    init(_ path: String, _ content: Content, inputs: [String], force: Bool) throws {
        self.path = path
        compression = content.isTable ? CompressedOutput(path: path) : nil
        guard !isStandardOutput else { return }
        guard !path.isEmpty else { throw Failure(.badUsage, "--out: expected a file's name, found nothing.") }
        let suffix = (path as NSString).pathExtension.lowercased()
        if content.isTable, Self.otherFormats.contains(suffix) {
            throw Failure(
                .badUsage,
                "--out \(path): a table is written as CSV, plain or compressed as .gz, .bz2 or .xz, and not as .\(suffix). Give another name."
            )
        }
        if let owner = WorkFolder.owner(of: path) {
            throw Failure(
                .badUsage,
                "--out \(path): lies among the own files of the work directory \(owner), which only its run writes. Give another name."
            )
        }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            let isSameKind = status.st_size == 0 || content.isThat(of: path)
            if let input = inputs.first(where: { Self.isRead(path, status, isSameKind, as: $0) }) {
                let place = input == path ? "" : isFolder(input) ? " in \(input)" : " as \(InputBytes.name(input))"
                throw Failure(
                    .badUsage,
                    "--out \(path): this command reads it\(place), and would lose it. Give another name."
                )
            }
            if !force, !isSameKind {
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

    /// Whether a file is a table with the columns ID and Label.
    static func isPredictions(_ path: String) -> Bool { Content.predictions.isThat(of: path) }

    /// What programs take for something else than CSV by its name.
    private static let otherFormats: Set = [
        "zip", "zst", "7z", "tar", "tgz", "xlsx", "xls", "ods", "parquet", "feather", "npy", "npz",
    ]

    /// Whether a file that is there is an input, or is in one that is a folder: there a file of the kind that is written, a result of
    /// before say, is not what the folder is read for, but for the competition's tables.
    private static func isRead(_ path: String, _ output: stat, _ isSameKind: Bool, as input: String) -> Bool {
        func isOutput(_ status: stat) -> Bool { status.st_dev == output.st_dev && status.st_ino == output.st_ino }
        var status = stat()
        guard (input == "-" ? fstat(STDIN_FILENO, &status) : stat(input, &status)) == 0 else { return false }
        guard input != "-", status.st_mode & S_IFMT == S_IFDIR else { return isOutput(status) }
        let (folder, place) = (resolvedPath(input), resolvedPath(path))
        if place.hasPrefix(folder == "/" ? folder : folder + "/") {
            return !isSameKind || fileName(place).hasPrefix("stage_")
        }
        guard !isSameKind else { return false }
        // Behind a link in the folder it may have another name.
        var found = false
        func look(_ name: String) {
            var status = stat()
            if stat("\(input)/\(name)", &status) == 0, isOutput(status) { found = true }
        }
        // A folder that cannot be listed the command itself reports.
        try? SliceFolder.forEach(in: input, passOver: { look($0.path) }, { look($1) })
        return found
    }
}

extension Destination.Content {
    /// Whether a file that is there looks like one of these; one that cannot be read does not.
    fileprivate func isThat(of path: String) -> Bool {
        guard let region = try? FileRegion(path: path), let start = try? region.bytes(at: 0, count: 4096) else {
            return false
        }
        switch self {
        case .predictions: return columns(of: path, start) == ["id", "label"]
        case .slices: return columns(of: path, start).prefix(3) == ["id", "labels", "patientid"]
        case .weights:
            // Safetensors, whose header is less than 4 GB; the zip and the older file of PyTorch, by the pickle of the one and the
            // magic number of the other (torch/serialization.py).
            return start.dropFirst(4).starts(with: [0, 0, 0, 0, UInt8(ascii: "{")])
                || start.starts(with: [0x50, 0x4B, 3, 4])
                    && String(decoding: start, as: UTF8.self).contains("data.pkl")
                || start.starts(with: [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19])
        case .picture: return start.starts(with: [0x89, 0x50, 0x4E, 0x47])
        }
    }

    /// The columns that a table's first line names, in small letters; none if it is no table, or compressed and not named so.
    private func columns(of path: String, _ start: [UInt8]) -> [String] {
        var start = start[...]
        if Packing(Data(start)) != nil {
            guard CompressedOutput(path: path) != nil, let table = try? InputBytes.read(path) else { return [] }
            start = [UInt8](table.prefix(4096))[...]
        }
        if start.starts(with: [0xEF, 0xBB, 0xBF]) { start = start.dropFirst(3) }
        let line = start.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        return String(decoding: line, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: CharacterSet(charactersIn: " \"")).lowercased()
        }
    }
}
