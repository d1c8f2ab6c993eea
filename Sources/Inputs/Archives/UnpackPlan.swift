import Basics
import Foundation

/// What an archive, or a folder of archives, unpacks to: every file with its place and the place of its bytes.
///
/// A zip inside an archive is unpacked too, into a folder with its name (without `.zip`), or beside it if all that is in it has
/// that name already: `stage_1_train_images.zip` becomes `stage_1_train_images/`.
package struct UnpackPlan {
    /// A file to be written.
    package struct File: Sendable {
        package enum Source: Sendable {
            case member(ZipMember, FileRegion)
            /// A file that lies beside the archives in a folder of archives.
            case plain(String)
        }
        /// Relative to the destination.
        package var name: String
        package var size: Int
        package var source: Source
    }

    package private(set) var files: [File] = []
    package private(set) var folders: [String] = []
    /// Archives that can only be read from front to back, and the folder for what is in them.
    package private(set) var streams: [(path: String, folder: String)] = []
    package private(set) var refused: [Unpacker.Problem] = []
    package private(set) var damaged: [Unpacker.Problem] = []
    /// Names that are taken.
    package private(set) var names: Set<String> = []
    private var neededFolders: Set<String> = []
    /// Unpacks a compressed zip that lies in an archive to a file of its own.
    private let unpackNested: (ZipMember, FileRegion, _ number: Int) throws -> FileRegion
    private var nestedCount = 0

    /// A zip in a zip in a folder is as deep as anybody packs; a zip that contains itself has no end.
    private static let deepest = 2

    package init(unpackNested: @escaping (ZipMember, FileRegion, _ number: Int) throws -> FileRegion) {
        self.unpackNested = unpackNested
    }

    /// The plan of an archive that is only read. A zip that is compressed inside another one has to be somewhere to be read: in a
    /// temporary file without a name, of which nothing is left, however the program ends.
    package static func forReading(_ archive: String) throws -> UnpackPlan {
        var plan = UnpackPlan { member, region, _ in
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("repro-\(UUID().uuidString)").path
            let file = try OutputFile(at: path, naming: path)
            defer { file.close() }
            unlink(path)
            try ZipExtractor().read(member, in: region) { try file.append($0) }
            return try file.region()
        }
        try plan.add(archive)
        return plan
    }

    /// Adds an archive, or every archive and file of a folder.
    package mutating func add(_ path: String) throws {
        guard isFolder(path) else { return try addArchive(path, folder: "", isOutermost: true) }
        for name in try namesInFolder(path) where !name.hasPrefix(".") {
            let file = path + "/" + name
            guard let facts = FileFacts(following: file) else { continue }
            if ArchiveNames.isVolumeBesideOthers(file) { throw ZipArchive.isVolume(file) }
            if ArchiveNames.isArchive(name) {
                try addArchive(file, folder: ArchiveNames.stem(name), isOutermost: false)
            } else if accept(name, kind: .file) {
                files.append(File(name: name, size: Int(facts.size), source: .plain(file)))
            }
        }
    }

    /// What lies in a folder of archives and is no file, hidden names aside.
    package static func passedOver(in path: String) throws -> [Fingerprint.PassedOver] {
        guard isFolder(path) else { return [] }
        return try namesInFolder(path).filter { !$0.hasPrefix(".") }.map { path + "/" + $0 }
            .filter { FileFacts(following: $0) == nil }
            .map { .init(path: $0, reason: isFolder($0) ? "a folder beside archives" : "no file, and no link to one") }
    }

    private mutating func addArchive(_ path: String, folder: String, isOutermost: Bool) throws {
        guard let archive = try ZipArchive(of: try FileRegion(path: path)) else {
            return streams.append((path, folder))
        }
        let isBeside = !isOutermost && archive.members.allSatisfy { ArchiveNames.isBelow($0.path, folder) }
        try add(archive, below: isOutermost || isBeside ? "" : folder + "/", depth: isOutermost ? 0 : 1)
    }

    private mutating func add(_ archive: ZipArchive, below folder: String, depth: Int) throws {
        // In the order in which they lie in the archive, so that the disk reads on.
        for member in archive.members.sorted(by: { $0.offset < $1.offset }) {
            let path = folder + member.path
            guard accept(path, kind: member.kind) else { continue }
            let name = UnpackDestination.normalized(path)
            if member.kind == .folder {
                guard member.size == 0 else {
                    damaged.append(
                        .init(
                            member: name,
                            reason: "the archive's directory says that it is a folder, and that it has bytes"))
                    continue
                }
                folders.append(name)
            } else if depth < Self.deepest, ArchiveNames.isZip(name) {
                try addNested(member, name: name, in: archive.region, depth: depth)
            } else {
                files.append(File(name: name, size: member.size, source: .member(member, archive.region)))
            }
        }
    }

    private mutating func addNested(_ member: ZipMember, name: String, in region: FileRegion, depth: Int) throws {
        let archive: ZipArchive?
        do {
            archive = try ZipArchive(of: try nestedRegion(member, name: name, in: region))
        } catch MemberProblem.damaged(let reason) {
            return damaged.append(.init(member: name, reason: reason))
        } catch let failure as Failure where failure.status == .badInput {
            return damaged.append(.init(member: name, reason: failure.message))
        }
        guard let archive else {
            return damaged.append(
                .init(
                    member: name,
                    reason: "a zip inside the archive that has no directory, is damaged or needs another program"))
        }
        let folder = ArchiveNames.stem(name)
        let last = (folder as NSString).lastPathComponent
        let isBeside = archive.members.allSatisfy { ArchiveNames.isBelow($0.path, last) }
        let parent = (name as NSString).deletingLastPathComponent
        try add(archive, below: isBeside ? (parent.isEmpty ? "" : parent + "/") : folder + "/", depth: depth + 1)
    }

    /// Where a nested zip's bytes lie: in the archive if it is stored, else in a file that it is unpacked to.
    private mutating func nestedRegion(_ member: ZipMember, name: String, in region: FileRegion) throws -> FileRegion {
        if member.method == .stored,
            let part = region.part(
                "\(region.name): \(name)", offset: try ZipExtractor().contentStart(of: member, in: region),
                size: member.size)
        {
            return part
        }
        nestedCount += 1
        return try unpackNested(member, region, nestedCount)
    }

    /// Whether a member may be written; notes why not. A path that comes twice is the first one's.
    package mutating func accept(_ path: String, kind: ArchiveReader.Member.Kind) -> Bool {
        let reason =
            UnpackDestination.refusal(of: path, kind: kind) ?? conflict(UnpackDestination.normalized(path), kind: kind)
        if let reason { refused.append(.init(member: path, reason: reason)) }
        return reason == nil
    }

    /// What stands where a member wants to go; nil if the place was free and is now the member's.
    private mutating func conflict(_ name: String, kind: ArchiveReader.Member.Kind) -> String? {
        let folder = kind == .folder ? name : name.lastIndex(of: "/").map { String(name[..<$0]) } ?? ""
        if let file = fileOnTheWay(to: folder) { return "it needs a folder where the archive has the file \(file)" }
        guard kind == .file else { return nil }
        if neededFolders.contains(name) { return "it needs a file where the archive has a folder" }
        return names.insert(name).inserted ? nil : "the archive has this path twice; the first is kept"
    }

    /// A file of the archive where a folder, or one that it lies in, has to be; notes the folders.
    private mutating func fileOnTheWay(to folder: String) -> String? {
        guard !folder.isEmpty, !neededFolders.contains(folder) else { return nil }
        if names.contains(folder) { return folder }
        if let end = folder.lastIndex(of: "/"), let file = fileOnTheWay(to: String(folder[..<end])) { return file }
        neededFolders.insert(folder)
        return nil
    }
}

/// What the names of archives say.
package enum ArchiveNames {
    private static let suffixes = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z"]

    package static func isZip(_ name: String) -> Bool { name.lowercased().hasSuffix(".zip") }

    package static func isArchive(_ name: String) -> Bool { suffixes.contains { name.lowercased().hasSuffix($0) } }

    /// The name without what says that it is an archive.
    package static func stem(_ name: String) -> String {
        let length = suffixes.filter { name.lowercased().hasSuffix($0) }.map(\.count).max() ?? 0
        return String(name.dropLast(length))
    }

    /// Whether a name is that of one volume of a split archive: `.z01`, or an archive's name and `.001`, `.part2`, `.aa` or the like.
    package static func isVolume(_ path: String) -> Bool {
        let name = (path as NSString).lastPathComponent.lowercased()
        if name.wholeMatch(of: /.*\.z[0-9]{2,}/) != nil { return true }
        // wget names a second download `.1`.
        let endings = [
            /[._-]?part[._-]?[0-9]{1,4}$/, /[._-]?[0-9]{2,4}$/, /(?:[._-]|[._-]part[._-]?)?[a-f][a-z]$/,
            /[._-]?aa[a-z]$/,
        ]
        return endings.contains { isArchive(name.replacing($0, with: "")) && !isArchive(name) }
    }

    /// Whether it is, and another volume lies beside it.
    static func isVolumeBesideOthers(_ path: String) -> Bool {
        let (folder, name) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
        guard isVolume(path), let names = try? namesInFolder(folder.isEmpty ? "." : folder) else { return false }
        return names.contains {
            $0 != name && $0.count == name.count && $0.dropLast(3) == name.dropLast(3) && isVolume($0)
        }
    }

    /// Whether a member's path starts with a folder, or is it.
    package static func isBelow(_ path: String, _ folder: String) -> Bool {
        let normal = UnpackDestination.normalized(path)
        return normal == folder || normal.hasPrefix(folder + "/")
    }

    /// What goes before the members of an archive that is read from front to back: nothing if its first member is in the folder.
    package static func prefix(firstMember path: String, folder: String) -> String {
        folder.isEmpty || isBelow(path, folder) ? "" : folder + "/"
    }

    /// Whether a folder holds archives to unpack, rather than unpacked slices.
    package static func isFolderOfArchives(_ path: String) -> Bool {
        guard isFolder(path), !CompetitionFolder.isUnpacked(path) else { return false }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.contains { isArchive($0) && !isFolder(path + "/" + $0) }
    }
}
