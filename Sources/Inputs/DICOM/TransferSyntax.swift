/// What is known of transfer syntaxes (PS3.5, 10 and annex A; PS3.6, annex A).
enum TransferSyntax {
    /// Those whose pixels DCMTK decompresses without a loss: JPEG lossless, JPEG-LS and RLE.
    static let decoded: Set = [
        "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
        "1.2.840.10008.1.2.5",
    ]

    /// Lossless, and perhaps not: what an image has lost, its own parameters say.
    static let jpegLS: Set = ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"]

    private static let names = [
        "1.2.840.10008.1.2.1.98": "Encapsulated Uncompressed Explicit VR Little Endian",
        "1.2.840.10008.1.2.4.50": "JPEG Baseline", "1.2.840.10008.1.2.4.51": "JPEG Extended",
        "1.2.840.10008.1.2.4.57": "JPEG Lossless", "1.2.840.10008.1.2.4.70": "JPEG Lossless SV1",
        "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless", "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
        "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless", "1.2.840.10008.1.2.4.91": "JPEG 2000",
        "1.2.840.10008.1.2.4.92": "JPEG 2000 Part 2 Lossless", "1.2.840.10008.1.2.4.93": "JPEG 2000 Part 2",
        "1.2.840.10008.1.2.4.100": "MPEG2", "1.2.840.10008.1.2.4.102": "MPEG-4", "1.2.840.10008.1.2.4.107": "HEVC",
        "1.2.840.10008.1.2.4.110": "JPEG XL Lossless", "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
        "1.2.840.10008.1.2.4.112": "JPEG XL", "1.2.840.10008.1.2.4.201": "HTJ2K Lossless",
        "1.2.840.10008.1.2.4.202": "HTJ2K Lossless RPCL", "1.2.840.10008.1.2.4.203": "HTJ2K",
        "1.2.840.10008.1.2.5": "RLE Lossless", "1.2.840.10008.1.2.8.1": "Deflated Image Frame",
    ]

    static func name(_ uid: String) -> String { names[uid] ?? "an unknown transfer syntax" }

    /// Why pixels in a transfer syntax cannot be read and what converts them; nil if they can.
    static func refusal(_ uid: String) -> String? {
        guard DICOMLayout.Encoding(rawValue: uid) == nil, uid != DICOMLayout.privateGE, !decoded.contains(uid) else {
            return nil
        }
        let remedy =
            if uid.hasPrefix("1.2.840.10008.1.2.4.5") || uid.hasPrefix("1.2.840.10008.1.2.4.9") {
                "Decompress it: gdcmconv --raw IN.dcm OUT.dcm"
            } else if names[uid] != nil {
                "Decompress it, with pydicom and the plugin that its documentation names for this syntax: python3 -c \"import pydicom; d = pydicom.dcmread('IN.dcm'); d.decompress(); d.save_as('OUT.dcm')\""
            } else {
                "Have it sent again as Explicit VR Little Endian (1.2.840.10008.1.2.1), or convert it with a tool that knows the syntax"
            }
        return
            "compressed as \(name(uid)) (\(uid)); expected uncompressed pixels, JPEG lossless, JPEG-LS lossless or RLE. \(remedy)."
    }
}
