import Metrics
import Synchronization

/// What a run of lines of an `ID,Label` file holds beside the values that were put in their places at once.
///
/// Chunks are read at the same time: the rows of slices that are known already are put in their places, those of other slices are
/// kept until ``TableReading`` has numbered these in the order of the file.
struct TableChunk: Sendable {
    /// A row whose place another row of the same slice and type had already taken.
    struct DuplicateRow: Sendable {
        let place: Int
        let value: Double
    }

    /// The slices that the index has not, once for each run of their rows.
    private(set) var newSlices: [NewSlice] = []
    /// The values of these slices' rows, and where they belong: eight times the slice's place among them plus the type.
    private var values: [Double] = []
    private var targets: [UInt32] = []
    /// The target of the next row while all slices have their six rows in order, which needs no targets; nil if they have not.
    private var orderedTarget: UInt32? = 0
    /// What is wrong with single lines; these count from 0 at the chunk's first.
    private(set) var problems: ProblemLog
    private(set) var lineCount = 0
    private(set) var duplicateRows: [DuplicateRow] = []
    /// How many rows have been put in their places.
    private(set) var placed = 0
    /// The places of the rows if each row's follows that of the row before; nil if they are otherwise.
    private(set) var run: Range<Int>? = 0..<0
    private var preloaded: UInt64 = 0

    /// Reads the lines that begin in a range of a file, which ends at a line's end.
    ///
    /// - Parameter known: Slices that have numbers already, and places in `cells`.
    init(
        linesIn range: Range<Int>, of bytes: UnsafeRawBufferPointer, known: SliceIndex, cells: ValueCells,
        problems: ProblemLog
    ) {
        self.problems = problems
        if known.ids.isEmpty {
            // A row of Kaggle's files takes some 25 bytes or more, and a slice six of them.
            values.reserveCapacity(range.count / 25)
        }
        withUnsafeTemporaryAllocation(of: TableRow.self, capacity: RowParser.batchSize) { batch in
            var parser = RowParser(linesIn: range, of: bytes, known: known, problems: problems)
            while case let count = parser.next(into: batch), count > 0 {
                take(UnsafeMutableBufferPointer(rebasing: batch[..<count]), into: cells)
            }
            newSlices = parser.newSlices
            self.problems = parser.problems
            lineCount = parser.line
            preloaded &+= parser.preloaded
        }
    }

    private mutating func take(_ batch: UnsafeMutableBufferPointer<TableRow>, into cells: ValueCells) {
        // Loads all places at once, so that putting the values there need not wait for each of them in turn.
        for row in batch where row.slice >= 0 { preloaded &+= cells.preloaded(row.knownPlace) }
        for row in batch {
            if row.slice >= 0 {
                put(row.value, at: row.knownPlace, in: cells)
            } else {
                keep(row.value, UInt32(~row.slice) << 3 | UInt32(row.type))
            }
        }
    }

    /// Puts the rows that were kept in their places.
    ///
    /// - Parameter numbers: The numbers of `newSlices`.
    mutating func place(numbers: [Int32], in cells: ValueCells) {
        if orderedTarget == nil {
            func place(_ row: Int) -> Int { Int(numbers[Int(targets[row] >> 3)]) * typeCount + Int(targets[row] & 7) }
            for start in stride(from: 0, to: values.count, by: RowParser.batchSize) {
                let rows = start..<min(start + RowParser.batchSize, values.count)
                for row in rows { preloaded &+= cells.preloaded(place(row)) }
                for row in rows { put(values[row], at: place(row), in: cells) }
            }
        } else {
            for (row, value) in values.enumerated() {
                put(value, at: Int(numbers[row / typeCount]) * typeCount + row % typeCount, in: cells)
            }
        }
        (values, targets) = ([], [])
    }

    @inline(__always)
    private mutating func keep(_ value: Double, _ target: UInt32) {
        if target == orderedTarget {
            orderedTarget = Self.target(after: target)
        } else {
            if orderedTarget != nil { writeTargets() }
            targets.append(target)
        }
        values.append(value)
    }

    /// Writes down where the rows so far belong.
    private mutating func writeTargets() {
        orderedTarget = nil
        targets.reserveCapacity(values.capacity)
        var target: UInt32 = 0
        for _ in values {
            targets.append(target)
            target = Self.target(after: target)
        }
    }

    @inline(__always)
    private static func target(after target: UInt32) -> UInt32 {
        target & 7 == UInt32(typeCount) - 1 ? target + 3 : target + 1
    }

    @inline(__always)
    private mutating func put(_ value: Double, at place: Int, in cells: ValueCells) {
        if cells.put(value, at: place) {
            placed += 1
        } else {
            duplicateRows.append(DuplicateRow(place: place, value: value))
        }
        if let before = run {
            run = before.isEmpty ? place..<place + 1 : before.upperBound == place ? before.lowerBound..<place + 1 : nil
        }
    }
}

extension TableRow {
    /// The place of the value of a row whose slice is known.
    @inline(__always)
    var knownPlace: Int { Int(slice) * typeCount + Int(type) }
}

/// The values of a table while several calls put rows into them.
///
/// Every row has a place of its own, unless it is there twice. Two calls that meet at one place may both find it empty: then fewer
/// places are taken in the end than rows were put, and the rows have to be put one after another.
struct ValueCells: @unchecked Sendable {
    /// What stands where there is no row: a NaN that no arithmetic makes.
    static let absent: UInt64 = 0x7FF8_5245_5052_4F00

    /// Loads and stores are atomic, so calls that meet at one place read one value or the other.
    private let cells: UnsafeMutableBufferPointer<Atomic<UInt64>>

    /// - Parameter values: All absent at first; has to outlive the cells.
    init(_ values: UnsafeMutableBufferPointer<Double>) {
        cells = UnsafeMutableBufferPointer(
            start: UnsafeMutableRawPointer(values.baseAddress)?.assumingMemoryBound(to: Atomic<UInt64>.self),
            count: values.count)
    }

    /// Puts a value where there is none yet; false if there is.
    @inline(__always)
    func put(_ value: Double, at place: Int) -> Bool {
        guard cells[place].load(ordering: .relaxed) == Self.absent else { return false }
        cells[place].store(value.bitPattern, ordering: .relaxed)
        return true
    }

    /// Loads a place's cache line; what it returns is of no use but keeps the load from being left out.
    @inline(__always)
    func preloaded(_ place: Int) -> UInt64 { cells[place].load(ordering: .relaxed) }
}
