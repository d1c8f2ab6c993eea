import Foundation
import Inputs

/// One row of the catalog's table `slice`: every attribute and statistic of a slice that was read.
///
/// Property names are column names. Statistics are the original's `dicom_to_dataframe`: of the stored values (`raw…`) and of the
/// image in Hounsfield units, clipped to the file's own window (`doctor…`, null without one) and to the brain window 0...80
/// (`custom…`); the spread is the maximum minus the minimum.
package struct SliceRecord: Codable, Sendable, Equatable {
    package var split: Split
    package var id: String
    /// Relative to the input folder.
    package var path: String

    package var sopInstanceUID: String
    package var modality: String
    package var patientID: String
    package var studyInstanceUID: String
    package var seriesInstanceUID: String
    package var studyID: String
    package var position1: Double
    package var position2: Double
    package var position3: Double
    /// Numbers joined with backslashes, as in the file.
    package var imageOrientation: String
    package var samplesPerPixel: Int
    package var photometricInterpretation: String
    package var rows: Int
    package var columns: Int
    package var pixelSpacing: String
    package var bitsAllocated: Int
    package var bitsStored: Int
    package var highBit: Int
    package var pixelRepresentation: Int
    /// As in the file; the numbers that the original makes of them are `windowCenter` and `windowWidth`.
    package var windowCenterText: String
    package var windowWidthText: String
    package var windowCenter: Int?
    package var windowWidth: Int?
    package var rescaleIntercept: Double
    package var rescaleSlope: Double
    package var transferSyntax: String

    package var rawMax: Int
    package var rawMin: Int
    package var rawMean: Double
    package var rawSpread: Int
    package var doctorMax: Double?
    package var doctorMin: Double?
    package var doctorMean: Double?
    package var doctorSpread: Double?
    package var customMax: Double
    package var customMin: Double
    package var customMean: Double
    package var customSpread: Double
    /// SHA-256 of the image in Hounsfield units as little-endian 16-bit integers, row-major.
    package var hounsfieldSHA256: String
    /// Whether the header says that pixel values wrapped around (``SliceHeader/hasWrappedPixels``).
    package var isWrapped: Bool

    /// The types with Label 1, joined with spaces, in the order of the label file's rows; of a slice that is listed twice, twice.
    package var labels: String
    package var isRepeated: Bool

    /// Whether the slice passed the original's filter; what follows is null or empty if not.
    package var isKept = false
    package var positionOrd: Double?
    package var leftLabel = ""
    package var rightLabel = ""
    package var fold: Int?
}

extension SliceRecord {
    /// What a slice's header says and what its pixels measure; ``hounsfieldSHA256`` comes later, since two are hashed at once.
    package init(
        split: Split, id: String, path: String, header: SliceHeader, measured: SliceMeasurement, labels: String,
        isRepeated: Bool
    ) {
        let (raw, custom, doctor) = (measured.raw, measured.custom, measured.doctor)
        self.init(
            split: split, id: id, path: path,
            sopInstanceUID: header.sopInstanceUID, modality: header.modality, patientID: header.patientID,
            studyInstanceUID: header.studyInstanceUID, seriesInstanceUID: header.seriesInstanceUID,
            studyID: header.studyID,
            position1: header.imagePosition[0], position2: header.imagePosition[1], position3: header.imagePosition[2],
            imageOrientation: Self.list(header.imageOrientation), samplesPerPixel: header.samplesPerPixel,
            photometricInterpretation: header.photometricInterpretation, rows: header.rows, columns: header.columns,
            pixelSpacing: Self.list(header.pixelSpacing), bitsAllocated: header.bitsAllocated,
            bitsStored: header.bitsStored,
            highBit: header.highBit, pixelRepresentation: header.pixelRepresentation,
            windowCenterText: header.windowCenterText, windowWidthText: header.windowWidthText,
            windowCenter: header.windowCenter, windowWidth: header.windowWidth,
            rescaleIntercept: header.rescaleIntercept, rescaleSlope: header.rescaleSlope,
            transferSyntax: header.transferSyntax,
            rawMax: Int(raw.max), rawMin: Int(raw.min), rawMean: raw.mean, rawSpread: Int(raw.spread),
            doctorMax: doctor?.max, doctorMin: doctor?.min, doctorMean: doctor?.mean, doctorSpread: doctor?.spread,
            customMax: custom.max, customMin: custom.min, customMean: custom.mean, customSpread: custom.spread,
            hounsfieldSHA256: "", isWrapped: header.hasWrappedPixels, labels: labels,
            isRepeated: isRepeated)
    }

    private static func list(_ numbers: [Double]) -> String { numbers.map { "\($0)" }.joined(separator: "\\") }

    /// What a row of the table fills in, column by column.
    static let empty = SliceRecord(
        split: .train, id: "", path: "", sopInstanceUID: "", modality: "", patientID: "", studyInstanceUID: "",
        seriesInstanceUID: "", studyID: "", position1: 0, position2: 0, position3: 0, imageOrientation: "",
        samplesPerPixel: 0, photometricInterpretation: "", rows: 0, columns: 0, pixelSpacing: "", bitsAllocated: 0,
        bitsStored: 0, highBit: 0, pixelRepresentation: 0, windowCenterText: "", windowWidthText: "",
        rescaleIntercept: 0, rescaleSlope: 0, transferSyntax: "", rawMax: 0, rawMin: 0, rawMean: 0, rawSpread: 0,
        customMax: 0, customMin: 0, customMean: 0, customSpread: 0, hounsfieldSHA256: "", isWrapped: false,
        labels:
            "", isRepeated: false)
}
