/// A sum of doubles that is exact until it is read, so its value depends neither on the order of the terms nor on their number.
///
/// Terms of one exponent are added up as integers, in 128 bits, which hold 2^74 of them. Reading the sum splits these integers into
/// doubles and adds those as a list of doubles that do not overlap and grow in magnitude, whose mathematical sum is the exact
/// one (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997; Python's `math.fsum` does the same). Terms have to be
/// finite and the sum must not overflow.
struct ExactSum: Sendable {
    /// For each biased exponent the sum of the terms' signed significands, in units of the last place.
    private var bins = [Int128](repeating: 0, count: 2047)

    /// Adds a term, or so many terms that are equal.
    mutating func add(_ term: Double, times count: Int = 1) {
        let exponent = Int(term.exponentBitPattern)
        // Subnormal numbers lack the implicit bit, and have the exponent of the smallest normal ones.
        let significand = Int128(term.significandBitPattern | (exponent == 0 ? 0 : 1 << 52))
        bins[max(exponent, 1)] += (term.sign == .minus ? -significand : significand) * Int128(count)
    }

    /// Adds some of these terms: the first with this number, and from there on every so-manyth.
    mutating func add(_ terms: [Double], from first: Int, by step: Int) {
        bins.withUnsafeMutableBufferPointer { bins in
            for place in stride(from: first, to: terms.count, by: step) {
                let term = terms[place]
                let exponent = Int(term.exponentBitPattern)
                let significand = Int128(term.significandBitPattern | (exponent == 0 ? 0 : 1 << 52))
                bins[max(exponent, 1)] += term.sign == .minus ? -significand : significand
            }
        }
    }

    /// Adds all terms of another sum.
    mutating func add(_ other: ExactSum) {
        for exponent in bins.indices { bins[exponent] += other.bins[exponent] }
    }

    /// The exact sum, rounded once to the nearest double, ties to even.
    var value: Double {
        var partials: [Double] = []
        for (exponent, sum) in bins.enumerated() where sum != 0 {
            // Three pieces of at most 44, 44 and 40 bits with sign: each is a double.
            let pieces = [sum & 0xFFF_FFFF_FFFF, sum >> 44 & 0xFFF_FFFF_FFFF, sum >> 88]
            for (number, piece) in pieces.enumerated() where piece != 0 {
                let scale = exponent - 1075 + 44 * number
                Self.add(Double(sign: .plus, exponent: scale, significand: Double(piece)), to: &partials)
            }
        }
        return Self.rounded(partials)
    }

    private static func add(_ term: Double, to partials: inout [Double]) {
        var carried = term
        var kept = 0
        for index in partials.indices {
            let (high, low) = exactlyAdding(carried, partials[index])
            if low != 0 {
                partials[kept] = low
                kept += 1
            }
            carried = high
        }
        partials.removeLast(partials.count - kept)
        partials.append(carried)
    }

    private static func rounded(_ partials: [Double]) -> Double {
        guard var high = partials.last else { return 0 }
        var index = partials.count - 1
        var low = 0.0
        while index > 0 && low == 0 {
            index -= 1
            (high, low) = exactlyAdding(high, partials[index])
        }
        // `high + low` was rounded without knowledge of what lies below. That matters only if `low` is exactly half a unit of
        // `high`: a tie that went to even, while the rest, having the sign of `low`, says that it was no tie.
        if index > 0 && low.sign == partials[index - 1].sign {
            let doubled = low * 2
            let other = high + doubled
            if other - high == doubled { return other }
        }
        return high
    }

    /// a + b as the rounded sum and its rounding error.
    private static func exactlyAdding(_ a: Double, _ b: Double) -> (high: Double, low: Double) {
        let (larger, smaller) = abs(a) < abs(b) ? (b, a) : (a, b)
        let high = larger + smaller
        return (high, smaller - (high - larger))
    }
}
