import Basics
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

    /// Makes a table of values in memory.
    ///
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
        try self.init(parsing: bytes, name: name, order: nil)
    }

    /// Reads a CSV file as ``init(parsing:name:)`` does, with some slices first.
    ///
    /// - Parameter order: Slices that come first and in this order, if they are in the file. A table that is to be matched with
    ///   another is best read in the order of that one: matching then costs nothing.
    package init(
        parsing bytes: some Collection<UInt8>, name: String, order: SliceIndex?
    ) throws(TableError) {
        let reading = TableReading(bytes, duplicatesAllowed: false, order: order)
        guard reading.problems.isEmpty else { throw TableError(name: name, reading.problems) }
        self.init(reading)
    }

    /// The slices of which the reading found rows.
    init(_ reading: TableReading) {
        guard reading.lacksSlices else {
            self.init(sliceIDs: reading.sliceIDs, values: reading.values)
            return
        }
        let present = reading.sliceIDs.indices.filter(reading.isPresent)
        self.init(sliceIDs: present.map { reading.sliceIDs[$0] }, values: gather(present, from: reading.values))
    }

    /// The table as CSV: the header, then slice after slice, the types in file order, each number in its shortest form.
    public func csv() -> [UInt8] { joined(renderedPieces()) }

    /// The SHA-256 of the table's canonical form: the CSV with the slices in ascending order of ID.
    ///
    /// Two files have the same hash exactly if they hold the same predictions, whatever the order of their rows and the
    /// spelling of their numbers.
    public func contentHash() -> String {
        let (order, pieces) = ordered()
        return Self.contentHash(pieces, order: order)
    }

    /// The CSV and the content hash, for not much more than the price of one.
    package func rendered() -> (csv: [UInt8], contentHash: String) {
        let (order, pieces) = ordered()
        return alongside {
            Self.contentHash(pieces, order: order)
        } run: {
            joined(pieces)
        }
    }

    /// The slices in ascending order, and the rows as text.
    private func ordered() -> (order: [Int], pieces: [Piece]) {
        let ids = sliceIDs
        let (pieces, order) = alongside {
            ascendingByID(ids)
        } run: {
            renderedPieces()
        }
        return (order, pieces)
    }

    /// The rows of some consecutive slices as text, and where those of each slice end.
    private typealias Piece = (bytes: [UInt8], ends: [Int])
    private static let pieceSize = 4096

    private func renderedPieces() -> [Piece] {
        let size = Self.pieceSize
        return concurrentMap((sliceIDs.count + size - 1) / size) { piece in
            let slices = piece * size..<min((piece + 1) * size, sliceIDs.count)
            let idBytes = slices.reduce(0) { $0 + sliceIDs[$1].utf8.count }
            var ends: [Int] = []
            ends.reserveCapacity(slices.count)
            let bytes = [UInt8](unsafeUninitializedCapacity: (idBytes + slices.count * longestRest) * typeCount) {
                buffer, count in
                for slice in slices {
                    writeRows(of: slice, into: buffer, &count)
                    ends.append(count)
                }
            }
            return (bytes, ends)
        }
    }

    private func joined(_ pieces: [Piece]) -> [UInt8] {
        var csv = header
        csv.reserveCapacity(header.count + pieces.reduce(0) { $0 + $1.bytes.count })
        for piece in pieces { csv += piece.bytes }
        return csv
    }

    private static func contentHash(_ pieces: [Piece], order: [Int]) -> String {
        var hash = Digest.Stream()
        // Many slices at a time: a hash takes few large pieces quicker than many small ones.
        var some = header
        some.reserveCapacity(1 << 17)
        for slice in order {
            let (piece, place) = (slice / pieceSize, slice % pieceSize)
            some += pieces[piece].bytes[(place == 0 ? 0 : pieces[piece].ends[place - 1])..<pieces[piece].ends[place]]
            guard some.count > 1 << 16 else { continue }
            hash.update(some)
            some.removeAll(keepingCapacity: true)
        }
        hash.update(some)
        return hash.finish()
    }

    /// The values of these slices, in their order, six for each.
    ///
    /// - Throws: ``TableError`` that names slices without a prediction.
    public func values(for wanted: [String], name: String) throws(TableError) -> [Double] {
        if wanted == sliceIDs { return values }
        let rows = SliceIndex(sliceIDs)
        guard let found = rows.numbers(of: wanted) else {
            let missing = wanted.filter { rows[$0] == nil }
            let slices = missing.count == 1 ? "slice has" : "slices have"
            throw TableError(name: name, .missingSlice, "\(missing.count) \(slices) no prediction: \(listing(missing))")
        }
        return gather(found, from: values)
    }

    /// Whether a text can be a slice's ID: letters, digits, `_`, `-` and `.` only.
    package static func isSliceID(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isIDByte) }

    private func writeRows(of slice: Int, into buffer: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int) {
        func write(_ bytes: UnsafeBufferPointer<UInt8>) {
            count = buffer[count...].initialize(fromContentsOf: bytes)
        }
        var id = sliceIDs[slice]
        id.withUTF8 { id in
            for (type, name) in typeSuffixes.enumerated() {
                write(id)
                name.withUnsafeBufferPointer(write)
                withShortest(values[slice * typeCount + type], write)
                buffer.initializeElement(at: count, to: Byte.newline)
                count += 1
            }
        }
    }
}

private let header = Array("ID,Label\n".utf8)

/// How long a row can be beyond its slice's ID: a type's name and a number of 24 characters, with what separates them.
private let longestRest = 48

/// What stands between a slice's ID and the value: `_epidural,`.
private let typeSuffixes = HemorrhageType.allCases.map { Array("_\($0.rawValue),".utf8) }
