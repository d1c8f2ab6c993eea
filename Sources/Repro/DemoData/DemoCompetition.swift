import Basics
import Foundation
import Inputs
import Metrics

/// The demo competition: a synthetic archive in Kaggle's layout and the truth about its test set.
package struct DemoCompetition {
    package static let archiveName = "rsna-intracranial-hemorrhage-detection.zip"
    package static let truthName = "test_truth.csv"
    private static let top = "rsna-intracranial-hemorrhage-detection/"

    package let settings: DemoSettings

    package init(settings: DemoSettings) {
        self.settings = settings
    }

    /// What was written.
    package struct Report: Codable, Sendable, Equatable {
        package var archive: String
        package var truth: String
        package var trainSlices: Int
        package var testSlices: Int
        package var patients: Int
        /// Slices with each type in the training set.
        package var trainTypes: [String: Int]
        /// See ``DemoCompetition/contentManifest(of:)``.
        package var contentHash: String
    }

    /// Writes the archive and, beside it, the truth about the test set into `folder`, replacing what was there.
    ///
    /// - Throws: ``Failure`` with status `inputOutput` if something cannot be written; no half-written file is left.
    package func write(to folder: String, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }) throws -> Report {
        try makeFolder(folder)
        let plan = DemoPlan(settings)
        let needed = plan.slices.reduce(0) { $0 + 2 * $1.header.rows * $1.header.columns + 1024 }
        if let free = Machine.freeBytes(at: folder), free < needed {
            throw Failure(
                .inputOutput,
                "\(folder): the archive takes up to \(Numbers.bytes(needed)), and \(Numbers.bytes(free)) are free there. Free some space, or ask for fewer patients or a smaller size."
            )
        }
        let archivePath = folder + "/" + Self.archiveName
        let archive = try ArchiveWriter(path: archivePath)
        var contents: [Manifest.Entry] = []
        for start in stride(from: 0, to: plan.slices.count, by: 64) {
            let batch = Array(plan.slices[start..<min(start + 64, plan.slices.count)])
            let drawn = concurrentMap(batch.count, threads: settings.threads) { index in
                Result { try Self.file(of: batch[index]) }
            }
            for (slice, file) in zip(batch, drawn) {
                let file = try file.get()
                let name = "stage_2_\(slice.split.rawValue)/\(slice.id).dcm"
                try archive.add(Self.top + name, bytes: file.bytes)
                contents.append(.init(sha256: file.contentHash, path: name))
            }
            progress(start + batch.count, plan.slices.count)
        }
        for (name, text) in tables(of: plan) {
            try archive.add(Self.top + name, bytes: Array(text.utf8))
            contents.append(.init(sha256: Digest.sha256(text), path: name))
        }
        try archive.close()
        let truthPath = folder + "/" + Self.truthName
        try AtomicFile.write(Self.rows(of: plan.slices.filter { $0.split == .test }), to: truthPath)
        return report(plan, archive: archivePath, truth: truthPath, contentHash: Manifest(contents).rootHash)
    }

    private func report(_ plan: DemoPlan, archive: String, truth: String, contentHash: String) -> Report {
        let train = plan.slices.filter { $0.split == .train }
        let types = HemorrhageType.allCases.map { type in (type.rawValue, train.count { $0.labels.contains(type) }) }
        return Report(
            archive: archive, truth: truth, trainSlices: train.count, testSlices: plan.slices.count - train.count,
            patients: Set(plan.slices.map(\.header.patientID)).count,
            trainTypes: Dictionary(uniqueKeysWithValues: types),
            contentHash: contentHash)
    }

    /// The bytes of a slice's file and the hash of what is in it.
    private static func file(of slice: DemoSlice) throws -> (bytes: [UInt8], contentHash: String) {
        let image = slice.draw()
        let bytes = try image.encoded()
        guard slice.isTruncated else { return (bytes, image.contentHash) }
        // Cut in the middle of the pixels, which come last.
        return (Array(bytes.dropLast(image.pixels.count)), truncatedHash)
    }

    /// Label file and sample submission; rows slice by slice, in an order that says nothing, as Kaggle's.
    private func tables(of plan: DemoPlan) -> [(name: String, text: String)] {
        var train = plan.slices.filter { $0.split == .train }
        var test = plan.slices.filter { $0.split == .test }
        var random = DemoRandom(settings.seed, 1)
        random.shuffle(&train)
        random.shuffle(&test)
        let repeated = train.filter { plan.repeatedIDs.contains($0.id) }
        return [
            ("stage_2_train.csv", Self.rows(of: train + repeated)),
            ("stage_2_sample_submission.csv", Self.rows(of: test) { _, _ in "0.5" }),
        ]
    }

    private static func rows(
        of slices: [DemoSlice],
        value: (DemoSlice, HemorrhageType) -> String = { $0.labels.contains($1) ? "1" : "0" }
    ) -> String {
        var text = "ID,Label\n"
        for slice in slices {
            for type in HemorrhageType.allCases { text += "\(slice.id)_\(type.rawValue),\(value(slice, type))\n" }
        }
        return text
    }
}

extension DemoCompetition {
    /// The hash that stands for a slice that is truncated on purpose.
    private static let truncatedHash = Digest.sha256("truncated")

    /// Fingerprints what is in an unpacked demo competition: attributes and pixels of each slice, and the tables.
    ///
    /// Independent of how library versions encode files, which the hash of the archive's bytes is not. Its root hash is the
    /// report's `contentHash`.
    package static func contentManifest(of folder: CompetitionFolder) throws -> Manifest {
        var entries: [Manifest.Entry] = []
        for (split, images) in [("train", folder.trainFolder), ("test", folder.testFolder)] {
            guard let images else { continue }
            for name in try FileManager.default.contentsOfDirectory(atPath: images) {
                let hash = try contentHash(ofFile: images + "/" + name)
                entries.append(.init(sha256: hash, path: "stage_2_\(split)/\(name)"))
            }
        }
        for table in [folder.trainLabels, folder.sampleSubmission].compactMap({ $0 }) {
            entries.append(.init(sha256: try Digest.sha256(file: table), path: fileName(table)))
        }
        return Manifest(entries)
    }
}

extension DemoCompetition {
    private static func contentHash(ofFile path: String) throws(SliceError) -> String {
        do {
            return try readSlice(at: path).contentHash
        } catch {
            guard error.kind == .truncated else { throw error }
            return truncatedHash
        }
    }
}

extension DICOMSlice {
    /// SHA-256 of every attribute and pixel, however the file is encoded.
    package var contentHash: String {
        let numbers = [header.imagePosition, header.imageOrientation, header.pixelSpacing]
        let integers = [
            header.samplesPerPixel, header.rows, header.columns, header.bitsAllocated, header.bitsStored,
            header.highBit,
            header.pixelRepresentation,
        ]
        let fields =
            [
                header.sopInstanceUID, header.modality, header.patientID, header.studyInstanceUID,
                header.seriesInstanceUID,
                header.studyID, header.photometricInterpretation, header.windowCenterText, header.windowWidthText,
                "\(header.rescaleIntercept)", "\(header.rescaleSlope)",
            ] + numbers.map { $0.map { "\($0)" }.joined(separator: "\\") } + integers.map { "\($0)" }
        var hash = Digest.Stream()
        hash.update(Array((fields.joined(separator: "\n") + "\n").utf8))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pixels.count * 4)
        for pixel in pixels { withUnsafeBytes(of: pixel.littleEndian) { bytes.append(contentsOf: $0) } }
        hash.update(bytes)
        return hash.finish()
    }
}
