import Basics
import Foundation

/// One run of an ``Unpacker``: plans, checks the space, writes what the journal does not vouch for, and sums up.
package final class UnpackRun {
    private let unpacker: Unpacker
    private let destination: UnpackDestination
    private let journal: HashJournal
    private var report: Unpacker.Report
    private var entries: [Manifest.Entry] = []

    /// Files are written in batches of so many or so many bytes; after each one the journal grows by its records.
    private static let batchFiles = 256
    private static let batchBytes = 256 << 20
    private static let nestedPrefix = ".repro-nested-"

    package init(_ unpacker: Unpacker, source: String, destination: UnpackDestination) throws {
        self.unpacker = unpacker
        self.destination = destination
        journal = try HashJournal(path: destination.path(Unpacker.journalName), source: source)
        report = Unpacker.Report(folder: destination.root)
        report.passedOver = try UnpackPlan.passedOver(in: unpacker.archive)
    }

    package func perform(progress: (_ done: Int, _ all: Int) -> Void) throws -> (
        report: Unpacker.Report, manifest: Manifest
    ) {
        let manifestPath = destination.path(Manifest.fileName)
        if journal.isComplete, let known = try finished(manifestPath) { return known }
        if unlink(manifestPath) != 0 && errno != ENOENT { throw systemFailure("replace", manifestPath) }
        destination.removeTemporaryFiles()
        var plan = try makePlan()
        for name in plan.folders { try orRefuse(name) { try destination.makeFolder(name) } }
        let missing = keepKnown(plan.files)
        try checkSpace(for: missing.reduce(0) { Self.sum($0, Self.blocks($1.size)) })
        try write(missing, done: Int(report.bytes), progress: progress)
        for stream in plan.streams { try unpackStream(stream.path, below: stream.folder, &plan, progress: progress) }
        report.refused = plan.refused + report.refused
        report.damaged = plan.damaged + report.damaged
        guard !entries.isEmpty || !report.refused.isEmpty || !report.damaged.isEmpty else {
            throw Failure(
                .badInput, "\(unpacker.archive): an archive without any file. Give the competition's archive.")
        }
        return try finish(manifestPath)
    }

    /// The result of an earlier run that was complete, if every file is as it left it.
    private func finished(_ manifestPath: String) throws -> (Unpacker.Report, Manifest)? {
        guard let data = FileManager.default.contents(atPath: manifestPath),
            let manifest = try? Manifest(parsing: data, name: manifestPath), !manifest.entries.isEmpty
        else { return nil }
        var bytes: Int64 = 0
        for entry in manifest.entries {
            guard let known = journal.vouches(for: entry.path, at: destination.path(entry.path)),
                known.sha256 == entry.sha256
            else { return nil }
            bytes += known.size
        }
        report.files = manifest.entries.count
        report.alreadyThere = report.files
        report.bytes = bytes
        report.rootHash = manifest.rootHash
        try clearStrays(but: Set(manifest.entries.map(\.path)))
        return (report, manifest)
    }

    private func makePlan() throws -> UnpackPlan {
        let (destination, journal) = (destination, journal)
        var plan = UnpackPlan { member, region, number in
            let name = "\(Self.nestedPrefix)\(number).zip"
            let path = destination.path(name)
            if journal.vouches(for: name, at: path, size: Int64(member.size)) == nil {
                try self.checkSpace(for: member.size)
                let entry = try UnpackDestination.write(name, in: destination.root, worker: 0) { append in
                    try ZipExtractor().read(member, in: region, append)
                }
                try journal.record([(name, entry)])
            }
            return try FileRegion(path: path)
        }
        try plan.add(unpacker.archive)
        return plan
    }

    /// A size on disk, where files begin at blocks of 4 KiB.
    private static func blocks(_ size: Int) -> Int {
        let (rounded, isTooMuch) = size.addingReportingOverflow(4095)
        return isTooMuch ? size : rounded / 4096 * 4096
    }

    /// Sizes are what an archive claims: together they may be more than a number holds.
    private static func sum(_ a: Int, _ b: Int) -> Int {
        let (sum, isTooMuch) = a.addingReportingOverflow(b)
        return isTooMuch ? Int.max : sum
    }

    private func checkSpace(for needed: Int) throws {
        guard let free = unpacker.freeBytes(destination.root), free < needed else { return }
        throw Failure(
            .inputOutput,
            "\(destination.root): \(Numbers.bytes(needed)) are needed and \(Numbers.bytes(free)) are free. Free some space, or unpack into a folder on another disk."
        )
    }

    /// Takes over the files that the journal vouches for; returns the others.
    private func keepKnown(_ files: [UnpackPlan.File]) -> [UnpackPlan.File] {
        var missing: [UnpackPlan.File] = []
        for file in files {
            if let known = journal.vouches(for: file.name, at: destination.path(file.name), size: Int64(file.size)) {
                keep(file.name, known)
            } else {
                missing.append(file)
            }
        }
        return missing
    }

    private func keep(_ name: String, _ known: HashJournal.Entry) {
        entries.append(.init(sha256: known.sha256, path: name))
        report.bytes += known.size
        report.alreadyThere += 1
    }

    private func add(_ name: String, _ entry: HashJournal.Entry) {
        entries.append(.init(sha256: entry.sha256, path: name))
        report.bytes += entry.size
    }

    private func orRefuse(_ name: String, _ body: () throws -> Void) throws {
        do { try body() } catch let problem as MemberProblem { note(problem, of: name) }
    }

    private func note(_ problem: MemberProblem, of name: String) {
        switch problem {
        case .damaged(let reason): report.damaged.append(.init(member: name, reason: reason))
        case .refused(let reason): report.refused.append(.init(member: name, reason: reason))
        }
    }

    /// Writes files of zips and of folders of archives, a batch at a time, on all threads.
    private func write(_ files: [UnpackPlan.File], done: Int, progress: (Int, Int) -> Void) throws {
        let all = files.reduce(done) { Self.sum($0, $1.size) }
        var (next, done) = (0, done)
        while next < files.count {
            var batch: [UnpackPlan.File] = []
            var bytes = 0
            while next < files.count, batch.count < Self.batchFiles, bytes < Self.batchBytes {
                let file = files[next]
                try orRefuse(file.name) {
                    try destination.prepareFolder(of: file.name)
                    batch.append(file)
                }
                bytes += file.size
                next += 1
            }
            let root = destination.root
            let (inputs, limit) = (batch, unpacker.threads)
            let results = concurrentMap(
                inputs.count, threads: limit, workspace: { (thread: $0, extractor: ZipExtractor()) }
            ) { index, own in
                Result { try Self.write(inputs[index], in: root, worker: own.thread, own.extractor) }
            }
            try take(zip(inputs.map(\.name), results))
            done += bytes
            progress(done >> 20, all >> 20)
        }
    }

    private static func write(_ file: UnpackPlan.File, in root: String, worker: Int, _ extractor: ZipExtractor) throws
        -> HashJournal.Entry
    {
        try UnpackDestination.write(file.name, in: root, worker: worker) { append in
            switch file.source {
            case .member(let member, let region): try extractor.read(member, in: region, append)
            case .plain(let path): try FileRegion(path: path).forEachPiece(append)
            }
        }
    }

    /// Notes what became of a batch: problems of members in the report, everything else in journal and manifest. A failure that
    /// ends the run is thrown after what was finished has been recorded.
    private func take(_ results: some Sequence<(String, Result<HashJournal.Entry, any Error>)>) throws {
        var finished: [(name: String, entry: HashJournal.Entry)] = []
        var fatal: (any Error)?
        for (name, result) in results {
            switch result {
            case .success(let entry):
                finished.append((name, entry))
                add(name, entry)
            case .failure(let problem as MemberProblem): note(problem, of: name)
            case .failure(let error): fatal = fatal ?? error
            }
        }
        try journal.record(finished)
        if let fatal { throw fatal }
    }

    /// Unpacks an archive that can be read from front to back only: members are gathered and written, several at once, while the next
    /// ones are read.
    private func unpackStream(
        _ path: String, below folder: String, _ plan: inout UnpackPlan, progress: (Int, Int) -> Void
    ) throws {
        let (reader, file) = (try ArchiveReader(path: path), try FileRegion(path: path))
        let writer = GatheredWriter(root: destination.root, threads: unpacker.threads)
        var prefix: String?
        do {
            while let member = try reader.nextMember() {
                // What kind of archive it is, the first member tells.
                if prefix == nil, !reader.isCompressed, entries.isEmpty { try checkSpace(for: reader.size) }
                let below = prefix ?? ArchiveNames.prefix(firstMember: member.path, folder: folder)
                prefix = below
                guard plan.accept(below + member.path, kind: member.kind) else { continue }
                let name = UnpackDestination.normalized(below + member.path)
                if member.kind == .folder {
                    try orRefuse(name) { try destination.makeFolder(name) }
                } else if let known = journal.vouches(for: name, at: destination.path(name), size: member.size) {
                    keep(name, known)
                } else {
                    try orRefuse(name) { try unpack(member, as: name, from: reader, file, writer) }
                }
                guard writer.isFull else { continue }
                try take(writer.writeBehind())
                progress(reader.position >> 20, reader.size >> 20)
            }
        } catch {
            // What came before the damage is whole, unless members were compressed together: then nothing vouches for it.
            try take(writer.finish())
            if reader.isWholeStream { unlink(destination.path(Unpacker.journalName)) }
            throw error
        }
        try take(writer.finish())
    }

    private func unpack(
        _ member: ArchiveReader.Member, as name: String, from reader: ArchiveReader, _ file: FileRegion,
        _ writer: GatheredWriter
    ) throws {
        try destination.prepareFolder(of: name)
        if let offset = member.offset, let size = member.size {
            guard let place = file.part(file.name, offset: offset, size: Int(size)) else { throw reader.endsInside() }
            return writer.add(name, at: place)
        }
        if let size = member.size, (0...GatheredWriter.largest).contains(Int(size)) {
            return try writer.add(name, size: Int(size)) { try reader.readMember(into: $0) }
        }
        let number = GatheredWriter.foregroundWorker
        let entry = try UnpackDestination.write(name, in: destination.root, worker: number) {
            try reader.readMember($0)
        }
        try take([(name, .success(entry))])
    }

    private func finish(_ manifestPath: String) throws -> (Unpacker.Report, Manifest) {
        report.files = entries.count
        let manifest = Manifest(entries)
        report.rootHash = manifest.rootHash
        try clearStrays(but: Set(entries.map(\.path)))
        guard report.damaged.isEmpty, report.refused.isEmpty else { return (report, manifest) }
        try writeManifest(manifest, to: manifestPath)
        try journal.complete()
        for name in try FileManager.default.contentsOfDirectory(atPath: destination.root)
        where name.hasPrefix(Self.nestedPrefix) { unlink(destination.path(name)) }
        return (report, manifest)
    }

    /// Like ``AtomicFile``, under a temporary name that is no stray to anybody.
    private func writeManifest(_ manifest: Manifest, to path: String) throws {
        let temporary = destination.path(UnpackDestination.temporaryManifest)
        let file = try OutputFile(at: temporary, naming: path)
        defer { file.close() }
        try manifest.text.pathBytes.withUnsafeBytes { try file.append($0) }
        try publish(temporary, as: path)
    }

    /// Removes what another archive left, and anybody's files if the destination is the program's own; reports the rest.
    private func clearStrays(but names: Set<String>) throws {
        for (name, path) in try Fingerprint.everything(in: destination.root)
        where !names.contains(name) {
            guard unpacker.removesStrays || journal.vouchesForFormer(name, at: path) else {
                report.strays.append(name)
                continue
            }
            guard path.withPath({ unlink($0) }) == 0 else { throw systemFailure("remove", path) }
            report.removed += 1
        }
    }
}
