import Testing

@testable import Basics
@testable import TestSupport

@Suite struct CRC32Tests {
    @Test("the checksum of the nine digits is the one that the catalogue of CRCs has, and of nothing it is 0")
    func knownValue() {
        #expect(Array("123456789".utf8).withUnsafeBytes { CRC32.of($0) } == 0xCBF4_3926)
        #expect(CRC32.of(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test("bytes of every length, at once and in two parts, have the checksum that is computed bit by bit")
    func lengths() {
        var random = SplitMix64(state: 1)
        let bytes = (0..<400).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        bytes.withUnsafeBytes { all in
            for count in 0...bytes.count {
                let expected = ZipFixture.crc(Array(bytes[..<count]))
                let part = UnsafeRawBufferPointer(rebasing: all[..<count])
                let (first, second) = (part[..<(count / 3)], part[(count / 3)...])
                let before = CRC32.of(UnsafeRawBufferPointer(rebasing: first))
                #expect(CRC32.of(part) == expected, "\(count) bytes")
                #expect(CRC32.of(UnsafeRawBufferPointer(rebasing: second), after: before) == expected, "\(count) bytes")
            }
        }
    }
}
