import Basics
import CDICOM
import Foundation

extension DICOMSlice {
    /// The slice as the bytes of a DICOM file, with preamble and meta header, in the header's transfer syntax.
    ///
    /// Writes the attributes that the competition's files have and nothing else. Identifiers are written as given, valid UIDs or
    /// not; pixels as their low 16 bits. An attribute whose text is empty or whose list of numbers is empty is left out,
    /// StudyID apart, which the competition's files carry empty.
    package func encoded() throws -> [UInt8] {
        try Self.encode(
            attributes(), pixels: pixels.map { UInt16(truncatingIfNeeded: $0) }, transferSyntax: header.transferSyntax)
    }

    /// The attributes in tag order: group, element, value.
    private func attributes() -> [(UInt16, UInt16, String)] {
        func list(_ numbers: [Double]) -> String { numbers.map(Self.decimalString).joined(separator: "\\") }
        let all: [(UInt16, UInt16, String)] = [
            (0x0008, 0x0016, "1.2.840.10008.5.1.4.1.1.2"),  // CT Image Storage; DCMTK needs it for the meta header.
            (0x0008, 0x0018, header.sopInstanceUID),
            (0x0008, 0x0060, header.modality),
            (0x0010, 0x0020, header.patientID),
            (0x0020, 0x000D, header.studyInstanceUID),
            (0x0020, 0x000E, header.seriesInstanceUID),
            (0x0020, 0x0032, list(header.imagePosition)),
            (0x0020, 0x0037, list(header.imageOrientation)),
            (0x0028, 0x0002, "\(header.samplesPerPixel)"),
            (0x0028, 0x0004, header.photometricInterpretation),
            (0x0028, 0x0010, "\(header.rows)"),
            (0x0028, 0x0011, "\(header.columns)"),
            (0x0028, 0x0030, list(header.pixelSpacing)),
            (0x0028, 0x0100, "\(header.bitsAllocated)"),
            (0x0028, 0x0101, "\(header.bitsStored)"),
            (0x0028, 0x0102, "\(header.highBit)"),
            (0x0028, 0x0103, "\(header.pixelRepresentation)"),
            (0x0028, 0x1050, header.windowCenterText),
            (0x0028, 0x1051, header.windowWidthText),
            (0x0028, 0x1052, Self.decimalString(header.rescaleIntercept)),
            (0x0028, 0x1053, Self.decimalString(header.rescaleSlope)),
        ]
        return all.filter { !$0.2.isEmpty } + [(0x0020, 0x0010, header.studyID)]
    }

    /// A DICOM decimal string: at most 16 characters, and `-1024` rather than `-1024.0`.
    private static func decimalString(_ number: Double) -> String {
        let text = "\(number)"
        return String((text.hasSuffix(".0") ? String(text.dropLast(2)) : text).prefix(16))
    }

    /// Encodes any attributes and pixels; also what the tests write broken files with.
    package static func encode(
        _ attributes: [(group: UInt16, element: UInt16, value: String)], pixels: [UInt16], transferSyntax: String
    ) throws -> [UInt8] {
        let texts = attributes.map { strdup($0.value) }
        defer { texts.forEach { free($0) } }
        let list = zip(attributes, texts).map { attribute, text in
            DICOMAttribute(group: attribute.group, element: attribute.element, value: text)
        }
        // The preamble, the meta header and two dozen short attributes take about a kilobyte.
        var bytes = [UInt8](repeating: 0, count: pixels.count * 2 + (64 << 10))
        var reason = [CChar](repeating: 0, count: 256)
        let count = dicom_encode(
            list, list.count, pixels, pixels.count, transferSyntax, &bytes, bytes.count, &reason, reason.count)
        guard count > 0 else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw Failure(.bug, "a DICOM file cannot be encoded: \(text).")
        }
        return Array(bytes.prefix(count))
    }
}
