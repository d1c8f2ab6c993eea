import Crypto
import Metrics

/// A set of predictions: six probabilities for each slice, in Kaggle's `ID,Label` format outside.
///
/// Out-of-fold predictions, test predictions, a sample and a submission are all such a table.
/// The format and its rules are in `docs/predictions.md`.
public struct PredictionTable: Sendable, Equatable {
    /// The slices, `ID_0002081b6`, in order of first appearance in the file; each occurs once.
    public var sliceIDs: [String]
    /// Six values for each slice, in `HemorrhageType.allCases` order, slice after slice.
    public var values: [Double]

    /// - Precondition: There are six values for each slice.
    public init(sliceIDs: [String], values: [Double]) {
        precondition(values.count == sliceIDs.count * typeCount, "a prediction table has six values for each slice")
        self.sliceIDs = sliceIDs
        self.values = values
    }

    /// Reads a CSV file, strictly: the header `ID,Label`, six rows for each slice in any order, finite numbers, nothing twice.
    ///
    /// Values outside [0, 1] are left to ``verify(_:sample:keeping:)`` and to the metric, which clips.
    ///
    /// - Parameter name: The file's name in messages.
    /// - Throws: ``TableError`` with every problem and its line.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        let reading = TableReading(bytes, duplicatesAllowed: false)
        guard reading.problems.isEmpty else { throw TableError(name: name, reading.problems) }
        self.init(sliceIDs: reading.sliceIDs, values: reading.values)
    }

    /// The table as CSV: the header, then slice after slice, the types in file order, each number in its shortest form.
    public func csv() -> [UInt8] {
        var bytes = Array("ID,Label\n".utf8)
        bytes.reserveCapacity(bytes.count + values.count * 45)
        for slice in sliceIDs.indices { appendRows(of: slice, to: &bytes) }
        return bytes
    }

    /// The SHA-256 of the table's canonical form: the CSV with the slices in ascending order of ID.
    ///
    /// Two files have the same hash exactly if they hold the same predictions, whatever the order of their rows and the
    /// spelling of their numbers.
    public func contentHash() -> String {
        var hash = SHA256()
        var piece = Array("ID,Label\n".utf8)
        for slice in sliceIDs.indices.sorted(by: { sliceIDs[$0] < sliceIDs[$1] }) {
            appendRows(of: slice, to: &piece)
            if piece.count > 1 << 16 {
                hash.update(data: piece)
                piece.removeAll(keepingCapacity: true)
            }
        }
        hash.update(data: piece)
        return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The values of these slices, in their order, six for each.
    ///
    /// - Throws: ``TableError`` that names slices without a prediction.
    public func values(for wanted: [String], name: String) throws(TableError) -> [Double] {
        if wanted == sliceIDs { return values }
        let rows = rowNumbers()
        let missing = wanted.filter { rows[$0] == nil }
        guard missing.isEmpty else {
            let slices = missing.count == 1 ? "slice has" : "slices have"
            throw TableError(name: name, .missingSlice, "\(missing.count) \(slices) no prediction: \(listing(missing))")
        }
        return wanted.flatMap { id in rows[id].map { values[$0 * typeCount..<($0 + 1) * typeCount] } ?? [] }
    }

    /// Whether a text can be a slice's ID: letters, digits, `_`, `-` and `.` only.
    public static func isSliceID(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isIDByte) }

    /// The number of each slice's row of six.
    func rowNumbers() -> [String: Int] {
        Dictionary(zip(sliceIDs, sliceIDs.indices)) { first, _ in first }
    }

    private func appendRows(of slice: Int, to bytes: inout [UInt8]) {
        for (type, name) in typeSuffixes.enumerated() {
            bytes.append(contentsOf: sliceIDs[slice].utf8)
            bytes.append(contentsOf: name)
            appendShortest(values[slice * typeCount + type], to: &bytes)
            bytes.append(Byte.newline)
        }
    }
}

/// What stands between a slice's ID and the value: `_epidural,`.
private let typeSuffixes = HemorrhageType.allCases.map { Array("_\($0.rawValue),".utf8) }
