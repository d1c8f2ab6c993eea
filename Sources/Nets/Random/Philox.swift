/// What a random stream is for: streams of different purposes never share a number, whatever their seed, epoch and sample.
///
/// The raw values are part of the kit's file format: changing one changes every golden hash.
package enum RandomPurpose: UInt32, Sendable, CaseIterable {
    /// The order of an epoch's slices.
    case shuffle = 0
    /// Varying a slice in training.
    case augmentation = 1
    /// Dropout's choice of channels.
    case dropout = 2
    /// Drop-connect's choice of images.
    case dropConnect = 3
    /// Weights at the start of a training.
    case initialisation = 4
    /// Varying a slice in prediction.
    case testTimeAugmentation = 5
    /// Resampling patients for intervals of scores.
    case bootstrap = 6
}

/// A counter-based random stream: draw number n of (seed, purpose, epoch, sample) is a pure function of those five numbers.
///
/// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11). The mapping, so that a
/// GPU or another language can repeat it:
///
/// - key = (low 32 bits of seed, high 32 bits of seed);
/// - counter = (block, sample, epoch, purpose), `block` = 0, 1, 2, …;
/// - draw n is word n mod 4 of block n / 4.
///
/// A stream has 2^34 draws; asking for more wraps around to its beginning.
package struct Philox: Sendable, Equatable {
    private let key: SIMD2<UInt32>
    private var counter: SIMD4<UInt32>
    private var block = SIMD4<UInt32>()
    private var used = 4

    /// Starts the stream of a sample in an epoch at its first draw; for a purpose without samples or epochs they are 0.
    package init(seed: UInt64, purpose: RandomPurpose, epoch: UInt32, sample: UInt32) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        counter = SIMD4(0, sample, epoch, purpose.rawValue)
    }

    /// The next 32 random bits.
    mutating func next() -> UInt32 {
        if used == 4 {
            block = Self.block(counter: counter, key: key)
            counter[0] &+= 1
            used = 0
        }
        defer { used += 1 }
        return block[used]
    }

    /// A uniform number in [0, 1): the top 24 bits of one draw, times 2^-24. Every value is exact in Float and in Double.
    mutating func uniform() -> Float {
        Float(next() >> 8) * 0x1p-24
    }

    /// A uniform number between the bounds: `lower + (upper - lower) * u` in Double, rounded after each of the three operations,
    /// with `u` from one `uniform()`.
    mutating func uniform(in range: ClosedRange<Double>) -> Double {
        range.lowerBound + (range.upperBound - range.lowerBound) * Double(uniform())
    }

    /// True with the given probability: whether one `uniform()` is below it, compared in Double.
    mutating func chance(_ probability: Double) -> Bool {
        Double(uniform()) < probability
    }

    /// A number in 0 ..< bound, each exactly equally likely.
    ///
    /// The high 32 bits of draw * bound; the draw is repeated while the low 32 bits are below 2^32 mod bound (Lemire, "Fast
    /// random integer generation in an interval", 2019). Nearly always one draw.
    package mutating func below(_ bound: UInt32) -> UInt32 {
        precondition(bound > 0, "there is no number in 0 ..< 0")
        let unfair = (0 &- bound) % bound
        while true {
            let product = next().multipliedFullWidth(by: bound)
            if product.low >= unfair { return product.high }
        }
    }

    /// The numbers 0 ..< count in a random order: Fisher-Yates from the last place down, place i swapped with `below(i + 1)`.
    mutating func permutation(_ count: Int) -> [Int] {
        precondition(count >= 0 && count <= Int(UInt32.max), "a permutation of \(count) numbers is out of range")
        var order = Array(0..<count)
        for place in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(place, Int(below(UInt32(place + 1))))
        }
        return order
    }

    /// The four random words of a counter under a key: ten Philox rounds, the key raised by the Weyl constants between them.
    ///
    /// Kernels that need draw n without the n before it (dropout masks) call this directly.
    static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var words = counter
        var key = key
        for _ in 0..<10 {
            let first = words[0].multipliedFullWidth(by: 0xD251_1F53)
            let second = words[2].multipliedFullWidth(by: 0xCD9E_8D57)
            words = SIMD4(
                second.high ^ words[1] ^ key[0], second.low,
                first.high ^ words[3] ^ key[1], first.low)
            key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return words
    }
}
