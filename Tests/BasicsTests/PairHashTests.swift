import Testing

@testable import Basics
@testable import TestSupport

@Suite struct PairHashTests {
    @Test(
        "two images hashed at once have the hashes that each has alone, whatever their sizes",
        arguments: [0, 1, 27, 28, 31, 32, 33, 59, 60, 64, 1000, 4096])
    func pairHash(count: Int) {
        var random = SplitMix64(state: UInt64(count))
        let images = (0..<5).map { _ in (0..<count).map { _ in Int16(truncatingIfNeeded: random.next()) } }
        let alone = images.map { $0.withUnsafeBytes { Digest.sha256(Array($0)) } }
        #expect(Digest.sha256(ofEach: images) == alone)
        for (first, second) in [(count, 1), (0, count), (count, count + 33), (count + 100, count)] {
            let pair = [first, second].map { size in (0..<size).map { _ in Int16(truncatingIfNeeded: random.next()) } }
            #expect(Digest.sha256(ofEach: pair) == pair.map { $0.withUnsafeBytes { Digest.sha256(Array($0)) } })
        }
    }

    @Test("the hash of the standard's example is the standard's (FIPS 180-4, \"abcdbc...\")")
    func standardHash() {
        let message = Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)
        let words = stride(from: 0, to: message.count, by: 2).map {
            Int16(littleEndian: Int16(message[$0]) | Int16(message[$0 + 1]) << 8)
        }
        let expected = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        #expect(Digest.sha256(ofEach: [words, words]) == [expected, expected])
    }
}
