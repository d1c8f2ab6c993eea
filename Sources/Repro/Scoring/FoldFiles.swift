import Basics
import Inputs
import Metrics
import Submit

/// Several prediction files that are parts of one: a file for each fold.
package enum FoldFiles {
    /// All slices of the files in one table, and the number of each slice's file.
    ///
    /// - Parameter read: Reads a file's table.
    /// - Throws: ``Failure`` if a slice is in two files; `TableError` for a malformed one.
    package static func joined(
        _ paths: [String], read: (String) throws -> PredictionTable
    ) throws -> (table: PredictionTable, files: [Int]) {
        var whole = PredictionTable(sliceIDs: [], values: [])
        var files: [Int] = []
        for (number, path) in paths.enumerated() {
            let table = try read(path)
            if paths.count == 1 { return (table, Array(repeating: 0, count: table.sliceIDs.count)) }
            whole.sliceIDs += table.sliceIDs
            whole.values += table.values
            files += Array(repeating: number, count: table.sliceIDs.count)
        }
        var fileOfSlice: [String: Int] = [:]
        fileOfSlice.reserveCapacity(files.count)
        for (id, file) in zip(whole.sliceIDs, files) {
            guard let first = fileOfSlice.updateValue(file, forKey: id) else { continue }
            throw Failure(
                .badInput,
                "slice \(id) is in \(InputBytes.name(paths[first])) and in \(InputBytes.name(paths[file])): files of folds have "
                    + "no slice in common. Files that predict the same slices are averaged with repro blend.")
        }
        return (whole, files)
    }

    /// The numbers of the files that have these slices.
    ///
    /// - Throws: `TableError` that names slices that no file has.
    package static func numbers(
        of slices: [String], in table: PredictionTable, _ files: [Int], name: String
    ) throws -> [Int] {
        let fileOfSlice = Dictionary(uniqueKeysWithValues: zip(table.sliceIDs, files))
        // Says which slices are missing.
        guard slices.allSatisfy({ fileOfSlice[$0] != nil }) else {
            _ = try table.values(for: slices, name: name)
            return []
        }
        return slices.compactMap { fileOfSlice[$0] }
    }
}
