import Testing

@testable import Nets

@Suite("Philox random streams")
struct PhiloxTests {
    /// Random123's `kat_vectors`, lines `philox4x32 10`.
    @Test("ten rounds give Random123's known answers")
    func knownAnswers() {
        let ones = UInt32.max
        #expect(
            Philox.block(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
                == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
        #expect(
            Philox.block(counter: SIMD4(ones, ones, ones, ones), key: SIMD2(ones, ones))
                == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
        #expect(
            Philox.block(
                counter: SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), key: SIMD2(0xA409_3822, 0x299F_31D0)
            )
                == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
    }

    @Test("draw n is word n mod 4 of block n / 4 under (block, sample, epoch, purpose) and the seed's halves")
    func mapping() {
        var stream = Philox(seed: 0x0123_4567_89AB_CDEF, purpose: .dropConnect, epoch: 7, sample: 9)
        for draw in 0..<11 {
            let block = Philox.block(
                counter: SIMD4(UInt32(draw / 4), 9, 7, 3), key: SIMD2(0x89AB_CDEF, 0x0123_4567))
            #expect(stream.next() == block[draw % 4])
        }
    }

    @Test("a purpose's number is part of the mapping and never moves")
    func purposes() {
        let expected: [RandomPurpose: UInt32] = [
            .shuffle: 0, .augmentation: 1, .dropout: 2, .dropConnect: 3, .initialisation: 4, .testTimeAugmentation: 5,
            .bootstrap: 6,
        ]
        #expect(expected.count == RandomPurpose.allCases.count)
        for (purpose, number) in expected { #expect(purpose.rawValue == number) }
    }

    @Test("streams of different seeds, purposes, epochs and samples differ from the first draw on")
    func separation() {
        var firstDraws: Set<UInt32> = []
        for seed in [0, 1, 1 << 32] as [UInt64] {
            for purpose in RandomPurpose.allCases {
                for epoch in 0..<3 as Range<UInt32> {
                    for sample in 0..<5 as Range<UInt32> {
                        var stream = Philox(seed: seed, purpose: purpose, epoch: epoch, sample: sample)
                        firstDraws.insert(stream.next())
                    }
                }
            }
        }
        #expect(firstDraws.count == 3 * RandomPurpose.allCases.count * 3 * 5)
    }

    @Test("a uniform number is the top 24 bits of a draw, below 1, and its mean and variance are those of [0, 1)")
    func uniform() {
        var stream = Philox(seed: 1, purpose: .augmentation, epoch: 0, sample: 0)
        var bits = stream
        var (sum, squares) = (0.0, 0.0)
        let count = 100_000
        for _ in 0..<count {
            let value = stream.uniform()
            #expect(value == Float(bits.next() >> 8) / 16_777_216 && value < 1)
            sum += Double(value)
            squares += Double(value) * Double(value)
        }
        let mean = sum / Double(count)
        // Five standard errors.
        #expect(abs(mean - 0.5) < 0.005)
        #expect(abs(squares / Double(count) - mean * mean - 1.0 / 12) < 0.0015)
    }

    @Test("below(n) reaches every number under n equally often and no other")
    func below() {
        var stream = Philox(seed: 2, purpose: .shuffle, epoch: 0, sample: 0)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[Int(stream.below(7))] += 1 }
        for count in counts { #expect(abs(count - 10_000) < 500) }
        #expect(stream.below(1) == 0)
    }

    @Test("below(n) has no bias where 2^32 is not a multiple of a large n")
    func belowLargeBound() {
        // Without rejection every third number would come up twice as often as the two after it.
        var stream = Philox(seed: 3, purpose: .shuffle, epoch: 0, sample: 0)
        var counts = [0, 0, 0]
        for _ in 0..<30_000 { counts[Int(stream.below(3 << 30) % 3)] += 1 }
        for count in counts { #expect(abs(count - 10_000) < 500) }
    }

    @Test("a permutation holds every number once and each of the six orders of three is equally frequent")
    func permutation() {
        var stream = Philox(seed: 4, purpose: .shuffle, epoch: 0, sample: 0)
        #expect(stream.permutation(1000).sorted() == Array(0..<1000))
        #expect(stream.permutation(0).isEmpty && stream.permutation(1) == [0])
        var counts: [[Int]: Int] = [:]
        for _ in 0..<12_000 { counts[stream.permutation(3), default: 0] += 1 }
        #expect(counts.count == 6)
        for count in counts.values { #expect(abs(count - 2000) < 250) }
    }
}
