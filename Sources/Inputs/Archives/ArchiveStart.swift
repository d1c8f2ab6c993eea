import Basics

/// What an archive's first bytes tell.
struct ArchiveStart {
    /// A tar's header.
    static let size = 512

    /// What the file is instead of an archive; nil if it may be one.
    let impostor: String?
    /// Whether it is one of the other kinds that are read, so that a zip at its end is in it and not around it.
    let isOtherKind: Bool
    /// Whether it is a volume, but not the first one, of a tar that GNU tar split.
    let isLaterTarVolume: Bool

    init(_ bytes: [UInt8]) {
        impostor = Impostor.found(in: bytes)
        let isTar = Self.isTarHeader(bytes)
        isOtherKind = isTar || Self.signatures.contains { bytes.starts(with: $0) }
        isLaterTarVolume = isTar && bytes[156] == UInt8(ascii: "M")
    }

    /// 7-zip, gzip, bzip2, xz, zstd.
    private static let signatures: [[UInt8]] = [
        [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], [0x1F, 0x8B], Array("BZh".utf8), [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0],
        [0x28, 0xB5, 0x2F, 0xFD],
    ]

    /// Whether the bytes have the sum that a tar's header says (POSIX.1-1988, ustar): its own 8 bytes count as spaces.
    private static func isTarHeader(_ bytes: [UInt8]) -> Bool {
        guard bytes.count == size, bytes[0] != 0 else { return false }
        let digits = bytes[148..<156].drop { $0 == 32 }.prefix { (48...55).contains($0) }
        let sum = bytes.reduce(0) { $0 + Int($1) } - bytes[148..<156].reduce(0) { $0 + Int($1) } + 8 * 32
        return Int(String(decoding: digits, as: UTF8.self), radix: 8) == sum
    }
}
