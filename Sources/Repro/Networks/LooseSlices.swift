import Basics
import Foundation
import Inputs
import Nets
import Submit

/// Slices where they are, in a folder, an archive or a folder of archives, read a few at a time; nothing is written.
///
/// Every file whose name ends in `.dcm`, at any depth, is a slice with the rest of its name for an ID. Of a folder that the competition
/// has for the other split, none is taken. Hidden files are none.
package struct LooseSlices {
    package let input: String
    package let split: Split
    /// Undo the wrap-around of 12-bit slices.
    package let repairsWrap: Bool
    /// Changes how long it takes and nothing else.
    package let threads: Int

    package init(input: String, split: Split, repairsWrap: Bool, threads: Int) {
        self.input = input
        self.split = split
        self.repairsWrap = repairsWrap
        self.threads = threads
    }

    private struct File: Sendable {
        let id: String
        /// What errors call it.
        let name: String
        let source: Source
    }

    /// Where a slice's bytes are; all but those that had to be taken at once are read when it is their turn.
    private enum Source: Sendable {
        case file
        case member(UnpackPlan.File.Source)
        case memory([UInt8])
    }

    /// A slice has half a megabyte; a member that unpacks to more than this is none.
    private static let largestMember = 256 << 20

    /// Reads all slices, in the order of their paths or of the archive.
    ///
    /// - Parameters:
    ///   - chunk: how many slices `body` gets at a time.
    ///   - progress: what is done and what there is, in files of a folder or MiB of an archive.
    ///   - refuse: gets a message for each file that cannot be read.
    /// - Throws: ``Failure``: `inputMissing` without any `.dcm` file, `badInput` if an ID comes twice or for an archive that is cut off;
    ///   a damaged member of a zip is refused by name.
    package func read(
        chunk: Int, progress: (_ done: Int, _ all: Int) -> Void, refuse: (String) -> Void,
        _ body: (_ ids: [String], _ images: [String: HounsfieldImage]) throws -> Void
    ) throws {
        var waiting: [File] = []
        var names: [String: String] = [:]
        func add(_ path: String, name: String, source: () throws -> Source) throws {
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
            do { waiting.append(File(id: id, name: name, source: try source())) } catch let error as SliceError {
                return refuse("\(error)")
            }
            if waiting.count == chunk { try flush() }
        }
        func flush() throws {
            defer { waiting.removeAll() }
            let (ids, images) = try decode(waiting, refuse: refuse)
            if !ids.isEmpty { try body(ids, images) }
        }
        if Unpacker.isUsedInPlace(input) {
            try forEachFile(progress: progress) { path in try add(path, name: "\(input)/\(path)") { .file } }
        } else {
            let plan = try UnpackPlan.forReading(input)
            for problem in plan.damaged + plan.refused.filter({ isSlice($0.member) }) {
                refuse("\(input): \(problem.member): \(problem.reason)")
            }
            try forEachMember(of: plan, progress: progress) { file in
                let name = "\(input): \(file.name)"
                try add(file.name, name: name) {
                    guard file.size <= Self.largestMember else { throw tooLarge(name) }
                    return .member(file.source)
                }
            }
            for stream in plan.streams {
                try forEachMember(of: stream.path, progress: progress) { path, reader in
                    let name = "\(stream.path): \(path)"
                    try add(path, name: name) { .memory(try bytes(of: name, from: reader)) }
                }
            }
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

    /// The slices of zips, by their directories.
    private func forEachMember(
        of plan: UnpackPlan, progress: (Int, Int) -> Void, _ body: (UnpackPlan.File) throws -> Void
    ) throws {
        let slices = plan.files.filter { isSlice($0.name) }
        // Sizes are what the archive claims.
        let sizes = slices.map { min($0.size, Self.largestMember) }
        let all = sizes.reduce(0, +)
        var done = 0
        for (slice, size) in zip(slices, sizes) {
            try body(slice)
            done += size
            progress(done >> 20, all >> 20)
        }
    }

    /// The slices of an archive that has no directory.
    private func forEachMember(
        of archive: String, progress: (Int, Int) -> Void, _ body: (String, ArchiveReader) throws -> Void
    ) throws {
        let reader = try ArchiveReader(path: archive)
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

    private func tooLarge(_ name: String) -> SliceError {
        SliceError(kind: .badSize, path: name, detail: "larger than any slice. Remove it.")
    }

    private func bytes(of name: String, from reader: ArchiveReader) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try reader.readMember { piece in
            guard bytes.count + piece.count <= Self.largestMember else {
                throw tooLarge(name)
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }

    private func bytes(
        of name: String, _ source: UnpackPlan.File.Source, _ extractor: ZipExtractor
    ) throws -> [UInt8] {
        var bytes: [UInt8] = []
        switch source {
        case .member(let member, let region):
            bytes.reserveCapacity(member.size)
            do {
                try extractor.read(member, in: region) { bytes.append(contentsOf: $0) }
            } catch MemberProblem.damaged(let reason) {
                let detail = "is damaged: \(reason). Copy the archive again."
                throw SliceError(kind: .unreadable, path: name, detail: detail)
            }
        case .plain(let path): try FileRegion(path: path).forEachPiece { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private func image(of file: File, _ extractor: ZipExtractor) throws -> HounsfieldImage {
        let slice =
            switch file.source {
            case .file: try readImage(at: file.name)
            case .memory(let bytes): try readImage(in: bytes, name: file.name)
            case .member(let source):
                try readImage(in: try bytes(of: file.name, source, extractor), name: file.name)
            }
        return HounsfieldImage(slice, repairingWrap: repairsWrap)
    }

    private func decode(
        _ files: [File], refuse: (String) -> Void
    ) throws -> (ids: [String], images: [String: HounsfieldImage]) {
        let results = concurrentMap(files.count, threads: threads, workspace: { _ in ZipExtractor() }) {
            index, extractor in Result { try image(of: files[index], extractor) }
        }
        var (ids, images) = ([String](), [String: HounsfieldImage]())
        for (file, result) in zip(files, results) {
            do {
                images[file.id] = try result.get()
                ids.append(file.id)
            } catch let error as SliceError { refuse("\(error)") }
        }
        return (ids, images)
    }
}
