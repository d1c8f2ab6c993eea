import Basics
import Foundation
import Inputs
import Nets
import Submit

/// Slices where they are, in a folder, an archive or a folder of archives, read a few at a time; nothing is written.
///
/// Which files are slices, at any depth, ``SliceFileName`` decides. Of a folder that the competition has for the other split, none is taken.
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

    /// Ends the reading of a member whose beginning is enough.
    private struct EnoughRead: Error {}

    /// A slice has half a megabyte; a member that unpacks to more than this is none.
    private static let largestMember = 256 << 20

    /// Reads all slices, in the order of their paths or of the archive.
    ///
    /// - Parameters:
    ///   - chunk: how many slices `body` gets at a time.
    ///   - progress: what is done and what there is, in files of a folder or MiB of an archive.
    ///   - refuse: gets a message for each slice that cannot be read.
    ///   - passOver: gets each file that is no slice.
    ///   - notice: gets what was odd about each slice that was read all the same.
    /// - Throws: ``Failure``: `badInput` without any slice, if an ID comes twice, or for an archive that is cut off; a damaged member of
    ///   a zip is refused by name.
    package func read(
        chunk: Int, progress: (_ done: Int, _ all: Int) -> Void, refuse: (String) -> Void,
        passOver: (PassedFile) -> Void, notice: ([SliceQuirk]) -> Void,
        _ body: (_ ids: [String], _ images: [String: HounsfieldImage]) throws -> Void
    ) throws {
        var waiting: [File] = []
        var names: [String: String] = [:]
        func add(_ id: String, name: String, source: () throws -> Source) throws {
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
            let (ids, images) = try decode(waiting, refuse: refuse, notice: notice)
            if !ids.isEmpty { try body(ids, images) }
        }
        if Unpacker.isUsedInPlace(input) {
            var files: [(id: String, path: String)] = []
            try SliceFolder.forEach(in: input, skips: isOfOtherSplit, passOver: passOver) { files.append(($0, $1)) }
            for (index, file) in files.enumerated() {
                try add(file.id, name: "\(input)/\(file.path)") { .file }
                progress(index + 1, files.count)
            }
        } else if isSlice(input) {
            let name = SliceFileName(fileName(input))
            switch name {
            case .slice(let id), .perhaps(let id): try add(id, name: input) { .file }
            case .other: try add(fileName(input), name: input) { .file }
            }
            progress(1, 1)
        } else {
            let plan = try UnpackPlan.forReading(input)
            for problem in plan.damaged
                + plan.refused.filter({ !isOfOtherSplit(folderName($0.member)) })
            {
                refuse("\(input): \(problem.member): \(problem.reason)")
            }
            try forEachMember(of: plan, progress: progress, passOver: passOver) { id, file in
                let name = "\(input): \(file.name)"
                try add(id, name: name) {
                    guard file.size <= Self.largestMember else { throw tooLarge(name) }
                    return .member(file.source)
                }
            }
            for stream in plan.streams {
                try forEachMember(of: stream.path, progress: progress, passOver: passOver) { id, path, bytes in
                    try add(id, name: "\(stream.path): \(path)") { .memory(try bytes()) }
                }
            }
        }
        try flush()
        guard !names.isEmpty else {
            throw Failure(
                .badInput,
                "\(input): no slice here to predict. Give a folder or an archive with DICOM files in it, and --split train for the competition's training slices."
            )
        }
    }

    /// Whether the input is one DICOM file, no archive.
    private func isSlice(_ path: String) -> Bool {
        guard !isFolder(path) else { return false }
        if case .slice = SliceFileName(fileName(path)) { return true }
        return SliceFileName.startsAsDICOM(path)
    }

    /// The slices of zips, by their directories.
    private func forEachMember(
        of plan: UnpackPlan, progress: (Int, Int) -> Void, passOver: (PassedFile) -> Void,
        _ body: (_ id: String, UnpackPlan.File) throws -> Void
    ) throws {
        let files = plan.files.filter { !isOfOtherSplit(folderName($0.name)) }
        // Sizes are what the archive claims.
        let sizes = files.map { min($0.size, Self.largestMember) }
        let all = sizes.reduce(0, +)
        let extractor = ZipExtractor()
        var done = 0
        for (file, size) in zip(files, sizes) {
            switch name(of: file.name) {
            case .slice(let id): try body(id, file)
            case .other: passOver(.init(noSlice: file.name))
            case .perhaps(let id):
                // One whose beginning cannot be read is damaged as a slice would be.
                let start = (try? beginning(of: file.source, extractor)) ?? []
                if SliceFileName.startsAsDICOM(start) {
                    try body(id, file)
                } else {
                    passOver(.init(noSlice: file.name))
                }
            }
            done += size
            progress(done >> 20, all >> 20)
        }
    }

    /// The slices of an archive that has no directory; their bytes are read when they are asked for.
    private func forEachMember(
        of archive: String, progress: (Int, Int) -> Void, passOver: (PassedFile) -> Void,
        _ body: (_ id: String, _ path: String, _ bytes: () throws -> [UInt8]) throws -> Void
    ) throws {
        let reader = try ArchiveReader(path: archive)
        while let member = try reader.nextMember() {
            defer { progress(reader.position >> 20, reader.size >> 20) }
            guard member.kind == .file, !isOfOtherSplit(folderName(member.path)) else {
                continue
            }
            let full = "\(archive): \(member.path)"
            switch name(of: member.path) {
            case .slice(let id): try body(id, member.path) { try bytes(of: full, from: reader) }
            case .other: passOver(.init(noSlice: member.path))
            case .perhaps(let id):
                let bytes = try bytes(of: full, from: reader, ifDICOM: true)
                if SliceFileName.startsAsDICOM(bytes) {
                    try body(id, member.path) { bytes }
                } else {
                    passOver(.init(noSlice: member.path))
                }
            }
        }
    }

    /// What a member's name tells; a hidden folder hides what is in it.
    private func name(of path: String) -> SliceFileName {
        let parts = path.split(separator: "/").map(String.init)
        let isHidden = parts.contains { $0.hasPrefix(".") && $0 != "." && $0 != ".." }
        return isHidden ? .other : SliceFileName(parts.last ?? "")
    }

    /// Whether a folder is, or lies in, the competition's of the other split.
    private func isOfOtherSplit(_ folder: String) -> Bool {
        let others = Set(Split.allCases.filter { $0 != split }.flatMap(CompetitionFolder.imageFolders))
        return folder.split(separator: "/").contains { others.contains(String($0)) }
    }

    private func tooLarge(_ name: String) -> SliceError {
        SliceError(kind: .badSize, path: name, detail: "larger than any slice. Remove it.")
    }

    /// - Parameter ifDICOM: no more than the beginning of what is not DICOM.
    private func bytes(of name: String, from reader: ArchiveReader, ifDICOM: Bool = false) throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            try reader.readMember { piece in
                guard bytes.count + piece.count <= Self.largestMember else { throw tooLarge(name) }
                bytes.append(contentsOf: piece)
                if ifDICOM, bytes.count >= SliceFileName.telling, !SliceFileName.startsAsDICOM(bytes) {
                    throw EnoughRead()
                }
            }
        } catch is EnoughRead {}
        return bytes
    }

    /// As much of a file as tells what it is.
    private func beginning(of source: UnpackPlan.File.Source, _ extractor: ZipExtractor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ piece: UnsafeRawBufferPointer) throws {
            bytes.append(contentsOf: piece.prefix(SliceFileName.telling))
            if bytes.count >= SliceFileName.telling { throw EnoughRead() }
        }
        do {
            switch source {
            case .member(let member, let region): try extractor.read(member, in: region, append)
            case .plain(let path): try FileRegion(path: path).forEachPiece(append)
            }
        } catch is EnoughRead {}
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

    private func image(
        of file: File, _ extractor: ZipExtractor
    ) throws -> (image: HounsfieldImage, quirks: [SliceQuirk]) {
        let slice =
            switch file.source {
            case .file: try readImage(at: file.name)
            case .memory(let bytes): try readImage(in: bytes, name: file.name)
            case .member(let source):
                try readImage(in: try bytes(of: file.name, source, extractor), name: file.name)
            }
        return (HounsfieldImage(slice, repairingWrap: repairsWrap), slice.header.quirks)
    }

    private func decode(
        _ files: [File], refuse: (String) -> Void, notice: ([SliceQuirk]) -> Void
    ) throws -> (ids: [String], images: [String: HounsfieldImage]) {
        let results = concurrentMap(files.count, threads: threads, workspace: { _ in ZipExtractor() }) {
            index, extractor in Result { try image(of: files[index], extractor) }
        }
        var (ids, images) = ([String](), [String: HounsfieldImage]())
        for (file, result) in zip(files, results) {
            do {
                let read = try result.get()
                images[file.id] = read.image
                ids.append(file.id)
                notice(read.quirks)
            } catch let error as SliceError { refuse("\(error)") }
        }
        return (ids, images)
    }
}
