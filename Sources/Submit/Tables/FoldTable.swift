/// The fold of each slice, from any CSV file with columns of slices and folds, such as the catalog's export.
///
/// Such columns are called `ID` and `fold`, or as others call them: `Image`, `Fold`, `kfold` and the like. Slices may be named by
/// their rows, and folds written as data frames write them, `0.0`.
public struct FoldTable: Sendable, Equatable {
    /// The slices in the order of the file; each occurs once.
    public let sliceIDs: [String]
    /// The fold of each slice, from 0.
    public let folds: [Int]

    /// Reads the two columns of a CSV file; others are ignored.
    ///
    /// - Throws: ``TableError`` with every problem and its line: a missing column, a fold that is no number, a slice listed twice or
    ///   whose rows are in several folds.
    public init(parsing bytes: some Collection<UInt8>, name: String) throws(TableError) {
        (sliceIDs, folds) = try readSlices(.fold, of: bytes, name: name, value: Self.fold) { id, text in
            "the fold '\(text.prefix(40))' of \(id) is not a whole number from 0"
        }
    }

    /// A whole number from 0, also one that was written as a real number.
    private static func fold(_ text: String) -> Int? {
        if let fold = Int(text) { return fold >= 0 ? fold : nil }
        var text = text
        guard case .finite(let number) = text.withUTF8({ DecimalNumber(UnsafeRawBufferPointer($0)[...]) }),
            number >= 0, let fold = Int(exactly: number), fold < 1 << 53
        else { return nil }
        return fold
    }
}
