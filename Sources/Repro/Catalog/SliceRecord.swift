import Foundation
import GRDB

/// Which half of the competition a slice belongs to.
enum Split: String, CaseIterable, Sendable, Codable, DatabaseValueConvertible {
    case train, test
}

/// One row of the catalog's table `slice`: every attribute and statistic of a slice that was read.
///
/// Property names are column names. Statistics are the original's `dicom_to_dataframe`: of the stored values (`raw…`) and of the
/// image in Hounsfield units, clipped to the file's own window (`doctor…`, null without one) and to the brain window 0...80
/// (`custom…`); the spread is the maximum minus the minimum.
struct SliceRecord: Codable, Sendable, Equatable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "slice"

    var split: Split
    var id: String
    /// Relative to the input folder.
    var path: String

    var sopInstanceUID: String
    var modality: String
    var patientID: String
    var studyInstanceUID: String
    var seriesInstanceUID: String
    var studyID: String
    var position1: Double
    var position2: Double
    var position3: Double
    /// Numbers joined with backslashes, as in the file.
    var imageOrientation: String
    var samplesPerPixel: Int
    var photometricInterpretation: String
    var rows: Int
    var columns: Int
    var pixelSpacing: String
    var bitsAllocated: Int
    var bitsStored: Int
    var highBit: Int
    var pixelRepresentation: Int
    /// As in the file; the numbers that the original makes of them are `windowCenter` and `windowWidth`.
    var windowCenterText: String
    var windowWidthText: String
    var windowCenter: Int?
    var windowWidth: Int?
    var rescaleIntercept: Double
    var rescaleSlope: Double
    var transferSyntax: String

    var rawMax: Int
    var rawMin: Int
    var rawMean: Double
    var rawSpread: Int
    var doctorMax: Double?
    var doctorMin: Double?
    var doctorMean: Double?
    var doctorSpread: Double?
    var customMax: Double
    var customMin: Double
    var customMean: Double
    var customSpread: Double
    /// SHA-256 of the image in Hounsfield units as little-endian 16-bit integers, row-major.
    var hounsfieldSHA256: String
    /// Whether the header says that pixel values wrapped around (``SliceHeader/hasWrappedPixels``).
    var isWrapped: Bool

    /// The types with Label 1, joined with spaces, in the order of the label file's rows; of a slice that is listed twice, twice.
    var labels: String
    var isRepeated: Bool

    /// Whether the slice passed the original's filter; what follows is null or empty if not.
    var isKept = false
    var positionOrd: Double?
    var leftLabel = ""
    var rightLabel = ""
    var fold: Int?
}

extension SliceRecord {
    /// What a slice's header says and what its pixels measure; ``hounsfieldSHA256`` comes later, since two are hashed at once.
    init(
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
}

extension SliceRecord {
    /// The columns in the table's order; what `INSERT` takes.
    static let columnNames = CatalogSchema.columns.map(\.name)

    /// The row's values in the order of ``columnNames``.
    var values: [(any DatabaseValueConvertible)?] {
        [
            split, id, path, sopInstanceUID, modality, patientID, studyInstanceUID, seriesInstanceUID, studyID,
            position1,
            position2, position3, imageOrientation, samplesPerPixel, photometricInterpretation, rows, columns,
            pixelSpacing, bitsAllocated, bitsStored, highBit, pixelRepresentation, windowCenterText, windowWidthText,
            windowCenter, windowWidth, rescaleIntercept, rescaleSlope, transferSyntax, rawMax, rawMin, rawMean,
            rawSpread,
            doctorMax, doctorMin, doctorMean, doctorSpread, customMax, customMin, customMean, customSpread,
            hounsfieldSHA256, isWrapped, labels, isRepeated, isKept, positionOrd, leftLabel, rightLabel, fold,
        ]
    }
}
