import Foundation
import Testing

@testable import Inputs
@testable import TestSupport

/// Files as scanners, archives and converters write them, laid out by hand from PS3.5 and PS3.10.
@Suite("DICOM as it is")
struct DICOMOddityTests {
    /// One attribute: its value's bytes are little-endian, numbers two bytes each.
    private struct Attribute {
        var group: Int
        var element: Int
        var vr: String
        var value: [UInt8]

        init(_ group: Int, _ element: Int, _ vr: String, _ value: [UInt8]) {
            (self.group, self.element, self.vr, self.value) = (group, element, vr, value)
        }
        init(_ group: Int, _ element: Int, _ vr: String, _ text: String) {
            let padded = text.utf8.count % 2 == 0 ? text : text + (vr == "UI" ? "\0" : " ")
            self.init(group, element, vr, Array(padded.utf8))
        }
        init(_ group: Int, _ element: Int, _ number: Int) {
            self.init(group, element, "US", [UInt8(number & 255), UInt8(number >> 8)])
        }
    }

    private enum Form { case implicit, explicit, bigEndian }

    private static func number(_ value: Int, _ count: Int, big: Bool = false) -> [UInt8] {
        let low = (0..<count).map { UInt8(value >> (8 * $0) & 255) }
        return big ? low.reversed() : low
    }

    private static func encoded(_ attributes: [Attribute], _ form: Form) -> [UInt8] {
        attributes.flatMap { attribute -> [UInt8] in
            let big = form == .bigEndian
            var bytes = number(attribute.group, 2, big: big) + number(attribute.element, 2, big: big)
            let isLong = ["OB", "OW", "UN", "SQ"].contains(attribute.vr)
            var value = attribute.value
            if big, ["US", "OW"].contains(attribute.vr) {
                for i in stride(from: 0, to: value.count, by: 2) { value.swapAt(i, i + 1) }
            }
            switch form {
            case .implicit: bytes += number(value.count, 4)
            case _ where isLong: bytes += Array(attribute.vr.utf8) + [0, 0] + number(value.count, 4, big: big)
            default: bytes += Array(attribute.vr.utf8) + number(value.count, 2, big: big)
            }
            return bytes + value
        }
    }

    private static let values: [Int16] = [-2000, 5, 300, 1000, 0, 40]

    /// A slice of 2 x 3 pixels.
    private static func attributes(
        pixels: [UInt8] = values.flatMap { number(Int(UInt16(bitPattern: $0)), 2) }, stored: Int = 16, high: Int = 15
    ) -> [Attribute] {
        [
            .init(0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"), .init(0x0008, 0x0060, "CS", "CT"),
            .init(0x0010, 0x0020, "LO", "ID_1"), .init(0x0020, 0x000D, "UI", "1.2"), .init(0x0020, 0x000E, "UI", "1.3"),
            .init(0x0020, 0x0032, "DS", "1.5\\-2\\3"), .init(0x0028, 0x0002, 1),
            .init(0x0028, 0x0004, "CS", "MONOCHROME2"), .init(0x0028, 0x0010, 2), .init(0x0028, 0x0011, 3),
            .init(0x0028, 0x0100, 16), .init(0x0028, 0x0101, stored), .init(0x0028, 0x0102, high),
            .init(0x0028, 0x0103, 1), .init(0x0028, 0x1052, "DS", "-1024"), .init(0x0028, 0x1053, "DS", "1"),
            .init(0x7FE0, 0x0010, "OW", pixels),
        ]
    }

    private static func meta(_ syntax: String?, length: Int? = nil) -> [UInt8] {
        let others: [Attribute] = [.init(2, 2, "UI", "1.2.840.10008.5.1.4.1.1.2"), .init(2, 1, "OB", [0, 1])]
        let rest = encoded(others + (syntax.map { [Attribute(2, 0x10, "UI", $0)] } ?? []), .explicit)
        return encoded([.init(2, 0, "UL", number(length ?? rest.count, 4))], .explicit) + rest
    }

    private static let preamble = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8)
    private static let explicitLittle = "1.2.840.10008.1.2.1"

    private static func file(
        _ attributes: [Attribute] = attributes(), _ form: Form = .explicit, syntax: String? = explicitLittle
    ) -> [UInt8] {
        preamble + meta(syntax) + encoded(attributes, form)
    }

    private func expect(
        _ bytes: [UInt8], _ quirks: [SliceQuirk], _ what: String = "", values: [Int32] = Self.values.map(Int32.init)
    ) throws {
        let slice = try readImage(in: bytes, name: what)
        #expect(slice.pixels == values, "\(what)")
        #expect(slice.header.rescaleIntercept == -1024 && slice.header.rescaleSlope == 1, "\(what)")
        #expect(slice.header.quirks == quirks, "\(what)")
    }

    private func refusal(_ bytes: [UInt8]) -> SliceError? {
        #expect(throws: SliceError.self) { try readImage(in: bytes, name: "x") }
    }

    private static func replaced(_ attribute: Attribute, in attributes: [Attribute] = attributes()) -> [Attribute] {
        attributes.map { $0.group == attribute.group && $0.element == attribute.element ? attribute : $0 }
    }

    @Test("a file without preamble, with or without its meta header, is read in every encoding, and that is said")
    func noPreamble() throws {
        try expect(Self.file(), [])
        try expect(Self.meta(Self.explicitLittle) + Self.encoded(Self.attributes(), .explicit), [.noPreamble])
        for form in [Form.implicit, .explicit, .bigEndian] {
            try expect(Self.encoded(Self.attributes(), form), [.noPreamble], "\(form)")
        }
        for bytes in ["", "DICM", "a text\nof two lines", "\u{8}\u{0}", String(repeating: "\u{8}\u{0}", count: 200)] {
            #expect(refusal(Array(bytes.utf8))?.kind == .notDICOM || bytes.count > 100)
        }
    }

    @Test("a data set is read as it is encoded, whatever its meta header declares or leaves out")
    func otherEncoding() throws {
        let native: [(String, Form)] = [
            ("1.2.840.10008.1.2", .implicit), (Self.explicitLittle, .explicit), ("1.2.840.10008.1.2.2", .bigEndian),
        ]
        for (syntax, declared) in native {
            for form in [Form.implicit, .explicit, .bigEndian] {
                try expect(
                    Self.file(form: form, syntax: syntax), form == declared ? [] : [.otherEncoding],
                    "\(form) declared as \(declared)")
            }
        }
        for form in [Form.implicit, .explicit, .bigEndian] {
            try expect(Self.file(form: form, syntax: nil), [.noTransferSyntax])
        }
    }

    private static func file(form: Form, syntax: String?) -> [UInt8] { file(attributes(), form, syntax: syntax) }

    @Test(
        "a meta header that gives its length wrong is read to its end all the same",
        arguments: [0, 1, 20, 10_000, 1 << 31])
    func metaLength(length: Int) throws {
        try expect(
            Self.preamble + Self.meta(Self.explicitLittle, length: length) + Self.encoded(Self.attributes(), .explicit),
            [])
    }

    @Test("GE's private syntax has its pixels in the other byte order")
    func privateSyntax() throws {
        let swapped = Self.values.flatMap { Self.number(Int(UInt16(bitPattern: $0)), 2, big: true) }
        try expect(
            Self.file(Self.attributes(pixels: swapped), .implicit, syntax: "1.2.840.113619.5.2"), [.privateSyntax])
    }

    @Test(
        "a syntax that cannot be decoded is refused as compressed, by UID and name, with what converts it",
        arguments: [
            ("1.2.840.10008.1.2.4.201", "HTJ2K", "pydicom"), ("1.2.840.10008.1.2.4.110", "JPEG XL", "pydicom"),
            ("1.2.840.10008.1.2.8.1", "Deflated Image Frame", "pydicom"),
            ("1.2.840.10008.1.2.4.90", "JPEG 2000", "gdcmconv"),
            ("1.2.840.10008.1.2.4.51", "JPEG Extended", "gdcmconv"),
            ("1.2.3.4", "unknown", "Explicit VR Little Endian"),
        ])
    func undecodable(syntax: String, name: String, remedy: String) {
        let error = refusal(Self.file(syntax: syntax))
        #expect(error?.kind == .compressed)
        for word in [syntax, name, remedy] {
            #expect(error?.detail.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test("bytes after the pixels are counted and left out; too few are truncated")
    func surplus() throws {
        let pixels = Self.attributes().last?.value ?? []
        for surplus in [2, 4, 10] {
            try expect(
                Self.file(Self.attributes(pixels: pixels + [UInt8](repeating: 7, count: surplus))), [.surplusPixelBytes]
            )
        }
        #expect(refusal(Self.file(Self.attributes(pixels: Array(pixels.dropLast(2)))))?.kind == .truncated)
        // Another frame's worth, and what is more than that.
        for surplus in [12, 14, 512] {
            let bytes = Self.file(Self.attributes(pixels: pixels + [UInt8](repeating: 7, count: surplus)))
            #expect(refusal(bytes)?.kind == .multiFrame, "\(surplus)")
        }
    }

    @Test("stray bytes after the data set do no harm, unless the pixels are cut off")
    func stray() throws {
        let whole = Self.file()
        for count in [1, 2, 3, 5, 7] {
            try expect(whole + [UInt8](repeating: 0x41, count: count), [.strayBytes], "\(count)")
        }
        for count in [1, 5, 11] { #expect(refusal(Array(whole.dropLast(count)))?.kind == .truncated) }
        // The standard's own padding is an attribute.
        try expect(whole + Self.encoded([.init(0xFFFC, 0xFFFC, "OB", [UInt8](repeating: 0, count: 64))], .explicit), [])
    }

    @Test("pixels that DCMTK leaves in the file until they are wanted are truncated wherever the file ends in them")
    func truncatedLargePixels() throws {
        var attributes = Self.replaced(.init(0x0028, 0x0010, 64), in: Self.replaced(.init(0x0028, 0x0011, 61)))
        attributes[attributes.count - 1].value = [UInt8](repeating: 7, count: 64 * 61 * 2)
        for form in [Form.implicit, .explicit, .bigEndian] {
            let whole = Self.file(attributes, form, syntax: nil)
            #expect(try readImage(in: whole, name: "whole").pixels.count == 64 * 61)
            #expect(try readImage(in: whole + [1, 2, 3], name: "stray").header.quirks.contains(.strayBytes))
            for cut in [1, 2, 99, 2048, 3721, 4095, 4096, 7000, 7807] {
                #expect(refusal(Array(whole.dropLast(cut)))?.kind == .truncated, "\(form), \(cut) bytes cut off")
            }
        }
    }

    @Test("attributes of unknown representation have the dictionary's")
    func unknownVR() throws {
        for attribute in Self.attributes() where attribute.group == 0x28 || attribute.group == 0x20 {
            var changed = attribute
            changed.vr = "UN"
            try expect(Self.file(Self.replaced(changed)), [], "\(attribute.element)")
        }
    }

    private static func sequence(_ group: Int, _ element: Int, _ items: [[Attribute]]) -> Attribute {
        let bytes = items.flatMap { item in
            let body = encoded(item, .explicit)
            return number(0xFFFE, 2) + number(0xE000, 2) + number(body.count, 4) + body
        }
        return .init(group, element, "SQ", bytes)
    }

    @Test("an enhanced image of one frame is read from its functional groups; of two, refused as that")
    func enhanced() throws {
        let rescale = Self.attributes().filter { $0.element == 0x1052 || $0.element == 0x1053 }
        let position = Self.attributes().filter { $0.element == 0x0032 }
        func file(frames: Int, shared: Bool, pixels: [UInt8]) -> [UInt8] {
            let groups = [Self.sequence(0x0028, 0x9145, [rescale]), Self.sequence(0x0020, 0x9113, [position])]
            var rest = Self.attributes(pixels: pixels).filter {
                ![0x1052, 0x1053, 0x0032, 0x0016].contains($0.element)
            }
            rest.insert(.init(0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2.1"), at: 0)
            rest.insert(.init(0x0028, 0x0008, "IS", "\(frames)"), at: 6)
            rest.insert(
                Self.sequence(
                    0x5200, shared ? 0x9229 : 0x9230,
                    [[UInt8]](repeating: [], count: shared ? 1 : frames).map { _ in groups }),
                at: rest.count - 1)
            return Self.file(rest)
        }
        let pixels = Self.attributes().last?.value ?? []
        for shared in [true, false] {
            try expect(file(frames: 1, shared: shared, pixels: pixels), [.enhanced])
            #expect(refusal(file(frames: 2, shared: shared, pixels: pixels + pixels))?.kind == .multiFrame)
        }
        try InputFixtures.withFolder { folder in
            try InputFixtures.write(file(frames: 1, shared: false, pixels: pixels), to: folder + "/a.dcm")
            #expect(try readSlice(at: folder + "/a.dcm").header.imagePosition == [1.5, -2, 3])
        }
    }

    @Test("NumberOfFrames of 0 or 1 is one frame")
    func frames() throws {
        for text in ["0", "1", ""] {
            var attributes = Self.attributes()
            attributes.insert(.init(0x0028, 0x0008, "IS", text), at: 8)
            try expect(Self.file(attributes), [], text)
        }
    }

    @Test("pixels in the upper bits are moved down; a header that contradicts the pixels or itself is refused")
    func leftJustified() throws {
        let values: [Int32] = [-2000, 5, 300, 1000, 0, 40]
        let upper = values.flatMap { Self.number(Int(UInt16(truncatingIfNeeded: $0 << 4)), 2) }
        try expect(Self.file(Self.attributes(pixels: upper, stored: 12, high: 15)), [.leftJustified])
        let lower = values.flatMap { Self.number(Int(UInt16(truncatingIfNeeded: $0 & 0xFFF)), 2) }
        try expect(Self.file(Self.attributes(pixels: lower, stored: 12, high: 11)), [])
        let contradicted = refusal(Self.file(Self.attributes(pixels: lower, stored: 12, high: 15)))
        #expect(contradicted?.kind == .unsupportedPixels && contradicted?.detail.contains("HighBit 15") == true)
        // Multiples of 16 within 12 bits mean one thing in the upper bits and another in the lower ones; nothing but zeros does not.
        for (values, isKnown) in [([16, 160, -2048, 32, 0, 2032], false), ([0, 0, 0, 0, 0, 0], true)] {
            let words = values.flatMap { Self.number(Int(UInt16(truncatingIfNeeded: $0)), 2) }
            let bytes = Self.file(Self.attributes(pixels: words, stored: 12, high: 15))
            if isKnown {
                try expect(bytes, [.leftJustified], values: [0, 0, 0, 0, 0, 0])
            } else {
                #expect(refusal(bytes)?.detail.contains("which are meant is not known") == true)
            }
        }
        for high in [3, 10, 16, 200] {
            #expect(
                refusal(Self.file(Self.attributes(pixels: lower, stored: 12, high: high)))?.kind == .unsupportedPixels)
        }
    }

    @Test("an image that was compressed with a loss before is read and counted")
    func lossyBefore() throws {
        var attributes = Self.attributes()
        attributes.insert(.init(0x0028, 0x2110, "CS", "01"), at: attributes.count - 1)
        try expect(Self.file(attributes), [.lossyBefore])
        attributes[attributes.count - 2] = .init(0x0028, 0x2110, "CS", "00")
        try expect(Self.file(attributes), [])
    }

    @Test("JPEG-LS with errors is refused like other images compressed with a loss, by what its parameters say")
    func nearLossless() throws {
        let error = #expect(throws: SliceError.self) {
            try readImage(at: InputFixtures.golden + "/dicom/unsigned12-jpegls-near.dcm")
        }
        #expect(error?.kind == .compressed && error?.detail.contains("errors of up to 3") == true)
        // Declared as perhaps lossy, but without a loss: the same length, so that the bytes can be changed in place.
        var bytes = Data(
            try [UInt8](Data(contentsOf: URL(fileURLWithPath: InputFixtures.golden + "/dicom/signed16-jpegls.dcm"))))
        let lossless = try readImage(in: Array(bytes), name: "lossless").pixels
        let range = try #require(bytes.range(of: Data("1.2.840.10008.1.2.4.80".utf8)))
        bytes.replaceSubrange(range, with: Data("1.2.840.10008.1.2.4.81".utf8))
        #expect(try readImage(in: Array(bytes), name: "declared near-lossless").pixels == lossless)
    }

    @Test(
        "compressed pixels whose own rows and columns are not the header's are refused, also if there are as many",
        arguments: ["unsigned12-jpegls", "signed12-jpeg-sv1"])
    func otherSize(name: String) throws {
        let path = "\(InputFixtures.golden)/dicom/\(name).dcm"
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let header = try readImage(in: bytes, name: name).header
        #expect(header.rows != header.columns)
        // The frame's header: marker, length, precision, rows, columns.
        let marker = Data([0xFF, name.hasSuffix("ls") ? 0xF7 : 0xC3])
        let place = try #require(Data(bytes).range(of: marker)).lowerBound
        bytes.swapAt(place + 5, place + 7)
        bytes.swapAt(place + 6, place + 8)
        #expect(refusal(bytes)?.kind == .badSize)
    }

    @Test("RLE of another size than the header's is refused; less than a row too much is left out, as pydicom does")
    func runs() throws {
        let path = "\(InputFixtures.golden)/dicom/unsigned12-rle.dcm"
        let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let header = try readImage(in: whole, name: "whole").header
        // Columns (0028,0011) is an explicit US of two bytes.
        let place = try #require(Data(whole).range(of: Data([0x28, 0, 0x11, 0, 0x55, 0x53, 2, 0]))).upperBound
        for columns in [header.columns - 1, header.columns + 1, 1, 3 * header.columns] {
            var bytes = whole
            bytes.replaceSubrange(place..<(place + 2), with: Self.number(columns, 2))
            #expect(refusal(bytes)?.kind == .badSize, "\(columns)")
        }
    }

    @Test("a JPEG stream that the decoder has to make up pixels for is refused")
    func corruptJPEG() throws {
        let path = "\(InputFixtures.golden)/dicom/signed12-jpeg-sv1.dcm"
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let end = try #require(Data(bytes).range(of: Data([0xFF, 0xD9]), options: .backwards)).lowerBound
        // The end of the image comes 40 bytes too early.
        bytes.replaceSubrange((end - 40)..<(end - 38), with: [0xFF, 0xD9])
        let error = refusal(bytes)
        #expect(error?.kind == .malformed && error?.detail.contains("Corrupt JPEG data") == true)
    }

    @Test("an attribute that is there twice is refused, if it is one that is read")
    func doubled() throws {
        for (attribute, isRead) in [
            (Attribute(0x0028, 0x1053, "DS", "5"), true), (.init(0x0028, 0x0010, 3), true),
            (.init(0x0008, 0x0016, "UI", "1.2"), true), (.init(0x0028, 0x0106, 7), false),
        ] {
            var attributes = Self.attributes()
            attributes.insert(attribute, at: attributes.count - 1)
            if !isRead { attributes.insert(attribute, at: attributes.count - 1) }
            guard isRead else {
                try expect(Self.file(attributes), [])
                continue
            }
            let error = refusal(Self.file(attributes))
            #expect(error?.kind == .malformed && error?.detail.contains("is there twice") == true)
        }
    }

    @Test("a number with a zero byte inside is none; zeros at its end are padding")
    func zeroBytes() throws {
        for (value, isNumber) in [("-1\u{0}24", false), ("-1024\u{0}", true), ("\u{0}-1024", false)] {
            let bytes = Self.file(Self.replaced(.init(0x0028, 0x1052, "DS", value)))
            if isNumber { try expect(bytes, []) } else { #expect(refusal(bytes)?.kind == .missingAttribute) }
        }
    }

    @Test("pixels of a VR of bytes are in the data set's byte order")
    func bytesInOrder() throws {
        let pixels = Self.attributes().last?.value ?? []
        let swapped = stride(from: 0, to: pixels.count, by: 2).flatMap { [pixels[$0 + 1], pixels[$0]] }
        try expect(Self.file(Self.replaced(.init(0x7FE0, 0x0010, "OB", pixels))), [])
        try expect(
            Self.file(
                Self.replaced(.init(0x7FE0, 0x0010, "OB", swapped)), .bigEndian, syntax: "1.2.840.10008.1.2.2"), [])
    }

    @Test("a pipe in a file's place is an error, and nobody waits for it")
    func pipe() throws {
        try InputFixtures.withFolder { folder in
            mkfifo(folder + "/a.dcm", 0o644)
            let error = #expect(throws: SliceError.self) { try readImage(at: folder + "/a.dcm") }
            #expect(error?.kind == .unreadable)
        }
    }

    @Test("300 files with bytes changed, cut out, doubled or swapped give a slice of the right size or an error")
    func mutations() throws {
        var random = SplitMix64(state: 2019)
        let sources = [Form.implicit, .explicit, .bigEndian].map { Self.encoded(Self.attributes(), $0) }
        for round in 0..<300 {
            var bytes = Self.preamble + Self.meta(Self.explicitLittle) + sources[round % 3]
            for _ in 0...Int(random.next() % 3) {
                let place = 132 + Int(random.next() % UInt64(bytes.count - 132))
                let length = min(Int(random.next() % 9), bytes.count - place)
                switch random.next() % 5 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeSubrange(place..<(place + length))
                case 2: bytes.insert(contentsOf: bytes[place..<(place + length)], at: place)
                case 3: bytes.removeLast(length)
                default: bytes.swapAt(place, 132 + Int(random.next() % UInt64(bytes.count - 132)))
                }
            }
            guard let slice = try? readImage(in: bytes, name: "x") else { continue }
            #expect(slice.pixels.count == slice.header.rows * slice.header.columns && !slice.pixels.isEmpty)
        }
    }
}
