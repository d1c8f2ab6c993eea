import Foundation
import GRDB
import Metrics
import Nets
import Submit

/// Which patient each slice is of, and the resampling of patients.
enum Patients {
    /// The patients of some slices, from a catalog (`catalog.sqlite`, or the work directory that has it) or from a CSV file with the
    /// columns ID and PatientID.
    static func read(_ path: String, for slices: [String]) throws -> [String] {
        let table: SliceColumn
        if let catalog = catalog(at: path) {
            table = SliceColumn(
                try catalog.read { database in
                    let rows = try Row.fetchAll(database, sql: "SELECT id, patientID FROM slice")
                    return Dictionary(rows.map { ($0[0], $0[1]) }) { first, _ in first }
                })
        } else {
            table = try SliceColumn("PatientID", parsing: InputBytes.read(path), name: InputBytes.name(path))
        }
        return try table.values(for: slices, name: path)
    }

    /// The catalog that a path names: the file itself, or that of a work directory; nil if it is another file.
    static func catalog(at path: String) -> Catalog? {
        let inFolder = "\(path)/\(WorkFolder.catalog)"
        if FileManager.default.fileExists(atPath: inFolder) { return Catalog(path: inFolder) }
        guard !InputBytes.isReadOnce(path), let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        // The first bytes of every SQLite database (sqlite.org/fileformat.html).
        let isDatabase = (try? file.read(upToCount: 16)) == Data("SQLite format 3\0".utf8)
        return isDatabase ? Catalog(path: path) : nil
    }

    /// Draws patients with Philox: resample n has the stream of sample n, so any of them can be made by itself.
    static func bootstrap(_ patients: [String], resamples: Int, seed: UInt64) -> PatientBootstrap {
        PatientBootstrap(patients: patients, resamples: resamples) { resample, bound in
            var stream = Philox(seed: seed, purpose: .bootstrap, epoch: 0, sample: UInt32(resample))
            return { stream.below(bound) }
        }
    }
}
