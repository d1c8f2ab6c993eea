/// A place in a file, made into words only when an error needs it.
struct BytePlace: CustomStringConvertible {
    let position: Int
    let part: String

    var description: String { "byte \(position) of \(part)" }
}

/// Reads little-endian numbers and runs of bytes front to back, and throws instead of passing the end.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    /// What is being read, for messages: byte 12 of archive/data.pkl.
    private let part: String
    /// Bytes read so far.
    private(set) var position: Int

    /// Reads from a place in the bytes, which must outlive the reader.
    init(_ bytes: UnsafeRawBufferPointer, of part: String, from position: Int = 0) {
        (self.bytes, self.part, self.position) = (bytes, part, position)
    }

    var remaining: Int { bytes.count - position }

    /// The place to name in an error about what is at, or `back` bytes before, the current position.
    func place(back: Int = 0) -> BytePlace { BytePlace(position: position - back, part: part) }

    /// The next bytes, as a view of the whole.
    mutating func take(_ count: Int) throws(CheckpointError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw CheckpointError(
                .truncated, at: place(), "\(count) more bytes expected, \(remaining) are left: the file is cut short")
        }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    /// The next little-endian integer of a fixed width.
    mutating func integer<Number: FixedWidthInteger>(_: Number.Type) throws(CheckpointError) -> Number {
        let raw = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: raw.loadUnaligned(as: Number.self))
    }

    /// The next bytes as UTF-8.
    mutating func text(_ count: Int) throws(CheckpointError) -> String {
        let place = place()
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw CheckpointError(.malformed, at: place, "text in UTF-8 expected")
        }
        return text
    }

    /// The bytes up to the next newline, which is skipped, as UTF-8.
    mutating func line() throws(CheckpointError) -> String {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw CheckpointError(.truncated, at: place(), "a line expected, the file ends in it: it is cut short")
        }
        defer { position += 1 }
        return try text(end - position)
    }
}
