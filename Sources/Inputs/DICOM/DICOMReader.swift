import Basics
import CDICOM
import Foundation

/// Reads a CT slice: attributes and pixels.
///
/// Takes any uncompressed transfer syntax (implicit, explicit, big endian, deflated), JPEG lossless, JPEG-LS and RLE.
/// - Throws: ``SliceError``, which says what is wrong with the file and what to do.
public func readSlice(at path: String) throws(SliceError) -> DICOMSlice {
    try readSlice(at: path) { header, pixels in DICOMSlice(header: header, pixels: pixels.values) }
}

/// Reads a CT slice and passes it on with its pixels where they lie, which is valid during the call only.
package func readSlice<Result>(
    at path: String, _ body: (SliceHeader, StoredPixels) -> Result
) throws(SliceError) -> Result {
    try withReader(of: try readFile(path), name: path) { reader throws(SliceError) in
        var header = try reader.header()
        let pixels = try reader.pixels(for: header)
        header.quirks = reader.quirks
        return body(header, pixels)
    }
}

/// Reads a CT image in a file of any origin: whose it is and where it lies may have been removed from it, and is not read.
///
/// - Throws: ``SliceError``, as for ``readSlice(at:)``.
public func readImage(at path: String) throws(SliceError) -> DICOMSlice {
    try readImage(in: try readFile(path), name: path)
}

/// The same from a file's bytes; `name` is what errors call it.
public func readImage(in bytes: [UInt8], name: String) throws(SliceError) -> DICOMSlice {
    try withReader(of: bytes, name: name) { reader throws(SliceError) in try reader.image() }
}

private func withReader<Value>(
    of bytes: [UInt8], name: String, _ body: (DICOMReader) throws(SliceError) -> Value
) throws(SliceError) -> Value {
    try bytes.withUnsafeBufferPointer { bytes in
        Result { () throws(SliceError) in
            let reader = try DICOMReader(bytes: bytes, name: name)
            // What it has decompressed is in use until the end.
            defer { withExtendedLifetime(reader) {} }
            return try body(reader)
        }
    }.get()
}

/// More than any slice of ``DICOMReader/mostPixels`` takes.
private let largestFile = 1 << 28

/// The bytes of a whole file.
private func readFile(_ path: String) throws(SliceError) -> [UInt8] {
    func unreadable(_ problem: String) -> SliceError {
        let reason = String(cString: strerror(errno))
        return SliceError(
            kind: .unreadable, path: path,
            detail: "cannot be \(problem): \(reason). Check that it exists and is readable.")
    }
    // Without waiting: a pipe has no end, and perhaps no writer. Where too many files are open, others will be closed soon.
    var descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    for _ in 0..<1000 where descriptor < 0 && (errno == EMFILE || errno == ENFILE) {
        usleep(5000)
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    }
    guard descriptor >= 0 else { throw unreadable("opened") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw unreadable("read") }
    guard status.st_mode & S_IFMT == S_IFREG else {
        throw SliceError(
            kind: .unreadable, path: path, detail: "is no file but a folder, pipe or device. Give the name of a file.")
    }
    let size = Int(status.st_size)
    guard size <= largestFile else {
        throw SliceError(
            kind: .badSize, path: path,
            detail: "\(size) bytes, more than any slice has. Remove the file, or save each slice as a file of its own.")
    }
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
        while filled < size {
            let count = uninterrupted { read(descriptor, buffer.baseAddress?.advanced(by: filled), size - filled) }
            failed = count < 0
            guard count > 0 else { break }
            filled += count
        }
    }
    if failed { throw unreadable("read") }
    return bytes
}

extension StoredPixels {
    /// The pixels as numbers.
    package var values: [Int32] {
        [Int32](unsafeUninitializedCapacity: count) { values, filled in
            if let base = values.baseAddress { stored_values(self, base) }
            filled = count
        }
    }
}

/// One open DICOM file; checks that it is a slice as the competition has them.
private final class DICOMReader {
    private let path: String
    private let file: OpaquePointer
    private let transferSyntax: String
    /// What was found odd so far.
    private(set) var quirks: [SliceQuirk]
    /// The first attribute that was asked for and is there twice.
    private var doubled: String?
    /// Pixels that had to be moved within their words.
    private var shifted: [UInt16] = []

    /// 8192 x 8192: a bound on the memory that a damaged header can ask for.
    private static let mostPixels = 1 << 26

    /// - Parameter bytes: are needed as long as the reader.
    init(bytes: UnsafeBufferPointer<UInt8>, name path: String) throws(SliceError) {
        // Without this check DCMTK tries to make sense of any bytes.
        guard let layout = DICOMLayout(bytes) else {
            throw SliceError(
                kind: .notDICOM, path: path,
                detail:
                    "not a DICOM file: neither \"DICM\" after 128 bytes nor a data set at its start. Copy or unpack it again, or remove it."
            )
        }
        guard layout.transferSyntax != DICOMLayout.privateGE || layout.encoding == .implicitLittle else {
            throw SliceError(
                kind: .malformed, path: path,
                detail:
                    "the meta header says GE's private transfer syntax, which has implicit VR, but the data are encoded as \(layout.encoding.rawValue): the byte order of the pixels is not known. Get the file from its source again."
            )
        }
        self.path = path
        (transferSyntax, quirks) = (layout.transferSyntax, layout.quirks)
        let isDecoded = layout.encoding != .encapsulated || TransferSyntax.decoded.contains(layout.transferSyntax)
        let syntax =
            layout.encoding != .encapsulated
            ? layout.encoding.rawValue
            : isDecoded ? layout.transferSyntax : DICOMLayout.Encoding.explicitLittle.rawValue
        var oddity = DICOMOddity()
        var reason = [CChar](repeating: 0, count: 256)
        let opened = syntax.withCString { syntax in
            dicom_open(
                bytes.baseAddress, bytes.count,
                DICOMEncoding(
                    start: layout.start, transfer_syntax: syntax,
                    swaps_pixels: layout.transferSyntax == DICOMLayout.privateGE, ends_at_pixels: !isDecoded),
                &oddity, &reason, reason.count)
        }
        guard let file = opened else {
            let text = Self.text(reason)
            throw oddity.truncated
                ? SliceError(
                    kind: .truncated, path: path,
                    detail:
                        "the file ends too early (\(text)). Copy or unpack it again; if the source is the same, it is damaged."
                )
                : SliceError(
                    kind: .malformed, path: path,
                    detail: "DICOM that cannot be parsed (\(text)). Copy or unpack it again.")
        }
        self.file = file
        if oddity.stray_bytes { quirks.append(.strayBytes) }
    }

    deinit { dicom_close(file) }

    func image() throws(SliceError) -> DICOMSlice {
        var header = try imageHeader()
        try readPixelDescription(into: &header)
        let pixels = try pixels(for: header).values
        header.quirks = quirks
        return DICOMSlice(header: header, pixels: pixels)
    }

    func header() throws(SliceError) -> SliceHeader {
        var header = try imageHeader()
        header.sopInstanceUID = text(0x0008, 0x0018) ?? ""
        header.patientID = try required("PatientID", 0x0010, 0x0020)
        header.studyInstanceUID = try required("StudyInstanceUID", 0x0020, 0x000D)
        header.seriesInstanceUID = try required("SeriesInstanceUID", 0x0020, 0x000E)
        header.studyID = text(0x0020, 0x0010) ?? ""
        header.imagePosition = try numbers("ImagePositionPatient", 0x0020, 0x0032, count: 3)
        header.imageOrientation = text(0x0020, 0x0037).flatMap(SliceHeader.numbers) ?? []
        header.pixelSpacing = text(0x0028, 0x0030).flatMap(SliceHeader.numbers) ?? []
        header.windowCenterText = text(0x0028, 0x1050) ?? ""
        header.windowWidthText = text(0x0028, 0x1051) ?? ""
        try readPixelDescription(into: &header)
        return header
    }

    /// What every CT image has whose pixels mean something.
    private func imageHeader() throws(SliceError) -> SliceHeader {
        var header = SliceHeader()
        header.transferSyntax = transferSyntax
        header.modality = text(0x0008, 0x0060) ?? ""
        guard header.modality == "CT" else {
            throw problem(
                .notCT,
                "Modality (0008,0060) is '\(header.modality)', expected 'CT'. Remove the file or give the right folder."
            )
        }
        if let frames = text(0x0028, 0x0008).flatMap(SliceHeader.firstInteger), frames > 1 {
            throw problem(
                .multiFrame, "\(frames) frames, expected a single one. Save each frame as a file of its own.")
        }
        if let refusal = TransferSyntax.refusal(transferSyntax) { throw problem(.compressed, refusal) }
        let near = TransferSyntax.jpegLS.contains(transferSyntax) ? dicom_stream(file).near : 0
        if near > 0 {
            throw problem(
                .compressed,
                "compressed as \(TransferSyntax.name(transferSyntax)) with errors of up to \(near): the values are no longer those of the scanner. Get the image as it was before."
            )
        }
        if text(0x0028, 0x2110) == "01" { quirks.append(.lossyBefore) }
        if text(0x0008, 0x0016) == "1.2.840.10008.5.1.4.1.1.2.1" { quirks.append(.enhanced) }
        header.rescaleIntercept = try numbers("RescaleIntercept", 0x0028, 0x1052, count: 1)[0]
        header.rescaleSlope = try numbers("RescaleSlope", 0x0028, 0x1053, count: 1)[0]
        return header
    }

    private func readPixelDescription(into header: inout SliceHeader) throws(SliceError) {
        guard dicom_has_pixels(file) else {
            throw problem(.noPixels, "no PixelData (7FE0,0010). The file holds no image; unpack it again or remove it.")
        }
        header.samplesPerPixel = try integer("SamplesPerPixel", 0x0028, 0x0002)
        header.photometricInterpretation = text(0x0028, 0x0004) ?? ""
        header.rows = try integer("Rows", 0x0028, 0x0010)
        header.columns = try integer("Columns", 0x0028, 0x0011)
        header.bitsAllocated = try integer("BitsAllocated", 0x0028, 0x0100)
        header.bitsStored = try integer("BitsStored", 0x0028, 0x0101)
        header.highBit = try integer("HighBit", 0x0028, 0x0102)
        header.pixelRepresentation = try integer("PixelRepresentation", 0x0028, 0x0103)
        // The last that is read.
        noteIfDoubled(0x7FE0, 0x0010)
        if let doubled {
            throw problem(
                .malformed,
                "\(doubled) is there twice, and which is meant is not known. Copy the file again, or get it from its source again."
            )
        }
        guard header.rows > 0, header.columns > 0 else {
            throw problem(.badSize, "\(header.rows) rows and \(header.columns) columns, expected at least one of each.")
        }
        guard header.samplesPerPixel == 1, header.photometricInterpretation == "MONOCHROME2" else {
            throw problem(
                .unsupportedPixels,
                "\(header.samplesPerPixel) samples per pixel, \(header.photometricInterpretation); expected 1, MONOCHROME2."
            )
        }
        guard header.bitsAllocated == 16, (1...16).contains(header.bitsStored),
            (0...1).contains(header.pixelRepresentation)
        else {
            throw problem(
                .unsupportedPixels,
                "BitsAllocated \(header.bitsAllocated), BitsStored \(header.bitsStored), PixelRepresentation \(header.pixelRepresentation); expected 16, 1 to 16, and 0 or 1."
            )
        }
        guard (header.bitsStored - 1...15).contains(header.highBit) else {
            throw problem(
                .unsupportedPixels,
                "HighBit \(header.highBit) with BitsStored \(header.bitsStored), expected \(header.bitsStored - 1): where the pixels' bits lie is not known. Get the file from its source again."
            )
        }
        // Both fit 16 bits by the standard, but a file can claim anything.
        guard max(header.rows, header.columns) <= 65_535, header.rows * header.columns <= Self.mostPixels else {
            throw problem(.badSize, "\(header.rows) rows and \(header.columns) columns, more than any slice has.")
        }
        guard !dicom_is_compressed(file) else {
            // How many compressed pixels there are, decompressing tells; rows and columns may still have changed places.
            let stream = dicom_stream(file)
            guard stream.rows <= 0 || (Int(stream.rows), Int(stream.columns)) == (header.rows, header.columns) else {
                throw problem(
                    .badSize,
                    "the compressed pixels say that they are \(stream.rows) x \(stream.columns), Rows and Columns say \(header.rows) x \(header.columns). Get the file from its source again."
                )
            }
            // Less than a row too much is padding, which pydicom leaves out too.
            let count = Int64(header.rows * header.columns)
            guard
                stream.most_run_bytes < 0
                    || (stream.fewest_run_bytes >= count && stream.most_run_bytes < count + Int64(header.columns))
            else {
                throw problem(
                    .badSize,
                    "the compressed pixels are \(stream.fewest_run_bytes) to \(stream.most_run_bytes), expected \(header.rows) x \(header.columns): Rows or Columns is wrong, or the file is damaged. Copy or unpack it again."
                )
            }
            return
        }
        let expected = header.rows * header.columns * 2
        let found = dicom_pixel_bytes(file)
        guard found >= expected else {
            throw problem(
                .truncated,
                "PixelData has \(found) bytes, expected \(header.rows) x \(header.columns) x 2 = \(expected). Copy or unpack it again."
            )
        }
        // pydicom takes these for frames, whatever NumberOfFrames says. Or Rows is wrong.
        guard found < 2 * expected else {
            throw problem(
                .multiFrame,
                "PixelData has \(found) bytes, \(found / expected) times \(header.rows) x \(header.columns) x 2\(found % expected == 0 ? "" : " and some"): as many frames, or Rows or Columns is wrong. Save each frame as a file of its own."
            )
        }
        // Some writers pad to a block; the pixels come first (PS3.5, 8.1.1). One byte of padding makes the length even.
        if found > expected + 1 { quirks.append(.surplusPixelBytes) }
    }

    /// The pixels where they lie; valid as long as the reader.
    func pixels(for header: SliceHeader) throws(SliceError) -> StoredPixels {
        let count = header.rows * header.columns
        var reason = [CChar](repeating: 0, count: 256)
        var words: UnsafeRawPointer?
        let found = dicom_words(file, &words, &reason, reason.count)
        guard found > 0 || !dicom_is_compressed(file) else {
            throw problem(
                .malformed,
                "the compressed pixels cannot be decompressed (\(Self.text(reason))). Copy or unpack the file again.")
        }
        guard found >= count, let words else {
            throw problem(.truncated, "the pixels cannot be read to the end. Copy or unpack the file again.")
        }
        guard found <= count + 1 || !dicom_is_compressed(file) else {
            throw problem(
                .badSize, "\(found) pixels, more than \(header.rows) x \(header.columns): Rows or Columns is wrong.")
        }
        return StoredPixels(
            words: try rightJustified(words, count, header), count: count, is_signed: header.pixelRepresentation == 1,
            bits: Int32(header.bitsStored))
    }

    /// Pixels that lie in the upper bits of their words, moved down (PS3.5, 8.1.1); others as they are.
    private func rightJustified(
        _ words: UnsafeRawPointer, _ count: Int, _ header: SliceHeader
    ) throws(SliceError) -> UnsafeRawPointer {
        let shift = header.highBit + 1 - header.bitsStored
        guard shift > 0 else { return words }
        let stored = UnsafeRawBufferPointer(start: words, count: 2 * count)
        shifted = (0..<count).map { stored.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
        // Writers that mean the lower bits leave something in those that the header says are not used.
        guard shifted.allSatisfy({ $0 & (1 << shift - 1) == 0 }) else {
            throw problem(
                .unsupportedPixels,
                "HighBit \(header.highBit) with BitsStored \(header.bitsStored) says that the lower \(shift) bits are unused, but they are used: the header contradicts the pixels. Get the file from its source again, or set HighBit to \(header.bitsStored - 1) if its lower bits are meant: dcmodify -m HighBit=\(header.bitsStored - 1)."
            )
        }
        // Multiples may be meant as they are, if none is too large for the lower bits.
        let unused = 16 - header.bitsStored
        let fitLowerBits = shifted.allSatisfy { word in
            let top = word << unused
            return header.pixelRepresentation == 1
                ? Int16(bitPattern: top) >> unused == Int16(bitPattern: word) : top >> unused == word
        }
        guard !fitLowerBits || shifted.allSatisfy({ $0 == 0 }) else {
            throw problem(
                .unsupportedPixels,
                "HighBit \(header.highBit) with BitsStored \(header.bitsStored) says that the pixels lie in the upper bits, but none is too large for the lower \(header.bitsStored): which are meant is not known. Get the file from its source again, or set HighBit to \(header.bitsStored - 1) if its lower bits are meant: dcmodify -m HighBit=\(header.bitsStored - 1)."
            )
        }
        quirks.append(.leftJustified)
        for index in shifted.indices { shifted[index] >>= UInt16(shift) }
        return shifted.withUnsafeBytes { UnsafeRawPointer($0.baseAddress ?? words) }
    }

    private static func text(_ reason: [CChar]) -> String {
        String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func text(_ group: UInt16, _ element: UInt16) -> String? {
        noteIfDoubled(group, element)
        return dicom_value(file, group, element).map { SliceHeader.trimmed(Substring(String(cString: $0))) }
    }

    private func noteIfDoubled(_ group: UInt16, _ element: UInt16) {
        if dicom_is_doubled(file, group, element) { doubled = doubled ?? tag(group, element) }
    }

    private func required(_ name: String, _ group: UInt16, _ element: UInt16) throws(SliceError) -> String {
        if let value = text(group, element), !value.isEmpty { return value }
        throw missing(name, group, element, "a value")
    }

    private func numbers(_ name: String, _ group: UInt16, _ element: UInt16, count: Int) throws(SliceError) -> [Double]
    {
        if let values = text(group, element).flatMap(SliceHeader.numbers), values.count == count { return values }
        throw missing(name, group, element, count == 1 ? "a number" : "\(count) numbers")
    }

    private func integer(_ name: String, _ group: UInt16, _ element: UInt16) throws(SliceError) -> Int {
        if let value = text(group, element).flatMap({ Int($0) }) { return value }
        throw missing(name, group, element, "a whole number")
    }

    private func missing(_ name: String, _ group: UInt16, _ element: UInt16, _ expected: String) -> SliceError {
        let found = text(group, element).map { "is '\($0)'" } ?? "is absent"
        return problem(
            .missingAttribute,
            "\(name) \(tag(group, element)) \(found), expected \(expected). Unpack the file again or remove it.")
    }

    /// An attribute's tag as the standard writes it: (0028,0010).
    private func tag(_ group: UInt16, _ element: UInt16) -> String {
        let digits = [group, element].map { number in
            let digits = String(number, radix: 16, uppercase: true)
            return String(repeating: "0", count: 4 - digits.count) + digits
        }
        return "(\(digits[0]),\(digits[1]))"
    }

    private func problem(_ kind: SliceError.Kind, _ detail: String) -> SliceError {
        SliceError(kind: kind, path: path, detail: detail)
    }
}
