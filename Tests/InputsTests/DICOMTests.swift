import Foundation
import Testing

@testable import Basics
@testable import Inputs
@testable import TestSupport

@Suite("DICOM slices")
struct DICOMTests {
    @Test(
        "a slice comes back as it was written, in every uncompressed transfer syntax",
        arguments: ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
    func roundTrip(syntax: String) throws {
        var slice = InputFixtures.slice()
        slice.header.transferSyntax = syntax
        slice.header.windowCenterText = "00036\\00036"
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(try slice.encoded(), to: folder + "/a.dcm")
            let read = try readSlice(at: folder + "/a.dcm")
            #expect(read == slice)
            #expect(read.header.windowCenter == 36)
        }
    }

    @Test("identifiers that are no valid UIDs stay as they are, in the bytes too")
    func invalidUIDs() throws {
        let bytes = try InputFixtures.slice().encoded()
        for id in ["ID_dd37ba3adb", "ID_0123456789", "ID_abcdef0123"] {
            #expect(Data(bytes).range(of: Data(id.utf8)) != nil)
        }
    }

    /// Laid out by hand from PS3.5, so that reader and writer cannot share a mistake.
    @Test("a big-endian file made by hand is read", arguments: [true, false])
    func handMade(isBigEndian: Bool) throws {
        var body: [UInt8] = []
        func number(_ value: Int, bytes count: Int) -> [UInt8] {
            let low = (0..<count).map { UInt8(value >> (8 * $0) & 255) }
            return isBigEndian ? low.reversed() : low
        }
        func add(_ group: Int, _ element: Int, _ vr: String, _ value: [UInt8]) {
            body += number(group, bytes: 2) + number(element, bytes: 2) + Array(vr.utf8)
            body += vr == "OW" ? [0, 0] + number(value.count, bytes: 4) : number(value.count, bytes: 2)
            body += value
        }
        func text(_ text: String) -> [UInt8] { Array((text.utf8.count % 2 == 0 ? text : text + " ").utf8) }
        add(0x0008, 0x0060, "CS", text("CT"))
        add(0x0010, 0x0020, "LO", text("ID_1"))
        add(0x0020, 0x000D, "UI", text("ID_2"))
        add(0x0020, 0x000E, "UI", text("ID_3"))
        add(0x0020, 0x0032, "DS", text("1.5\\-2\\+3"))
        add(0x0028, 0x0002, "US", number(1, bytes: 2))
        add(0x0028, 0x0004, "CS", text("MONOCHROME2"))
        add(0x0028, 0x0010, "US", number(1, bytes: 2))
        add(0x0028, 0x0011, "US", number(3, bytes: 2))
        add(0x0028, 0x0100, "US", number(16, bytes: 2))
        add(0x0028, 0x0101, "US", number(16, bytes: 2))
        add(0x0028, 0x0102, "US", number(15, bytes: 2))
        add(0x0028, 0x0103, "US", number(1, bytes: 2))
        add(0x0028, 0x1052, "DS", text("-1024"))
        add(0x0028, 0x1053, "DS", text("1"))
        add(0x7FE0, 0x0010, "OW", [-2000, 5, 300].flatMap { number($0, bytes: 2) })
        let syntax = Array((isBigEndian ? "1.2.840.10008.1.2.2\0" : "1.2.840.10008.1.2.1\0").utf8)
        let meta = [2, 0, 0x10, 0] + Array("UI".utf8) + [UInt8(syntax.count), 0] + syntax
        let length: [UInt8] = [2, 0, 0, 0] + Array("UL".utf8) + [4, 0, UInt8(meta.count), 0, 0, 0]
        let file = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8) + length + meta + body
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(file, to: folder + "/a.dcm")
            let slice = try readSlice(at: folder + "/a.dcm")
            #expect(slice.pixels == [-2000, 5, 300])
            #expect(slice.header.imagePosition == [1.5, -2, 3])
            #expect(slice.header.windowCenter == nil)
            #expect(slice.hounsfield(repairingWrap: false) == [-3024, -1019, -724])
        }
    }

    @Test(
        "windows: the first value, truncated",
        arguments: [
            ("40", 40), ("00036\\00036", 36), ("35.7", 35), ("-35.7", -35), (" 30 ", 30), ("", nil), ("abc", nil),
            ("1e99", nil),
        ])
    func window(text: String, expected: Int?) {
        #expect(SliceHeader.firstInteger(text) == expected)
    }

    @Test("wrapped pixels are left alone by default and repaired on request")
    func wrap() {
        var slice = InputFixtures.slice()
        slice.header.bitsStored = 12
        slice.header.pixelRepresentation = 0
        slice.header.rescaleIntercept = 1
        // Air, fat, brain and bone as 12-bit values of -1000, -60, 35 and 1000.
        slice.pixels = [3096, 4036, 35, 1000]
        #expect(slice.header.hasWrappedPixels)
        #expect(slice.hounsfield(repairingWrap: false) == [3097, 4037, 36, 1001])
        #expect(slice.hounsfield(repairingWrap: true) == [-1000, -60, 35, 1000])
        slice.header.rescaleIntercept = -1024
        #expect(!slice.header.hasWrappedPixels)
        #expect(slice.hounsfield(repairingWrap: true) == slice.hounsfield(repairingWrap: false))
    }

    /// Each broken file, with the kind of error and a word that its message must have.
    private static func brokenFiles() throws -> [(SliceError.Kind, String, [UInt8])] {
        func changed(_ change: (inout SliceHeader) -> Void) throws -> [UInt8] {
            var slice = InputFixtures.slice()
            change(&slice.header)
            return try slice.encoded()
        }
        let whole = try InputFixtures.slice().encoded()
        // RLE's UID is as long as that of explicit little endian. Compressed pixels are a sequence of items (PS3.5, A.4).
        var compressed = Data(whole.dropLast(12 + 48))
        if let range = compressed.range(of: Data("1.2.840.10008.1.2.1\0".utf8)) {
            compressed.replaceSubrange(range, with: Data("1.2.840.10008.1.2.5\0".utf8))
        }
        compressed += [0xE0, 0x7F, 0x10, 0, 0x4F, 0x42, 0, 0, 255, 255, 255, 255]
        compressed += [0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 1, 2, 3, 4]
        compressed += [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]
        let attributes: [(group: UInt16, element: UInt16, value: String)] = [
            (0x0008, 0x0016, "1.2.840.10008.5.1.4.1.1.2"), (0x0008, 0x0018, "ID_1"), (0x0008, 0x0060, "CT"),
            (0x0010, 0x0020, "P"),
            (0x0020, 0x000D, "S"), (0x0020, 0x000E, "T"), (0x0020, 0x0032, "1\\2\\3"), (0x0028, 0x0002, "1"),
            (0x0028, 0x0004, "MONOCHROME2"), (0x0028, 0x0010, "2"), (0x0028, 0x0011, "2"), (0x0028, 0x0100, "16"),
            (0x0028, 0x0101, "16"), (0x0028, 0x0102, "15"), (0x0028, 0x0103, "1"), (0x0028, 0x1052, "0"),
            (0x0028, 0x1053, "1"),
        ]
        func encoded(_ extra: [(group: UInt16, element: UInt16, value: String)], pixels: [UInt16]) throws -> [UInt8] {
            try DICOMSlice.encode(attributes + extra, pixels: pixels, transferSyntax: "1.2.840.10008.1.2.1")
        }
        return [
            (.notDICOM, "DICM", Array("no DICOM at all".utf8)),
            (.notDICOM, "DICM", []),
            (.truncated, "ends too early", Array(whole.dropLast(20))),
            (.truncated, "ends too early", Array(whole.prefix(400))),
            (.truncated, "PixelData has 48 bytes", try changed { $0.rows = 100 }),
            (.multiFrame, "2 times", try changed { $0.rows = 2 }),
            (.badSize, "0 rows", try changed { $0.rows = 0 }),
            (.malformed, "decompressed", Array(compressed)),
            (.notCT, "'MR'", try changed { $0.modality = "MR" }),
            (.noPixels, "PixelData", try encoded([], pixels: [])),
            (.multiFrame, "2 frames", try encoded([(0x0028, 0x0008, "2")], pixels: [1, 2, 3, 4, 5, 6, 7, 8])),
            (.unsupportedPixels, "MONOCHROME1", try changed { $0.photometricInterpretation = "MONOCHROME1" }),
            (.unsupportedPixels, "BitsAllocated 8", try changed { $0.bitsAllocated = 8 }),
            (.missingAttribute, "ImagePositionPatient (0020,0032)", try changed { $0.imagePosition = [1, 2] }),
            (.missingAttribute, "PatientID (0010,0020) is absent", try changed { $0.patientID = "" }),
        ]
    }

    @Test("each kind of unusable file is named with what was expected")
    func broken() throws {
        try InputFixtures.withFolder { folder in
            let path = folder + "/bad.dcm"
            for (kind, word, bytes) in try Self.brokenFiles() {
                try InputFixtures.write(bytes, to: path)
                let error = #expect(throws: SliceError.self) { try readSlice(at: path) }
                #expect(error?.kind == kind, "\(String(describing: error))")
                #expect(error?.description.contains(word) == true, "\(String(describing: error))")
                #expect(error?.description.hasPrefix(path) == true)
            }
        }
    }

    private struct Expected: Decodable {
        let sha256_of_int32_le: String
    }

    /// `golden/dicom/make.py` says how the files were made, by other encoders than ours.
    @Test(
        "JPEG lossless, JPEG-LS and RLE decode to pydicom's pixels in each pixel format; JPEG 2000 is refused by name")
    func compressed() throws {
        let folder = InputFixtures.golden + "/dicom"
        let expected = try JSON.decode([String: Expected].self, file: folder + "/expected.json")
        #expect(expected.count == 18)
        for (name, facts) in expected {
            guard !name.contains("jpeg2000") else {
                let error = #expect(throws: SliceError.self) { try readSlice(at: "\(folder)/\(name)") }
                #expect(
                    error?.kind == .compressed && error?.detail.contains("JPEG 2000") == true,
                    "\(String(describing: error))")
                continue
            }
            let slice = try readSlice(at: "\(folder)/\(name)")
            let hash = slice.pixels.map(\.littleEndian).withUnsafeBytes { Digest.sha256(Array($0)) }
            #expect(hash == facts.sha256_of_int32_le, "\(name): \(slice.pixels.prefix(40))")
        }
    }

    @Test("a compressed slice cut off or changed anywhere gives pixels or an error, nothing else")
    func damagedCompressed() throws {
        for name in ["signed16-rle", "unsigned12-jpegls", "signed12-jpeg-sv1"] {
            let whole = try Data(contentsOf: URL(fileURLWithPath: "\(InputFixtures.golden)/dicom/\(name).dcm"))
            for place in stride(from: 140, to: whole.count, by: 11) {
                var changed = Array(whole)
                changed[place] ^= 0x55
                for bytes in [changed, Array(whole.prefix(place))] {
                    guard let image = try? readImage(in: bytes, name: name) else { continue }
                    #expect(image.pixels.count == image.header.rows * image.header.columns)
                }
            }
        }
    }

    @Test("a file that is not there is unreadable, not a crash")
    func absent() {
        #expect(throws: SliceError.self) { try readSlice(at: "/nowhere/at/all.dcm") }
    }

    @Test("a slice cut off at any byte is refused")
    func everyTruncation() throws {
        let whole = try InputFixtures.slice().encoded()
        try InputFixtures.withFolder { folder in
            for length in stride(from: 0, to: whole.count, by: 7) {
                try InputFixtures.write(whole.prefix(length), to: folder + "/cut.dcm")
                #expect(throws: SliceError.self, "\(length) of \(whole.count) bytes") {
                    try readSlice(at: folder + "/cut.dcm")
                }
            }
        }
    }
}
