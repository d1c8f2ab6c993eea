import CHash

/// CRC-32 as zip has it: finds damage, and is no protection against anybody who wants to deceive.
package enum CRC32 {
    /// The checksum of some bytes, or of what gave `checksum` and these bytes after it.
    package static func of(_ bytes: UnsafeRawBufferPointer, after checksum: UInt32 = 0) -> UInt32 {
        crc32_after(checksum, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
}
