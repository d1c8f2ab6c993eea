import Basics
import Foundation

/// How a DICOM file is laid out: where its data set starts and how that is encoded, by what it declares and what is there.
///
/// PS3.10, 7.1 has preamble and meta header, PS3.5, 7.1 the two forms of an attribute. Like pydicom, it takes the form that the first
/// attribute shows, whatever the file declares.
struct DICOMLayout {
    /// The transfer syntax: that of the meta header, or without one the one that the data set is in.
    let transferSyntax: String
    /// Where the data set starts.
    let start: Int
    /// How the data set is read.
    let encoding: Encoding
    private(set) var quirks: [SliceQuirk] = []

    enum Encoding: String {
        case implicitLittle = "1.2.840.10008.1.2"
        case explicitLittle = "1.2.840.10008.1.2.1"
        case explicitBig = "1.2.840.10008.1.2.2"
        case deflated = "1.2.840.10008.1.2.1.99"
        /// Attributes as in `explicitLittle`, the pixels compressed in the transfer syntax.
        case encapsulated
    }

    static let privateGE = "1.2.840.113619.5.2"

    /// nil if the bytes are no DICOM.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        let hasPreamble = bytes.count >= 132 && bytes[128..<132].elementsEqual("DICM".utf8)
        let meta = MetaHeader(bytes, at: hasPreamble ? 132 : 0)
        guard hasPreamble || meta.end > 0 || Self.startsDataSet(bytes) else { return nil }
        start = meta.end
        if !hasPreamble { quirks.append(.noPreamble) }
        let found = Self.form(of: bytes, at: start)
        guard let declared = meta.transferSyntax else {
            encoding = found ?? .implicitLittle
            transferSyntax = encoding.rawValue
            if hasPreamble || meta.end > 0 { quirks.append(.noTransferSyntax) }
            return
        }
        transferSyntax = declared
        switch Encoding(rawValue: declared) {
        case .deflated: encoding = .deflated
        case let native?:
            encoding = found ?? native
            if encoding != native { quirks.append(.otherEncoding) }
        case nil where declared == Self.privateGE:
            encoding = found ?? .implicitLittle
            quirks.append(.privateSyntax)
        case nil: encoding = .encapsulated
        }
    }

    /// The encoding that the attribute at a place shows; nil if there is none.
    private static func form(of bytes: UnsafeBufferPointer<UInt8>, at place: Int) -> Encoding? {
        guard place + 8 <= bytes.count else { return nil }
        let hasVR = (4...5).allSatisfy { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= bytes[place + $0] }
        // Groups of a data set start with 0008; in the other byte order that is 0800.
        let isBig = bytes[place] == 0 && bytes[place + 1] != 0
        return hasVR ? isBig ? .explicitBig : .explicitLittle : isBig ? nil : .implicitLittle
    }

    /// Whether bytes without a preamble begin as a data set does: with an attribute of group 0008 whose value lies in the file.
    private static func startsDataSet(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let form = form(of: bytes, at: 0) else { return false }
        switch form {
        case .explicitBig: return bytes[1] == 8
        case .explicitLittle: return bytes[0] == 8 && bytes[1] == 0
        default:
            let length = (0..<4).reduce(0) { $0 | Int(bytes[4 + $1]) << (8 * $1) }
            return bytes[0] == 8 && bytes[1] == 0 && length <= bytes.count - 8
        }
    }

    /// The attributes of group 0002, always with VRs and little-endian.
    private struct MetaHeader {
        var transferSyntax: String?
        /// Where the data set starts; where the header would have started if there is none.
        var end: Int

        init(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) {
            end = start
            // Of a deflated data set the first bytes are anything: there the header's own length has the last word.
            var announced: Int?
            while end + 8 <= bytes.count, bytes[end] == 2, bytes[end + 1] == 0 {
                if let announced, end >= announced, transferSyntax == Encoding.deflated.rawValue { return }
                let element = Int(bytes[end + 2]) | Int(bytes[end + 3]) << 8
                let vr = (bytes[end + 4], bytes[end + 5])
                func number(_ place: Int, _ count: Int) -> Int? {
                    guard place + count <= bytes.count else { return nil }
                    return (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
                }
                let letters = UInt8(ascii: "A")...UInt8(ascii: "Z")
                let hasVR = letters ~= vr.0 && letters ~= vr.1
                // OB, OW, UN and UT have long lengths (PS3.5, 7.1.2).
                let isLong = vr == (0x4F, 0x42) || vr == (0x4F, 0x57) || vr == (0x55, 0x4E) || vr == (0x55, 0x54)
                let (value, length) =
                    hasVR
                    ? isLong ? (end + 12, number(end + 8, 4)) : (end + 8, number(end + 6, 2))
                    : (end + 8, number(end + 4, 4))
                guard let length, length <= bytes.count - value else { return }
                if element == 0, length == 4 { announced = number(value, 4).map { value + 4 + $0 } }
                if element == 0x10 {
                    let text = String(decoding: bytes[value..<(value + length)], as: UTF8.self)
                    let uid = text.prefix { $0 != "\0" }.trimmingCharacters(in: .whitespaces)
                    transferSyntax = uid.isEmpty ? nil : uid
                }
                end = value + length
            }
        }
    }
}
