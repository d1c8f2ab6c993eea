import Foundation

import Basics
import Inputs

/// What the tests of inputs, catalog and demo data share: a folder to throw away, golden tables, slices to write.
enum InputFixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let golden = root + "/golden"

    /// Runs `body` with the path of a new folder that is removed afterwards.
    static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("repro-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }

    /// The rows of a golden CSV by column name; none of its fields is quoted.
    static func table(_ name: String) throws -> [[String: String]] {
        let text = try String(contentsOfFile: golden + "/" + name, encoding: .utf8)
        let lines = text.split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }

    static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    static func write(_ text: String, to path: String) throws { try write(Array(text.utf8), to: path) }

    /// A slice of a ramp of stored values, -200 and up in steps of `step`.
    static func slice(_ id: String = "ID_dd37ba3adb", rows: Int = 4, columns: Int = 6, step: Int32 = 40) -> DICOMSlice {
        var header = SliceHeader()
        header.sopInstanceUID = id
        header.patientID = "ID_0a1b2c3d"
        header.studyInstanceUID = "ID_0123456789"
        header.seriesInstanceUID = "ID_abcdef0123"
        header.imagePosition = [-125, -122.596, 24.988293]
        header.imageOrientation = [1, 0, 0, 0, 0.968148, -0.25038]
        header.pixelSpacing = [0.488281, 0.488281]
        header.rows = rows
        header.columns = columns
        header.windowCenterText = "40"
        header.windowWidthText = "80"
        return DICOMSlice(header: header, pixels: (0..<Int32(rows * columns)).map { $0 * step - 200 })
    }

    /// Six label rows for a slice.
    static func rows(_ id: String, _ positive: String...) -> String {
        ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]
            .map { "\(id)_\($0),\(positive.contains($0) ? 1 : 0)\n" }.joined()
    }

    /// The failure that `body` ends with, as the program tells it, or nil.
    static func failure(_ body: () throws -> Void) -> Failure? {
        do {
            try body()
            return nil
        } catch let error as any DescribedError {
            return Failure(error.status, error.description)
        } catch {
            return Failure(.bug, "\(error)")
        }
    }
}
