import ArgumentParser
import Inputs
import Repro
import Submit

/// The files that tell what is known of the slices of prediction files, for every command that compares predictions with it.
struct SliceFiles: ParsableArguments {
    @Option(
        help: ArgumentHelp("The labels: a CSV file ID,Label with labels 0 and 1.", valueName: "csv"),
        completion: .file())
    var truth: String?

    @Option(
        help: ArgumentHelp(
            "The folds: a CSV file with columns ID and fold, such as the catalog's export.", valueName: "csv"),
        completion: .file())
    var folds: String?

    @Option(
        help: ArgumentHelp(
            "Whose slices they are: a catalog, or a CSV file with columns ID and PatientID; the file of --folds if left out.",
            valueName: "file"), completion: .file())
    var patients: String?

    /// Those that are given; of a work directory its catalog.
    var all: [String] {
        [truth, folds, patients.map { Patients.catalog(at: $0)?.path ?? $0 }].compactMap { $0 }
    }

    /// Where patients are looked for; a pipe that the folds came through cannot be read again.
    var patientFile: String? { patients ?? folds.flatMap { InputBytes.isReadOnce($0) ? nil : $0 } }

    /// nil if no labels are given.
    func labels() throws -> TruthTable? {
        try truth.map { try TruthTable(parsing: InputBytes.read($0), name: InputBytes.name($0)) }
    }

    /// nil if no folds are given.
    func foldTable() throws -> FoldTable? {
        try folds.map { try FoldTable(parsing: InputBytes.read($0), name: InputBytes.name($0)) }
    }

    /// The labels of some slices, six for each.
    func labels(_ table: TruthTable, of slices: [String]) throws -> [Bool] {
        try table.labels(for: slices, name: InputBytes.name(truth ?? ""))
    }
}

/// How patients are resampled for intervals.
struct ResamplingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("95 % intervals from so many resamples of the patients.", valueName: "resamples"))
    var bootstrap: Int?

    @Option(help: "The seed of the resamples.")
    var seed: UInt64 = 2019

    /// How many resamples there are where intervals are made without being asked for.
    static let usual = 1000

    func validate() throws {
        if let bootstrap, !(1...1_000_000 ~= bootstrap) {
            throw ValidationError("--bootstrap: from 1 to 1000000 resamples.")
        }
    }
}
