/// One CT slice: its header and the pixels as stored.
///
/// `pixels` is row-major, `rows * columns` values, the same that pydicom's `pixel_array` gives (version 3): the lower BitsStored bits
/// of 16-bit words, signed if PixelRepresentation is 1.
public struct DICOMSlice: Sendable, Equatable {
    /// What the file says of the slice.
    public var header: SliceHeader
    /// Row after row, as stored.
    public var pixels: [Int32]

    /// A slice of a header and its pixels, as many as rows times columns.
    public init(header: SliceHeader, pixels: [Int32]) {
        self.header = header
        self.pixels = pixels
    }

    /// The slice in Hounsfield units, row-major: `stored * slope + intercept`, computed in 64-bit floating point.
    ///
    /// - Parameter repairingWrap: undo the wrap-around of 12-bit slices (``SliceHeader/hasWrappedPixels``), which the original
    ///   solution does not do: add 1000, subtract 4096 where the result is 4096 or more, and take -1000 for the intercept.
    public func hounsfield(repairingWrap: Bool) -> [Float] {
        let units = hounsfieldUnits(repairingWrap: repairingWrap)
        return pixels.map { Float(units($0)) }
    }

    /// The map from a stored value to Hounsfield units.
    package func hounsfieldUnits(repairingWrap: Bool) -> (Int32) -> Double {
        let slope = header.rescaleSlope
        guard repairingWrap && header.hasWrappedPixels else {
            let intercept = header.rescaleIntercept
            return { Double($0) * slope + intercept }
        }
        return { stored in
            let shifted = stored + 1000
            return Double(shifted >= 4096 ? shifted - 4096 : shifted) * slope - 1000
        }
    }
}
