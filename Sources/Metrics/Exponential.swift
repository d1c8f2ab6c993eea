/// e to the power of x, with the same bits on every machine, as ``naturalLogarithm(_:)`` has them.
///
/// The method is fdlibm's (`e_exp.c`, Sun Microsystems 1993): x = k ln 2 + r with |r| <= ln 2 / 2; with c = r - r² P(r²),
/// e^r = 1 + (r + r c / (2 - c)), where P is a Remez polynomial with error below 2^-59. The error is below 1 ulp.
/// `Elementary.exp` of Nets, which losses and probabilities use, is another function with other bits.
///
/// - Parameter x: Any double; results beyond the largest double are infinity, below the smallest 0, and NaN gives NaN.
package func exponential(_ x: Double) -> Double {
    guard !x.isNaN else { return x }
    guard x < 710 else { return .infinity }
    guard x > -746 else { return 0 }

    let k = (x * 1.44269504088896338700).rounded()
    // ln 2 in two parts: the product of the first, which ends in 21 zero bits, with k is exact.
    let high = x - k * 6.93147180369123816490e-01
    let low = k * 1.90821492927058770002e-10
    let r = high - low
    let t = r * r
    let c =
        r - t
        * (1.66666666666666019037e-01
            + t
            * (-2.77777777770155933842e-03
                + t
                * (6.61375632143793436117e-05
                    + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))))
    let power = 1 - ((low - r * c / (2 - c)) - high)
    return Double(sign: .plus, exponent: Int(k), significand: power)
}

/// 1 / (1 + e^-x): the probability whose logit is x, with the same bits on every machine.
///
/// The exponential of -|x| cannot overflow, and keeps the small probability of a large negative logit whole.
package func logistic(_ x: Double) -> Double {
    let power = exponential(-abs(x))
    return x < 0 ? power / (1 + power) : 1 / (1 + power)
}
