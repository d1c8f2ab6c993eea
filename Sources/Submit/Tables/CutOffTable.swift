/// Whether a table of `ID,Label` rows seems to be cut off inside its last number, which then is another number.
///
/// Files without a line end at their end are common, so that alone says nothing. It does if the last number is also shorter than every
/// other: of whole files with that many rows, next to none are so.
package func seemsCutOff(_ bytes: some Collection<UInt8>) -> Bool {
    withBytes(of: bytes) { bytes in
        guard let last = bytes.last, last != Byte.newline, last != Byte.return else { return false }
        let lastLength = bytes.reversed().prefix { !Byte.endsField($0) }.count
        // One whole file in so many has its shortest number last.
        let fewestRows = 100
        var (rows, length) = (0, 0)
        let header = bytes.prefix { $0 != Byte.newline && $0 != Byte.return }
        for byte in bytes.dropLast(lastLength).dropFirst(header.count) {
            if byte == Byte.comma {
                length = 0
            } else if byte == Byte.newline || byte == Byte.return {
                if length > 0 {
                    guard length > lastLength else { return false }
                    rows += 1
                }
                length = 0
            } else {
                length += 1
            }
        }
        return rows >= fewestRows
    }
}
