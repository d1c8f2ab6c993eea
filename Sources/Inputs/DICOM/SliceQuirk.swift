/// What is odd about a file that can be read all the same; the raw value is what the catalog's report calls it.
public enum SliceQuirk: String, Sendable, CaseIterable {
    /// The file begins without the 128 bytes and "DICM" (PS3.10, 7.1), or has no meta header at all.
    case noPreamble = "files without preamble"
    /// The meta header does not say the transfer syntax, which was found by looking.
    case noTransferSyntax = "files that name no transfer syntax"
    /// The data set has VRs where the transfer syntax has none, or the other way round, or the other byte order.
    case otherEncoding = "files encoded otherwise than they declare"
    /// GE's private syntax: pixels big-endian in a little-endian data set.
    case privateSyntax = "files in GE's private transfer syntax"
    /// Bytes after the last pixel's within PixelData.
    case surplusPixelBytes = "files with bytes after the pixels"
    /// Bytes after the data set that are no attribute.
    case strayBytes = "files with stray bytes after the data set"
    /// Pixels in the upper bits of their words: HighBit is not BitsStored - 1.
    case leftJustified = "pixels in the upper bits of their words"
    /// An enhanced image of one frame, whose values lie in functional groups.
    case enhanced = "enhanced images of one frame"
    /// Compressed with a loss at some time before (0028,2110).
    case lossyBefore = "images that were compressed with a loss before"
}
