import Basics

/// A place in a file, made into words only when an error needs it.
struct BytePlace: CustomStringConvertible {
    let position: Int
    let part: String

    var description: String { "byte \(position) of \(part)" }
}

/// Reads a checkpoint's bytes front to back as ``ByteReader`` does, and throws an error that names the place where they end.
struct CheckpointReader {
    private var reader: ByteReader
    /// What is being read, for messages: byte 12 of archive/data.pkl.
    private let part: String

    /// Reads the bytes from their start; they must outlive the reader.
    init(_ bytes: UnsafeRawBufferPointer, of part: String) {
        (reader, self.part) = (ByteReader(bytes), part)
    }

    var remaining: Int { reader.remaining }

    /// The place to name in an error about what is at, or `back` bytes before, the current position.
    func place(back: Int = 0) -> BytePlace { BytePlace(position: reader.position - back, part: part) }

    /// The next bytes, as a view of the whole.
    mutating func take(_ count: Int) throws(CheckpointError) -> UnsafeRawBufferPointer {
        guard let taken = reader.take(count) else { throw endsEarly(count) }
        return taken
    }

    /// The next little-endian integer of a fixed width.
    mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws(CheckpointError) -> Number {
        guard let number = reader.integer(type) else { throw endsEarly(MemoryLayout<Number>.size) }
        return number
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
        guard let end = reader.bytes[reader.position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw CheckpointError(.truncated, at: place(), "a line expected, the file ends in it: it is cut short")
        }
        let line = try text(end - reader.position)
        _ = try take(1)
        return line
    }

    private func endsEarly(_ count: Int) -> CheckpointError {
        CheckpointError(
            .truncated, at: place(), "\(count) more bytes expected, \(remaining) are left: the file is cut short")
    }
}
