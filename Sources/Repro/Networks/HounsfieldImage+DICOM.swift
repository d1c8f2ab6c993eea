import Inputs
import Nets

extension HounsfieldImage {
    /// A slice as networks take it.
    ///
    /// - Parameter repairingWrap: see ``DICOMSlice/hounsfield(repairingWrap:)``.
    public init(_ slice: DICOMSlice, repairingWrap: Bool) {
        self.init(
            rows: slice.header.rows, columns: slice.header.columns,
            values: slice.hounsfield(repairingWrap: repairingWrap))
    }
}
