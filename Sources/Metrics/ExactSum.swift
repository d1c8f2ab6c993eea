/// A sum of doubles that is exact until it is read, so its value depends neither on the order of the terms nor on their number.
///
/// The running sum is kept as a list of doubles that do not overlap and grow in magnitude, whose mathematical sum is the exact
/// one (J. R. Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997; Python's `math.fsum` does the same). The list
/// stays at two to four entries for losses. Terms have to be finite and the sum must not overflow.
struct ExactSum {
    private var partials: [Double] = []

    mutating func add(_ term: Double) {
        var carried = term
        var kept = 0
        for index in partials.indices {
            let (high, low) = Self.exactlyAdding(carried, partials[index])
            if low != 0 {
                partials[kept] = low
                kept += 1
            }
            carried = high
        }
        partials.removeLast(partials.count - kept)
        partials.append(carried)
    }

    /// The exact sum, rounded once to the nearest double, ties to even.
    var value: Double {
        guard var high = partials.last else { return 0 }
        var index = partials.count - 1
        var low = 0.0
        while index > 0 && low == 0 {
            index -= 1
            (high, low) = Self.exactlyAdding(high, partials[index])
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
