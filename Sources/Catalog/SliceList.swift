import Basics
import Foundation
import Inputs
import Metrics
import Submit

/// The slices of a competition folder: those that its tables list, and the files that they do not.
package struct SliceList: Sendable {
    package struct Slice: Sendable {
        package var split: Split
        package var id: String
        /// Type names joined with spaces.
        package var labels = ""
        package var isRepeated = false
    }

    private let input: CompetitionFolder
    /// The names of files that are not their slice's ID and `.dcm`, by split and ID.
    private var otherNames: [String: String] = [:]
    /// What is no slice.
    package private(set) var passedOver = PassedOverFiles()
    /// By split and ID.
    package private(set) var slices: [Slice] = []
    package private(set) var withoutLabels: [SkippedSlice] = []
    /// Changes with every byte of the tables and with every file that comes or goes.
    package private(set) var tablesHash = ""

    /// - Throws: ``Failure``: `inputMissing` without labels, `badInput` for a malformed table, `inputOutput` for a folder that cannot
    ///   be listed.
    package init(_ input: CompetitionFolder) throws {
        self.input = input
        var hash: [String] = []
        for split in Split.allCases where folder(of: split) != nil { hash.append(try add(split)) }
        tablesHash = Digest.sha256((hash + withoutLabels.map(\.path)).joined(separator: "\n"))
    }

    package func path(of slice: Slice) -> String {
        let name = otherNames.isEmpty ? nil : otherNames["\(slice.split)/\(slice.id)"]
        return "\(folder(of: slice.split) ?? "")/\(name ?? slice.id + ".dcm")"
    }

    /// A path without the input folder.
    package func relative(_ path: String) -> String {
        path.hasPrefix(input.root + "/") ? String(path.dropFirst(input.root.count + 1)) : path
    }

    private func folder(of split: Split) -> String? { split == .train ? input.trainFolder : input.testFolder }

    /// Adds a split and returns the hash of its table.
    private mutating func add(_ split: Split) throws -> String {
        switch split {
        case .train:
            guard let path = input.trainLabels else {
                throw Failure(
                    .inputMissing,
                    "\(input.root)/stage_\(input.stage)_train.csv: not there. It belongs to the competition's archive.")
            }
            try add(split, try LabelTable(parsing: bytes(path), name: path, values: .binary))
            return try Digest.sha256(file: path)
        case .test:
            guard let path = input.sampleSubmission else {
                // Without the list of test slices, those that are there are the list.
                let files = try files(split)
                slices += files.map { Slice(split: split, id: $0) }
                return Digest.sha256(files.joined(separator: "\n"))
            }
            try add(split, try LabelTable(parsing: bytes(path), name: path, values: .numbers))
            return try Digest.sha256(file: path)
        }
    }

    /// A table of the competition's folder, which is a file: a pipe in its place would be waited for.
    private func bytes(_ path: String) throws -> Data {
        guard FileFacts(following: path) != nil else {
            throw Failure(.badInput, "\(path): is no file. It belongs to the competition's archive; unpack it again.")
        }
        return try InputBytes.read(path)
    }

    private mutating func add(_ split: Split, _ table: LabelTable) throws {
        let repeated = Set(table.repeatedSlices)
        let listed = zip(table.sliceIDs, table.labels).map { id, labels in
            Slice(
                split: split, id: id, labels: labels.map(\.rawValue).joined(separator: " "),
                isRepeated: repeated.contains(id))
        }
        slices += listed.sorted { bytesPrecede($0.id, $1.id) }
        let known = Set(table.sliceIDs)
        withoutLabels += try files(split).filter { !known.contains($0) }.map { id in
            SkippedSlice(
                split: split, id: id, path: relative(path(of: Slice(split: split, id: id))),
                reason: SkippedSlice.noLabels,
                message:
                    "the label file has no rows for this slice; it is left out. Add its six rows or remove the file.")
        }
    }

    /// IDs of the slices in a split's folder, sorted.
    ///
    /// - Throws: ``Failure``: `inputOutput` if the folder cannot be listed, `badInput` if two files have one ID.
    private mutating func files(_ split: Split) throws -> [String] {
        let folder = folder(of: split) ?? ""
        var ids: [String] = []
        try SliceFolder.forEach(
            in: folder, passOver: { passedOver.add("\(relative(folder))/\($0.path) (\($0.reason))") }
        ) {
            id, path in
            ids.append(id)
            if path != id + ".dcm" { otherNames["\(split)/\(id)"] = path }
        }
        ids.sort(by: bytesPrecede)
        if !otherNames.isEmpty, let twice = zip(ids, ids.dropFirst()).first(where: { $0 == $1 }) {
            throw Failure(
                .badInput,
                "\(folder): two files are the slice \(twice.0), with different endings or in different folders. Keep one of them, or rename one."
            )
        }
        return ids
    }
}
