/// One slice in Hounsfield units, before any window is applied.
public struct HounsfieldImage: Sendable, Equatable {
    /// The image's height in pixels.
    public let rows: Int
    /// The image's width in pixels.
    public let columns: Int
    /// `rows * columns` values in HU, row after row, the top left pixel first.
    public let values: [Float]

    /// Wraps an image's values; their number must be rows * columns and at least one.
    public init(rows: Int, columns: Int, values: [Float]) {
        precondition(
            rows > 0 && columns > 0 && values.count == rows * columns,
            "an image of \(rows) rows and \(columns) columns cannot have \(values.count) values")
        self.rows = rows
        self.columns = columns
        self.values = values
    }
}
