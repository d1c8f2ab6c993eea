import Basics
import Foundation

/// Where the parts of the competition's data lie in an unpacked folder.
///
/// Knows the names that are in circulation: `stage_1_` or `stage_2_`, image folders with or without `_images`, with or without
/// the top folder `rsna-intracranial-hemorrhage-detection`. A plain folder of `.dcm` files is taken as test slices.
public struct CompetitionFolder: Sendable, Equatable {
    /// The folder that the parts lie in.
    public var root: String
    /// 2 for the final data, 1 for the first stage's.
    public var stage: Int
    /// The folder with the train slices; nil without one.
    public var trainFolder: String?
    /// The folder with the test slices; nil without one.
    public var testFolder: String?
    /// `stage_N_train.csv`.
    public var trainLabels: String?
    /// `stage_N_sample_submission.csv`, which lists the test slices.
    public var sampleSubmission: String?

    /// Finds the parts in `root` or in a folder directly below it; stage 2 goes before stage 1.
    ///
    /// - Throws: a description that lists the names that were looked for.
    public static func locate(in root: String) throws -> CompetitionFolder {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: root, isDirectory: &isFolder) else {
            throw Failure(.inputMissing, "\(root): no such folder. Give the folder that the archive was unpacked into.")
        }
        guard isFolder.boolValue else {
            throw Failure(.inputMissing, "\(root): not a folder. Unpack it first: repro unpack \(root) --into DIR")
        }
        if let found = known(in: root) { return found }
        if try hasSlices(root) { return CompetitionFolder(slicesIn: root) }
        throw Failure(
            .badInput,
            "\(root): no slices here. Looked for the competition's folders stage_2_train, stage_2_train_images, stage_2_test, "
                + "stage_2_test_images (or stage_1_...) here and one level below, and for DICOM files at any depth. "
                + "Give the folder that the archive was unpacked into, or one with slices in it."
        )
    }

    /// The competition's folders in a folder or directly below it.
    private static func known(in root: String) -> CompetitionFolder? {
        let below = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted().map {
            root + "/" + $0
        }
        for folder in [root] + below {
            for stage in [2, 1] {
                let found = CompetitionFolder(in: folder, stage: stage)
                if found.trainFolder != nil || found.testFolder != nil { return found }
            }
        }
        return nil
    }

    /// Whether a folder is somebody's own with slices in it.
    private static func hasSlices(_ root: String) throws -> Bool {
        var (found, deeper) = (false, String?.none)
        let names = Set(Split.allCases.flatMap(imageFolders))
        try SliceFolder.forEach(
            in: root,
            skips: { path in
                guard names.contains(fileName(path)) else { return false }
                deeper = deeper ?? path
                return true
            }, passOver: { _ in }, { _, _ in found = true })
        // As somebody's own, train slices would be taken for test slices.
        if let deeper {
            throw Failure(
                .badInput, "\(root): the competition's data lie deeper, in \(deeper). Give the folder that this is in.")
        }
        return found
    }

    /// Whether a folder has the competition's folders, or slices directly in it, rather than archives of them.
    package static func isUnpacked(_ root: String) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return names.contains { if case .slice = SliceFileName($0) { true } else { false } }
            || known(in: root) != nil
    }

    /// The names in circulation for the folder with a split's slices.
    package static func imageFolders(_ split: Split) -> [String] { [2, 1].flatMap { imageFolders(split, stage: $0) } }

    private static func imageFolders(_ split: Split, stage: Int) -> [String] {
        ["stage_\(stage)_\(split.rawValue)", "stage_\(stage)_\(split.rawValue)_images"]
    }

    /// Slices without labels, somebody's own.
    private init(slicesIn root: String) {
        self.root = root
        stage = 2
        testFolder = root
    }

    private init(in root: String, stage: Int) {
        func existing(_ names: [String], folder: Bool) -> String? {
            names.map { root + "/" + $0 }.first { path in
                var isFolder: ObjCBool = false
                return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                    && isFolder.boolValue == folder
            }
        }
        let prefix = "stage_\(stage)_"
        self.root = root
        self.stage = stage
        trainFolder = existing(Self.imageFolders(.train, stage: stage), folder: true)
        testFolder = existing(Self.imageFolders(.test, stage: stage), folder: true)
        trainLabels = existing([prefix + "train.csv"], folder: false)
        sampleSubmission = existing([prefix + "sample_submission.csv"], folder: false)
    }
}
