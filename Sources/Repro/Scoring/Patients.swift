import Catalog
import Foundation
import Inputs
import Metrics
import Nets
import Submit

/// Which patient each slice is of, and the resampling of patients.
package enum Patients {
    /// The patients of some slices, from a catalog (`catalog.sqlite`, or the work directory that has it) or from a CSV file with the
    /// columns ID and PatientID.
    package static func read(_ path: String, for slices: [String]) throws -> [String] {
        let table: SliceColumn
        if let catalog = catalog(at: path) {
            table = SliceColumn(try catalog.patients())
        } else {
            table = try SliceColumn("PatientID", parsing: InputBytes.read(path), name: InputBytes.name(path))
        }
        return try table.values(for: slices, name: path)
    }

    /// The catalog that a path names: the file itself, or that of a work directory; nil if it is another file.
    package static func catalog(at path: String) -> SliceCatalog? {
        let inFolder = "\(path)/\(WorkFolder.catalog)"
        if FileManager.default.fileExists(atPath: inFolder) { return SliceCatalog(path: inFolder) }
        guard !InputBytes.isReadOnce(path), let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        // The first bytes of every SQLite database (sqlite.org/fileformat.html).
        let isDatabase = (try? file.read(upToCount: 16)) == Data("SQLite format 3\0".utf8)
        return isDatabase ? SliceCatalog(path: path) : nil
    }

    /// Draws patients with Philox: resample n has the stream of sample n, so any of them can be made by itself.
    package static func bootstrap(_ patients: [String], resamples: Int, seed: UInt64) -> PatientBootstrap {
        PatientBootstrap(patients: patients, resamples: resamples) { resample, bound in
            var stream = Philox(seed: seed, purpose: .bootstrap, epoch: 0, sample: UInt32(resample))
            return { stream.below(bound) }
        }
    }
}
