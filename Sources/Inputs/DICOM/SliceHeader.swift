/// The attributes of a CT slice that the competition's files carry, as written in the file.
///
/// Identifiers are kept as they are: the data set's UIDs (`ID_dd37ba3adb`) are not valid UIDs, and nothing here minds.
/// Tags are those of DICOM PS3.6; units are the standard's (millimetres for positions and spacing).
package struct SliceHeader: Sendable, Equatable {
    package var sopInstanceUID = ""
    package var modality = "CT"
    package var patientID = ""
    package var studyInstanceUID = ""
    package var seriesInstanceUID = ""
    package var studyID = ""
    /// ImagePositionPatient (0020,0032): x, y, z of the first pixel's centre.
    package var imagePosition: [Double] = []
    /// ImageOrientationPatient (0020,0037): six direction cosines, or empty if absent.
    package var imageOrientation: [Double] = []
    package var samplesPerPixel = 1
    package var photometricInterpretation = "MONOCHROME2"
    package var rows = 0
    package var columns = 0
    /// PixelSpacing (0028,0030): between rows, between columns; empty if absent.
    package var pixelSpacing: [Double] = []
    package var bitsAllocated = 16
    package var bitsStored = 16
    package var highBit = 15
    /// PixelRepresentation (0028,0103): 0 unsigned, 1 two's complement.
    package var pixelRepresentation = 1
    /// WindowCenter and WindowWidth (0028,1050 and 1051) as text: may be multi-valued, padded or fractional, or empty if absent.
    package var windowCenterText = ""
    package var windowWidthText = ""
    package var rescaleIntercept = 0.0
    package var rescaleSlope = 1.0
    /// The UID of the transfer syntax that the file is written in.
    package var transferSyntax = "1.2.840.10008.1.2.1"

    package init(
        sopInstanceUID: String = "", modality: String = "CT", patientID: String = "", studyInstanceUID: String = "",
        seriesInstanceUID: String = "", studyID: String = "", imagePosition: [Double] = [],
        imageOrientation: [Double] = [], samplesPerPixel: Int = 1, photometricInterpretation: String = "MONOCHROME2",
        rows: Int = 0, columns: Int = 0, pixelSpacing: [Double] = [], bitsAllocated: Int = 16, bitsStored: Int = 16,
        highBit: Int = 15, pixelRepresentation: Int = 1, windowCenterText: String = "", windowWidthText: String = "",
        rescaleIntercept: Double = 0.0, rescaleSlope: Double = 1.0, transferSyntax: String = "1.2.840.10008.1.2.1"
    ) {
        self.sopInstanceUID = sopInstanceUID
        self.modality = modality
        self.patientID = patientID
        self.studyInstanceUID = studyInstanceUID
        self.seriesInstanceUID = seriesInstanceUID
        self.studyID = studyID
        self.imagePosition = imagePosition
        self.imageOrientation = imageOrientation
        self.samplesPerPixel = samplesPerPixel
        self.photometricInterpretation = photometricInterpretation
        self.rows = rows
        self.columns = columns
        self.pixelSpacing = pixelSpacing
        self.bitsAllocated = bitsAllocated
        self.bitsStored = bitsStored
        self.highBit = highBit
        self.pixelRepresentation = pixelRepresentation
        self.windowCenterText = windowCenterText
        self.windowWidthText = windowWidthText
        self.rescaleIntercept = rescaleIntercept
        self.rescaleSlope = rescaleSlope
        self.transferSyntax = transferSyntax
    }

    /// The first value, truncated to an integer, as the original takes it: `00036\00036` is 36, `35.7` is 35.
    package var windowCenter: Int? { Self.firstInteger(windowCenterText) }
    package var windowWidth: Int? { Self.firstInteger(windowWidthText) }

    /// Whether the pixels are 12-bit values that wrapped around below zero, by the header alone.
    ///
    /// Such files are 12-bit unsigned with an intercept near 0, so that air (-1000 HU) can only be written as about 3096.
    package var hasWrappedPixels: Bool { bitsStored == 12 && pixelRepresentation == 0 && rescaleIntercept > -100 }

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
