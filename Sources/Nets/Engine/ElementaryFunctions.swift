/// Functions of a single number, from correctly rounded operations only, so that they have the same bits on every machine.
///
/// Used for the handful of values per image (losses, probabilities); the kernels have their own for whole tensors.
enum Elementary {
    /// e^x in double within 3 units in the last place; |x| is clamped to 700.
    ///
    /// Reduction by ln 2 in two parts (Cody and Waite), then the Taylor polynomial of degree 13 on |r| <= 0.35.
    ///
    /// `exponential` of Metrics, which blends use, is another function: of 6 numbers in 100 its last bit differs. Either decides bits
    /// of results, losses and probabilities here and blended tables there, so neither can take the other's place.
    static func exp(_ x: Double) -> Double {
        guard !x.isNaN else { return x }
        let bounded = min(max(x, -700), 700)
        let n = (bounded * 1.4426950408889634).rounded()
        let r = (bounded - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
        var sum = 1.0 / 6227020800
        for denominator in [479001600, 39916800, 3628800, 362880, 40320, 5040, 720, 120, 24, 6, 2, 1, 1] as [Double] {
            sum = sum * r + 1 / denominator
        }
        return sum * Double(sign: .plus, exponent: Int(n), significand: 1)
    }

    static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    /// log(1 + e) for e in 0...1 within 3 units in the last place, as 2 artanh(e / (2 + e)): the series' ratio is at most 1/9.
    static func log1p(_ e: Double) -> Double {
        let s = e / (2 + e)
        let square = s * s
        var sum = 0.0
        for k in stride(from: 37, through: 1, by: -2) { sum = sum * square + 1 / Double(k) }
        return 2 * s * sum
    }
}
