import CDICOM
import Foundation
import Inputs

/// The original's statistics of a slice (`dicom_to_dataframe`) and the image whose hash the catalog keeps.
package struct SliceMeasurement {
    /// Of the stored values.
    package let raw: WindowStatistics
    /// Of the image in Hounsfield units in the brain window, 0...80.
    package let custom: WindowStatistics
    /// Of the image in the file's own window; nil without one.
    package let doctor: WindowStatistics?
    /// The image in Hounsfield units as 16-bit integers (truncated, clamped), row-major, little-endian on any machine.
    package let hounsfield: [Int16]

    private static let brainWindow = (center: 40, width: 80)

    package init(of pixels: StoredPixels, header: SliceHeader, repairsWrap: Bool) {
        let ownWindow = header.windowCenter.flatMap { center in header.windowWidth.map { (center: center, width: $0) } }
        let wholeOffset = Self.wholeOffset(header, repairsWrap: repairsWrap, window: ownWindow)
        if let wholeOffset, pixels.count > 0 {
            self = Self.inIntegers(pixels, offset: wholeOffset, ownWindow: ownWindow)
            return
        }
        let slice = DICOMSlice(header: header, pixels: pixels.values)
        let units = slice.pixels.map(slice.hounsfieldUnits(repairingWrap: repairsWrap))
        self.init(
            raw: WindowStatistics(of: slice.pixels.map(Double.init), low: -.infinity, high: .infinity),
            custom: WindowStatistics(of: units, center: Self.brainWindow.center, width: Self.brainWindow.width),
            doctor: ownWindow.map { WindowStatistics(of: units, center: $0.center, width: $0.width) },
            hounsfield: units.map { Int16(max(-32_768, min(32_767, $0))) })
    }

    private init(raw: WindowStatistics, custom: WindowStatistics, doctor: WindowStatistics?, hounsfield: [Int16]) {
        self.raw = raw
        self.custom = custom
        self.doctor = doctor
        // This machine's byte order is the hash's, but for the few where it is not.
        self.hounsfield = 1.littleEndian == 1 ? hounsfield : hounsfield.map(\.littleEndian)
    }

    /// The offset from stored values to Hounsfield units, if that is all that is between them and integers will do: of nearly every
    /// CT slice there is. The results are the same, in a twentieth of the time.
    private static func wholeOffset(_ header: SliceHeader, repairsWrap: Bool, window: (center: Int, width: Int)?)
        -> Int32?
    {
        guard header.rescaleSlope == 1, !(repairsWrap && header.hasWrappedPixels),
            header.rescaleIntercept.magnitude <= 30_000, let offset = Int32(exactly: header.rescaleIntercept)
        else { return nil }
        if let window, max(window.center.magnitude, window.width.magnitude) > 60_000 { return nil }
        return offset
    }

    private static func inIntegers(
        _ pixels: StoredPixels, offset: Int32, ownWindow: (center: Int, width: Int)?
    ) -> Self {
        let windows = [brainWindow, ownWindow ?? brainWindow].map { window in
            // Python's // rounds down; a shift does too.
            ValueWindow(
                low: Int32(window.center - (window.width >> 1)), high: Int32(window.center + (window.width >> 1)))
        }
        var whole = ValueRange()
        var clipped = (ValueRange(), ValueRange())
        let hounsfield = [Int16](unsafeUninitializedCapacity: pixels.count) { words, filled in
            withUnsafeMutableBytes(of: &clipped) { ranges in
                slice_measure(
                    pixels, offset, windows[0], windows[1], words.baseAddress, &whole,
                    ranges.assumingMemoryBound(to: ValueRange.self).baseAddress)
            }
            filled = pixels.count
        }
        return SliceMeasurement(
            raw: WindowStatistics(whole, count: pixels.count), custom: WindowStatistics(clipped.0, count: pixels.count),
            doctor: ownWindow == nil ? nil : WindowStatistics(clipped.1, count: pixels.count),
            hounsfield: hounsfield)
    }
}

/// Maximum, minimum and mean of an image clipped to a window: the original's `apply_window`.
package struct WindowStatistics: Equatable {
    package var max = -Double.infinity
    package var min = Double.infinity
    package var mean = 0.0
    package var spread: Double { max - min }

    /// - Parameter units: the image in Hounsfield units, not empty; it is clipped to center - width // 2 ... center + width // 2.
    package init(of units: [Double], center: Int, width: Int) {
        // Python's // rounds down; a shift does too.
        self.init(of: units, low: Double(center - (width >> 1)), high: Double(center + (width >> 1)))
    }

    package init(of units: [Double], low: Double, high: Double) {
        var sum = 0.0
        for unit in units {
            // numpy's clip: the upper bound wins where the two cross.
            let value = Swift.min(Swift.max(unit, low), high)
            max = Swift.max(max, value)
            min = Swift.min(min, value)
            sum += value
        }
        mean = sum / Double(units.count)
    }

    /// From exact sums.
    package init(_ range: ValueRange, count: Int) {
        (max, min) = (Double(range.maximum), Double(range.minimum))
        mean = Double(range.sum) / Double(count)
    }
}
