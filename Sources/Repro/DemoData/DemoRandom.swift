/// Random numbers for the demo competition: SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Only integer arithmetic, `+ - * /` and `sqrt` are used in the whole generator: their results are the same on every machine,
/// which those of `exp` or `sin` are not.
package struct DemoRandom {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// A stream of its own for each of several numbers.
    package init(_ seed: UInt64, _ numbers: UInt64...) {
        state = numbers.reduce(seed) { DemoRandom.mix($0 &+ DemoRandom.mix($1)) }
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.finish(state)
    }

    /// In [low, high).
    package mutating func uniform(_ low: Double, _ high: Double) -> Double {
        low + (high - low) * (Double(next() >> 11) * 0x1p-53)
    }

    /// In 0 ..< bound; the bias of the remainder is below 2^-50 for any bound used here.
    package mutating func integer(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func chance(_ probability: Double) -> Bool { uniform(0, 1) < probability }

    /// Fisher and Yates.
    package mutating func shuffle<Element>(_ elements: inout [Element]) {
        for end in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(end, integer(below: end + 1)) }
    }

    /// An identifier as the competition has them: `ID_` and hexadecimal digits.
    package mutating func identifier(digits: Int) -> String {
        let text = String(next(), radix: 16)
        return "ID_" + String((String(repeating: "0", count: 16 - text.count) + text).prefix(digits))
    }

    package static func mix(_ number: UInt64) -> UInt64 { finish(number &+ 0x9E37_79B9_7F4A_7C15) }

    private static func finish(_ number: UInt64) -> UInt64 {
        var z = number
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Smooth noise in space: random values on the points of a grid, blended with a cubic (Perlin's value noise).
package struct SpatialNoise {
    package let seed: UInt64

    /// In [0, 1); one grid cell is one unit.
    package func value(_ x: Double, _ y: Double, _ z: Double) -> Double {
        let cell = (x.rounded(.down), y.rounded(.down), z.rounded(.down))
        let (fx, fy, fz) = (Self.smooth(x - cell.0), Self.smooth(y - cell.1), Self.smooth(z - cell.2))
        let (i, j, k) = (Int64(cell.0), Int64(cell.1), Int64(cell.2))
        func edge(_ j: Int64, _ k: Int64) -> Double { blend(corner(i, j, k), corner(i + 1, j, k), fx) }
        return blend(blend(edge(j, k), edge(j + 1, k), fy), blend(edge(j, k + 1), edge(j + 1, k + 1), fy), fz)
    }

    private func corner(_ i: Int64, _ j: Int64, _ k: Int64) -> Double {
        let place = UInt64(bitPattern: i &* 73_856_093 ^ j &* 19_349_663 ^ k &* 83_492_791)
        return Double(DemoRandom.mix(seed ^ place) >> 11) * 0x1p-53
    }

    private func blend(_ a: Double, _ b: Double, _ weight: Double) -> Double { a + (b - a) * weight }

    private static func smooth(_ x: Double) -> Double { x * x * (3 - 2 * x) }
}
