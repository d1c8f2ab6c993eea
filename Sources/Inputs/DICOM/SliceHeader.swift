/// The attributes of a CT slice that the competition's files carry, as written in the file.
///
/// Identifiers are kept as they are: the data set's UIDs (`ID_dd37ba3adb`) are not valid UIDs, and nothing here minds.
/// Tags are those of DICOM PS3.6; units are the standard's (millimetres for positions and spacing).
public struct SliceHeader: Sendable, Equatable {
    /// SOPInstanceUID (0008,0018), the slice's own; empty if absent.
    public var sopInstanceUID = ""
    /// Modality (0008,0060): "CT" of every slice that can be read.
    public var modality = "CT"
    /// PatientID (0010,0020).
    public var patientID = ""
    /// StudyInstanceUID (0020,000D).
    public var studyInstanceUID = ""
    /// SeriesInstanceUID (0020,000E).
    public var seriesInstanceUID = ""
    /// StudyID (0020,0010); empty if absent.
    public var studyID = ""
    /// ImagePositionPatient (0020,0032): x, y, z of the first pixel's centre.
    public var imagePosition: [Double] = []
    /// ImageOrientationPatient (0020,0037): six direction cosines, or empty if absent.
    public var imageOrientation: [Double] = []
    /// SamplesPerPixel (0028,0002): 1 of every slice that can be read.
    public var samplesPerPixel = 1
    /// PhotometricInterpretation (0028,0004).
    public var photometricInterpretation = "MONOCHROME2"
    /// Rows (0028,0010).
    public var rows = 0
    /// Columns (0028,0011).
    public var columns = 0
    /// PixelSpacing (0028,0030): between rows, between columns; empty if absent.
    public var pixelSpacing: [Double] = []
    /// BitsAllocated (0028,0100).
    public var bitsAllocated = 16
    /// BitsStored (0028,0101).
    public var bitsStored = 16
    /// HighBit (0028,0102).
    public var highBit = 15
    /// PixelRepresentation (0028,0103): 0 unsigned, 1 two's complement.
    public var pixelRepresentation = 1
    /// WindowCenter (0028,1050) as text: may be multi-valued, padded or fractional, or empty if absent.
    public var windowCenterText = ""
    /// WindowWidth (0028,1051), likewise.
    public var windowWidthText = ""
    /// RescaleIntercept (0028,1052), in HU.
    public var rescaleIntercept = 0.0
    /// RescaleSlope (0028,1053): HU for each step of the stored values.
    public var rescaleSlope = 1.0
    /// The UID of the transfer syntax that the file is written in.
    public var transferSyntax = "1.2.840.10008.1.2.1"

    /// What is odd about the file it was read from.
    public var quirks: [SliceQuirk] = []

    /// The attributes of a slice that says nothing of itself.
    public init() {}

    /// The window's center: the first value, truncated to an integer, as the original takes it (`00036\00036` is 36, `35.7` is 35).
    public var windowCenter: Int? { Self.firstInteger(windowCenterText) }
    /// The window's width, likewise.
    public var windowWidth: Int? { Self.firstInteger(windowWidthText) }

    /// Whether the pixels are 12-bit values that wrapped around below zero, by the header alone.
    ///
    /// Such files are 12-bit unsigned with an intercept near 0, so that air (-1000 HU) can only be written as about 3096.
    public var hasWrappedPixels: Bool { bitsStored == 12 && pixelRepresentation == 0 && rescaleIntercept > -100 }

    package static func firstInteger(_ text: String) -> Int? {
        guard let value = numbers(text)?.first, value.magnitude < 1e9 else { return nil }
        return Int(value)
    }

    /// The values of a DICOM decimal string, which are separated by backslashes and may be padded; nil if one is no number.
    package static func numbers(_ text: String) -> [Double]? {
        var values: [Double] = []
        for part in text.utf8.split(separator: UInt8(ascii: "\\"), omittingEmptySubsequences: false) {
            let text = trimmed(Substring(part))
            // Swift would take hexadecimal numbers too, which the standard does not have (PS3.5, 6.2, DS).
            guard text.utf8.allSatisfy(isDecimal), let value = Double(text), value.isFinite else { return nil }
            values.append(value)
        }
        return values
    }

    private static func isDecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    /// Without the spaces and NULs that pad values to even lengths.
    package static func trimmed(_ text: Substring) -> String {
        // Byte by byte: this is called thirty times a slice, and going by characters was a fifth of the catalog's time.
        var text = text
        return text.withUTF8 { bytes in
            let isPadding = { (byte: UInt8) in byte == 32 || byte == 0 }
            guard let first = bytes.firstIndex(where: { !isPadding($0) }),
                let last = bytes.lastIndex(where: { !isPadding($0) })
            else { return "" }
            return String(decoding: bytes[first...last], as: UTF8.self)
        }
    }
}
