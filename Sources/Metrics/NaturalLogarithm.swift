/// The natural logarithm, with the same bits on every machine.
///
/// `log` of the system's C library differs in the last bit between libraries and versions, and so would a score. This one uses
/// only operations that IEEE 754 rounds exactly (`+ - * /`) and integer operations on the bit pattern; Swift neither fuses nor
/// reassociates them. The error is below 1 ulp.
///
/// The method is fdlibm's (`e_log.c`, Sun Microsystems 1993): x = 2^k (1 + f) with sqrt(1/2) < 1 + f <= sqrt(2); with
/// s = f / (2 + f), log(1 + f) = f - f²/2 + s (f²/2 + R(s²)), where R is a Remez polynomial with error below 2^-58.45.
///
/// - Parameter x: Any double: 0 gives -infinity; negative numbers and NaN give NaN; subnormal numbers are exact inputs.
package func naturalLogarithm(_ x: Double) -> Double {
    guard x > 0 else { return x == 0 ? -.infinity : .nan }
    guard x < .infinity else { return x }

    var bits = x.bitPattern
    var k = 0
    if x < .leastNormalMagnitude {
        bits = (x * 0x1p54).bitPattern
        k = -54
    }
    // Adding (1 - sqrt(1/2)) to the leading bits moves the border between two exponents from 1 to sqrt(1/2), 0x3FE6A09E...
    let shifted = (bits >> 32) + (0x3FF0_0000 - 0x3FE6_A09E)
    k += Int(shifted >> 20) - 0x3FF
    let leading = (shifted & 0x000F_FFFF) + 0x3FE6_A09E
    let f = Double(bitPattern: leading << 32 | bits & 0xFFFF_FFFF) - 1

    let s = f / (2 + f)
    let z = s * s
    let w = z * z
    let even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    let odd =
        z
        * (6.666666666666735130e-01
            + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)))
    let remainder = even + odd
    let halfSquare = 0.5 * f * f
    let exponent = Double(k)
    // ln 2 in two parts: the product of the first, which ends in 21 zero bits, with any exponent is exact.
    let ln2High = 6.93147180369123816490e-01
    let ln2Low = 1.90821492927058770002e-10
    return exponent * ln2High - ((halfSquare - (s * (halfSquare + remainder) + exponent * ln2Low)) - f)
}
