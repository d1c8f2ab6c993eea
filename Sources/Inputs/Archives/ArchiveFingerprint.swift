import Basics
import Foundation

/// Fingerprints what is in an archive without unpacking it to disk: the manifest that its unpacked folder would have.
package struct ArchiveFingerprint {
    /// An archive, or a folder of archives.
    package let archive: String
    /// Changes how long it takes and nothing else.
    package let threads: Int

    package init(archive: String, threads: Int) {
        self.archive = archive
        self.threads = threads
    }

    private static let batch = 256

    /// - Throws: ``Failure``: `inputMissing` without an archive, `badInput` if it is damaged, cut off, encrypted or none, or has members
    ///   that would not be unpacked.
    package func manifest(
        passOver: (Fingerprint.PassedOver) -> Void = { _ in }, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> Manifest {
        var plan = try UnpackPlan.forReading(archive)
        try UnpackPlan.passedOver(in: archive).forEach(passOver)
        var entries = try hashFiles(plan.files, progress: progress)
        for stream in plan.streams {
            entries += try hashStream(stream.path, below: stream.folder, &plan, progress: progress)
        }
        try check(plan.damaged + plan.refused)
        return Manifest(entries)
    }

    private func hashFiles(_ files: [UnpackPlan.File], progress: (Int, Int) -> Void) throws -> [Manifest.Entry] {
        var entries: [Manifest.Entry] = []
        var damaged: [Unpacker.Problem] = []
        for start in stride(from: 0, to: files.count, by: Self.batch) {
            let batch = Array(files[start..<min(start + Self.batch, files.count)])
            let hashes = concurrentMap(batch.count, threads: threads, workspace: { _ in ZipExtractor() }) {
                index, extractor in Result { try Self.hash(batch[index], extractor) }
            }
            for (file, hash) in zip(batch, hashes) {
                do {
                    entries.append(.init(sha256: try hash.get(), path: file.name))
                } catch MemberProblem.damaged(let reason) {
                    damaged.append(.init(member: file.name, reason: reason))
                }
            }
            progress(start + batch.count, files.count)
        }
        try check(damaged)
        return entries
    }

    private static func hash(_ file: UnpackPlan.File, _ extractor: ZipExtractor) throws -> String {
        var hash = Digest.Stream()
        switch file.source {
        case .member(let member, let region): try extractor.read(member, in: region) { hash.update($0) }
        case .plain(let path): return try Digest.sha256(file: path)
        }
        return hash.finish()
    }

    private func hashStream(
        _ path: String, below folder: String, _ plan: inout UnpackPlan, progress: (Int, Int) -> Void
    ) throws -> [Manifest.Entry] {
        let reader = try ArchiveReader(path: path)
        var entries: [Manifest.Entry] = []
        var prefix: String?
        while let member = try reader.nextMember() {
            let below = prefix ?? ArchiveNames.prefix(firstMember: member.path, folder: folder)
            prefix = below
            guard plan.accept(below + member.path, kind: member.kind), member.kind == .file else { continue }
            var hash = Digest.Stream()
            try reader.readMember { hash.update($0) }
            entries.append(.init(sha256: hash.finish(), path: UnpackDestination.normalized(below + member.path)))
            progress(reader.position >> 20, reader.size >> 20)
        }
        return entries
    }

    private func check(_ problems: [Unpacker.Problem]) throws {
        guard !problems.isEmpty else { return }
        let list = problems.prefix(20).map { "\n  \($0.member): \($0.reason)" }.joined()
        throw Failure(
            .badInput,
            "\(archive): \(problems.count) members have no fingerprint. Download or copy the archive again.\(list)")
    }
}
