import Foundation
import Nets
import Submit

/// Slices where they are, in a folder or an archive, read a few at a time; nothing is written.
///
/// Every file whose name ends in `.dcm`, at any depth, is a slice with the rest of its name for an ID. Of a folder that the competition
/// has for the other split, none is taken. Hidden files are none.
struct LooseSlices {
    let input: String
    let split: Split
    /// Undo the wrap-around of 12-bit slices.
    let repairsWrap: Bool
    /// Changes how long it takes and nothing else.
    let threads: Int

    private struct File: Sendable {
        let id: String
        /// What errors call it.
        let name: String
        /// nil for a file on disk, which is read when it is its turn.
        let bytes: [UInt8]?
    }

    /// A slice has half a megabyte; a member that unpacks to more than this is none.
    private static let largestMember = 256 << 20

    /// Reads all slices, in the order of their paths or of the archive.
    ///
    /// - Parameters:
    ///   - chunk: how many slices `body` gets at a time.
    ///   - progress: what is done and what there is, in files of a folder or MiB of an archive.
    ///   - refuse: gets a message for each file that cannot be read.
    /// - Throws: ``Failure``: `inputMissing` without any `.dcm` file, `badInput` for a damaged archive or if an ID comes twice.
    func read(
        chunk: Int, progress: (_ done: Int, _ all: Int) -> Void, refuse: (String) -> Void,
        _ body: (_ ids: [String], _ images: [String: HounsfieldImage]) throws -> Void
    ) throws {
        var waiting: [File] = []
        var names: [String: String] = [:]
        func add(_ path: String, name: String, bytes: () throws -> [UInt8]?) throws {
            let id = String((path as NSString).lastPathComponent.dropLast(4))
            guard PredictionTable.isSliceID(id) else {
                return refuse("\(name): a slice's ID has letters, digits, '_', '-' and '.' only. Rename the file.")
            }
            if let other = names.updateValue(name, forKey: id) {
                throw Failure(
                    .badInput,
                    "\(name): has the same name as \(other), and names are the slices' IDs. Give one of their folders at a time, or rename one."
                )
            }
            do { waiting.append(File(id: id, name: name, bytes: try bytes())) } catch let error as SliceError {
                return refuse("\(error)")
            }
            if waiting.count == chunk { try flush() }
        }
        func flush() throws {
            defer { waiting.removeAll() }
            let (ids, images) = decode(waiting, refuse: refuse)
            if !ids.isEmpty { try body(ids, images) }
        }
        try InputStages.isFolder(input)
            ? forEachFile(progress: progress) { try add($0, name: "\(input)/\($0)") { nil } }
            : forEachMember(progress: progress) { path, reader in
                let name = "\(input): \(path)"
                try add(path, name: name) { try bytes(of: name, from: reader) }
            }
        try flush()
        guard !names.isEmpty else {
            throw Failure(
                .inputMissing,
                "\(input): no .dcm file here to predict. Give a folder or an archive with slices in it, and --split train for the competition's training slices."
            )
        }
    }

    private func forEachFile(progress: (Int, Int) -> Void, _ body: (String) throws -> Void) throws {
        // The slash follows a link that the folder itself may be.
        let paths = (FileManager.default.subpaths(atPath: input + "/") ?? []).filter(isSlice).sorted()
        for (index, path) in paths.enumerated() {
            try body(path)
            progress(index + 1, paths.count)
        }
    }

    private func forEachMember(
        progress: (Int, Int) -> Void, _ body: (String, ArchiveReader) throws -> Void
    ) throws {
        let reader = try ArchiveReader(path: input)
        while let member = try reader.nextMember() {
            if member.kind == .file, isSlice(member.path) { try body(member.path, reader) }
            progress(reader.position >> 20, reader.size >> 20)
        }
    }

    private func isSlice(_ path: String) -> Bool {
        let parts = path.split(separator: "/")
        guard let name = parts.last, !name.hasPrefix("."), name.lowercased().hasSuffix(".dcm") else { return false }
        let others = Set(Split.allCases.filter { $0 != split }.flatMap(CompetitionFolder.imageFolders))
        return !parts.dropLast().contains { others.contains(String($0)) }
    }

    private func bytes(of name: String, from reader: ArchiveReader) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try reader.readMember { piece in
            guard bytes.count + piece.count <= Self.largestMember else {
                throw SliceError(kind: .badSize, path: name, detail: "larger than any slice. Remove it.")
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }

    private func decode(
        _ files: [File], refuse: (String) -> Void
    ) -> (ids: [String], images: [String: HounsfieldImage]) {
        let results = mapInParallel(count: files.count, threads: threads) { index in
            let file = files[index]
            return Result { () throws(SliceError) in
                guard let bytes = file.bytes else { return try readImage(at: file.name, repairingWrap: repairsWrap) }
                return try readImage(in: bytes, name: file.name, repairingWrap: repairsWrap)
            }
        }
        var (ids, images) = ([String](), [String: HounsfieldImage]())
        for (file, result) in zip(files, results) {
            switch result {
            case .success(let image):
                ids.append(file.id)
                images[file.id] = image
            case .failure(let error): refuse("\(error)")
            }
        }
        return (ids, images)
    }
}
