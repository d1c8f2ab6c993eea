import Basics
import Foundation

/// Unpacks an archive into a folder and fingerprints every file in the same pass, several members at once.
///
/// Takes a zip (also zip64, also with zips inside), a tar, a 7-zip, or a folder of such archives; a folder that is unpacked already
/// is fingerprinted where it is. Each file is whole or absent; the manifest is written last, so a folder with a `manifest.sha256` is
/// complete. Run again after an interruption, it keeps the files that its journal vouches for and makes the others.
package struct Unpacker {
    /// An archive, a folder of archives, or a folder that is already unpacked.
    package let archive: String
    package let destination: String
    /// Changes how long it takes and nothing else.
    package var threads = Machine.availableProcessors
    /// Removes files that are not the archive's from the destination, which then must be the program's own.
    package var removesStrays = false
    /// Bytes free on the disk that a path is on, if that can be told.
    package var freeBytes: (String) -> Int? = Machine.freeBytes

    package init(archive: String, destination: String, threads: Int = Machine.availableProcessors) {
        self.archive = archive
        self.destination = destination
        self.threads = threads
    }

    /// Why a member was not unpacked.
    package struct Problem: Sendable, Codable, Equatable {
        package var member: String
        package var reason: String
    }

    /// What was done, for people and for `--json`.
    package struct Report: Sendable, Codable {
        /// Where the files are: the destination, or the folder that was given instead of an archive.
        package var folder = ""
        package var rootHash = ""
        package var files = 0
        package var bytes: Int64 = 0
        /// Files that an earlier run had already unpacked.
        package var alreadyThere = 0
        /// Members that were not unpacked because of their path or kind. With one of them there is no manifest.
        package var refused: [Problem] = []
        /// Members whose bytes are not those that were packed. With one of them there is no manifest.
        package var damaged: [Problem] = []
        /// Files of another archive, or in a work directory of anybody's, that were removed from the destination.
        package var removed = 0
        /// Files in the destination that are not the archive's; not in the manifest.
        package var strays: [String] = []
        /// What lies in a folder of archives, or in a folder that was given instead, and is no file or cannot be read.
        package var passedOver: [Fingerprint.PassedOver] = []
    }

    /// Names the program's own file in the destination.
    package static let journalName = ".repro-journal"

    /// Whether `path` is a folder whose files are used where they are.
    package static func isUsedInPlace(_ path: String) -> Bool {
        isFolder(path) && !ArchiveNames.isFolderOfArchives(path)
    }

    /// - Parameter progress: called now and then with the MiB that are done and those of all.
    /// - Throws: ``Failure``: `inputMissing` without an archive, `badInput` if it is cut off, encrypted, empty or none,
    ///   `inputOutput` if there is no space or a file cannot be written. Whole files stay; no manifest is written. Damaged and
    ///   refused members are no error here but in the report; see ``failure(of:)``.
    package func run(progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }) throws -> (
        report: Report, manifest: Manifest
    ) {
        if Self.isUsedInPlace(archive) { return try fingerprintFolder(progress: progress) }
        let source = try Self.identity(of: archive)
        if !source.hasPrefix("zip") { try checkBeginnings() }
        let destination = try UnpackDestination(root: destination)
        let lock = try WorkLock(folder: destination.root, name: ".repro-lock")
        return try withExtendedLifetime(lock) {
            let run = try UnpackRun(self, source: source, destination: destination)
            return try run.perform(progress: progress)
        }
    }

    /// What an archive is known by: a zip by its directory, which has a checksum of every member, so that a copy or a second download
    /// is the same archive; any other by size and time. Hashing 180 GB to know it again would take as long as unpacking it.
    package static func identity(of archive: String) throws -> String {
        let isFolder = isFolder(archive)
        let files =
            isFolder
            ? try namesInFolder(archive).map { archive + "/" + $0 }.filter { FileFacts(following: $0) != nil }
            : [archive]
        let facts = try files.map { file in
            var status = stat()
            guard file.withPath({ stat($0, &status) }) == 0 else {
                throw Failure(
                    .inputMissing, "\(file): \(String(cString: strerror(errno))). Check the path of the archive.")
            }
            if !isFolder || ArchiveNames.isArchive(file), let zip = try ZipArchive(of: try FileRegion(path: file)) {
                return "zip \(try zip.hash())\(zip.isMended ? " mended" : "")"
            }
            return "file \(FileFacts(status).size) \(FileFacts(status).modified)"
        }
        return files.count == 1 ? facts[0] : "several \(Digest.sha256(facts.joined(separator: "\n")))"
    }

    /// Refuses what is no archive, before anything is made in the destination.
    private func checkBeginnings() throws {
        let files = isFolder(archive) ? try namesInFolder(archive).map { archive + "/" + $0 } : [archive]
        for file in files where FileFacts(following: file) != nil {
            if ArchiveNames.isVolumeBesideOthers(file) { throw ZipArchive.isVolume(file) }
            guard file == archive || ArchiveNames.isArchive(file),
                try ZipArchive(of: try FileRegion(path: file)) == nil
            else { continue }
            _ = try ArchiveReader(path: file).nextMember()
        }
    }

    private func fingerprintFolder(progress: (Int, Int) -> Void) throws -> (report: Report, manifest: Manifest) {
        let names = CompetitionFolder.isUnpacked(archive) ? [] : try namesInFolder(archive)
        if let volume = names.first(where: ArchiveNames.isVolume), !isFolder("\(archive)/\(volume)") {
            throw ZipArchive.isVolume("\(archive)/\(volume)")
        }
        var passedOver: [Fingerprint.PassedOver] = []
        let manifest = try Fingerprint.manifest(
            of: [archive], threads: threads, passOver: { passedOver.append($0) }, progress: progress)
        guard !manifest.entries.isEmpty else {
            throw Failure(
                .badInput,
                (["\(archive): a folder without any file. Give the competition's archive or its unpacked folder."]
                    + Fingerprint.PassedOver.lines(passedOver)).joined(separator: "\n"))
        }
        let report = Report(
            folder: archive, rootHash: manifest.rootHash, files: manifest.entries.count,
            alreadyThere: manifest.entries.count, passedOver: passedOver)
        return (report, manifest)
    }

    /// The error that a report amounts to, or nil if all is well.
    package func failure(of report: Report) -> Failure? {
        func list(_ title: String, _ problems: [Problem]) -> String? {
            guard !problems.isEmpty else { return nil }
            let shown = problems.prefix(20).map { "  \($0.member): \($0.reason)" }
            let rest = problems.count > 20 ? ["  and \(problems.count - 20) more (--json has all)"] : []
            return ([title] + shown + rest).joined(separator: "\n")
        }
        let parts = [
            list(
                "\(archive): \(report.damaged.count) members are damaged and were not unpacked; all others were, and no manifest is written. Download or copy the archive again and run the same command: only these are unpacked then.",
                report.damaged),
            list(
                "\(archive): \(report.refused.count) members were not unpacked; all others were, and no manifest is written. Is this the competition's archive?",
                report.refused),
            list(
                "\(report.folder): \(report.strays.count) files are not the archive's. They may be taken for its slices: remove them, or unpack into another folder.",
                report.strays.map { Problem(member: $0, reason: "not in the archive") }),
        ].compactMap { $0 }
        return parts.isEmpty ? nil : Failure(.badInput, parts.joined(separator: "\n"))
    }
}
