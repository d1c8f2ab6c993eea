/// Reads little-endian numbers and runs of bytes front to back; where too few bytes are left it gives nil and stays where it is.
package struct ByteReader {
    @usableFromInline package let bytes: UnsafeRawBufferPointer
    /// Bytes read so far.
    @usableFromInline package var position: Int

    /// Reads from a place in the bytes, which must outlive the reader.
    @inlinable package init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        (self.bytes, self.position) = (bytes, position)
    }

    @inlinable package var remaining: Int { bytes.count - position }

    /// The next bytes, as a view of the whole.
    @inlinable package mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    /// The next little-endian integer of a fixed width.
    @inlinable package mutating func integer<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
        take(MemoryLayout<Number>.size).map { Number(littleEndian: $0.loadUnaligned(as: Number.self)) }
    }

    /// Whether there were as many bytes, which are skipped.
    @inlinable package mutating func skip(_ count: Int) -> Bool { take(count) != nil }
}
