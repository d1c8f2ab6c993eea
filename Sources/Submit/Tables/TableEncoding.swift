/// A file's text as UTF-8, if it is UTF-16, with or without a byte order mark, as spreadsheets and Windows' shell write it.
///
/// - Returns: The text, and the line from 1 on which it ends within a character or has half of one; nil if it is no UTF-16.
func utf8(ofUTF16 bytes: UnsafeRawBufferPointer) -> (text: [UInt8], defectiveLine: Int?)? {
    guard let (isBigEndian, start) = utf16Form(bytes) else { return nil }
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count / 2 + bytes.count / 32)
    var position = start
    func unit(_ position: Int) -> UInt32 {
        let (first, second) = (UInt32(bytes[position]), UInt32(bytes[position + 1]))
        return isBigEndian ? first << 8 | second : second << 8 | first
    }
    func defect() -> (text: [UInt8], defectiveLine: Int?) { (text, text.count { $0 == Byte.newline } + 1) }
    while position + 1 < bytes.count {
        var scalar = unit(position)
        position += 2
        if scalar < 0x80 {
            text.append(UInt8(scalar))
            continue
        }
        if scalar & 0xFC00 == 0xD800 && position + 1 < bytes.count && unit(position) & 0xFC00 == 0xDC00 {
            scalar = 0x1_0000 + (scalar & 0x3FF) << 10 + unit(position) & 0x3FF
            position += 2
        }
        guard let character = Unicode.Scalar(scalar) else { return defect() }
        text.append(contentsOf: UTF8.encode(character) ?? UTF8.encodedReplacementCharacter)
    }
    return position == bytes.count ? (text, nil) : defect()
}

/// The byte order of a file in UTF-16 and where its text begins; nil if it is none.
///
/// Without a byte order mark, it is UTF-16 if the first two characters are from ASCII: a header begins with such, and no other text has
/// zeros there.
private func utf16Form(_ bytes: UnsafeRawBufferPointer) -> (isBigEndian: Bool, start: Int)? {
    guard bytes.count >= 4 else { return nil }
    let zeros = bytes.prefix(4).map { $0 == 0 }
    if bytes.starts(with: [0xFE, 0xFF]) { return (true, 2) }
    // With two zeros it is UTF-32.
    if bytes.starts(with: [0xFF, 0xFE]) { return zeros == [false, false, true, true] ? nil : (false, 2) }
    if zeros == [false, true, false, true] { return (false, 0) }
    return zeros == [true, false, true, false] ? (true, 0) : nil
}
