/// Python's `random.Random(seed)`, as far as `random.choice` needs it: MT19937 (Matsumoto and Nishimura, 1998).
///
/// Folds have to be the original's own: a checkpoint of fold k is only honest out-of-fold on exactly those slices.
package struct PythonRandom {
    private static let size = 624
    private static let shift = 397

    private var state = [UInt32](repeating: 0, count: size)
    private var index = size

    /// Seeds as Python does for a non-negative integer: `init_by_array` over its 32-bit words, lowest first.
    package init(seed: UInt64) {
        let low = UInt32(truncatingIfNeeded: seed)
        let high = UInt32(truncatingIfNeeded: seed >> 32)
        initialize(key: high == 0 ? [low] : [low, high])
    }

    private mutating func initialize(key: [UInt32]) {
        let size = Self.size
        state[0] = 19_650_218
        for i in 1..<size { state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i) }
        var i = 1
        var j = 0
        for _ in 0..<max(size, key.count) {
            state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_664_525)) &+ key[j] &+ UInt32(j)
            i += 1
            j = (j + 1) % key.count
            if i == size { state[0] = state[size - 1]; i = 1 }
        }
        for _ in 1..<size {
            state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) &* 1_566_083_941)) &- UInt32(i)
            i += 1
            if i == size { state[0] = state[size - 1]; i = 1 }
        }
        state[0] = 0x8000_0000
        index = size
    }

    package mutating func next() -> UInt32 {
        if index == Self.size { regenerate() }
        var word = state[index]
        index += 1
        word ^= word >> 11
        word ^= (word << 7) & 0x9D2C_5680
        word ^= (word << 15) & 0xEFC6_0000
        return word ^ (word >> 18)
    }

    private mutating func regenerate() {
        let size = Self.size
        for i in 0..<size {
            let bits = (state[i] & 0x8000_0000) | (state[(i + 1) % size] & 0x7FFF_FFFF)
            state[i] = state[(i + Self.shift) % size] ^ (bits >> 1) ^ (bits & 1 == 0 ? 0 : 0x9908_B0DF)
        }
        index = 0
    }

    /// `random.choice`: draws as many bits as the count has until the value is below it.
    package mutating func choice<Element>(_ elements: [Element]) -> Element {
        precondition(!elements.isEmpty, "nothing to choose from")
        let bits = UInt32.bitWidth - UInt32(elements.count).leadingZeroBitCount
        while true {
            let value = Int(next() >> (32 - UInt32(bits)))
            if value < elements.count { return elements[value] }
        }
    }
}
