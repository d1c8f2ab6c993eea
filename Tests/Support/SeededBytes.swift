/// Damages bytes, the same way for the same seed (SplitMix64).
struct SeededBytes {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ value >> 31) % UInt64(bound))
    }

    /// Some bytes changed, removed, inserted or put elsewhere, or the end cut off.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...below(3) where !bytes.isEmpty {
            let place = below(bytes.count)
            switch below(6) {
            case 0: bytes.removeSubrange(place...)
            case 1: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 2: bytes.insert(UInt8(below(256)), at: place)
            case 3: bytes[place] = [0, 1, 0x7F, 0xFF][below(4)]
            case 4: bytes.swapAt(place, below(bytes.count))
            default: bytes[place] ^= 1 << below(8)
            }
        }
        return bytes
    }
}
