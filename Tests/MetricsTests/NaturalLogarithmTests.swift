import Foundation
import Testing

@testable import Metrics
@testable import TestSupport

@Suite("natural logarithm")
struct NaturalLogarithmTests {
    /// How many doubles lie between two finite numbers of the same sign.
    private func unitsApart(_ a: Double, _ b: Double) -> Int64 {
        a == b ? 0 : abs(Int64(bitPattern: a.bitPattern) - Int64(bitPattern: b.bitPattern))
    }

    @Test("the logarithm is within 1 ulp of the C library's for 400,000 numbers of every magnitude")
    func agreesWithSystem() {
        var generator = SplitMix64(state: 2019)
        var worst: Int64 = 0
        for _ in 0..<200_000 {
            let anyMagnitude = Double(bitPattern: generator.next() & 0x7FEF_FFFF_FFFF_FFFF)
            let probability = Double.random(in: 0x1p-60..<1, using: &generator)
            for x in [anyMagnitude, probability] where x > 0 && x != 1 {
                worst = max(worst, unitsApart(naturalLogarithm(x), Foundation.log(x)))
            }
        }
        #expect(worst <= 1)
    }

    @Test("the logarithm is within 1 ulp of the C library's at subnormal numbers, exponent borders and around 1")
    func agreesAtTheEdges() {
        var edges = [
            Double.leastNonzeroMagnitude, 3 * .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
        ]
        for exponent in stride(from: -1074, through: 1023, by: 1) {
            let power = Double(sign: .plus, exponent: exponent, significand: 1)
            edges += [power, power.nextDown, power.nextUp, power * 0.5.squareRoot(), power * 2.0.squareRoot()]
        }
        for step in 0...52 {
            let distance = Double(sign: .plus, exponent: -step - 1, significand: 1)
            edges += [1 - distance, 1 + distance]
        }
        edges += [1e-15, 1 - 1e-15, 1e-6, 1 - 1e-6, 1e-5, 1 - 1e-5]
        for x in edges where x > 0 && x.isFinite {
            #expect(unitsApart(naturalLogarithm(x), Foundation.log(x)) <= 1, "log(\(x))")
        }
    }

    @Test("the logarithm of 1 is 0, and of 0, infinity, negative numbers and NaN what IEEE 754 says")
    func specialValues() {
        #expect(naturalLogarithm(1) == 0)
        #expect(naturalLogarithm(0) == -.infinity)
        #expect(naturalLogarithm(-0.0) == -.infinity)
        #expect(naturalLogarithm(.infinity) == .infinity)
        #expect(naturalLogarithm(-1).isNaN)
        #expect(naturalLogarithm(.nan).isNaN)
    }

    /// The correctly rounded values, from Python's `decimal` with 60 digits; all of these the method rounds correctly, so they pin bits.
    @Test(
        "the logarithm has the same bits everywhere",
        arguments: [
            (0.5, -0.6931471805599453),
            (0.1, -2.3025850929940455),
            (0.9, -0.10536051565782628),
            (1e-15, -34.538776394910684),
            (1e-06, -13.815510557964274),
            (0.999999, -1.000000500029089e-06),
            (0.25, -1.3862943611198906),
            (0.75, -0.2876820724517809),
            (0.3333333333333333, -1.0986122886681098),
            (2.0, 0.6931471805599453),
            (10.0, 2.302585092994046),
            (.leastNonzeroMagnitude, -744.4400719213812),
            (0.7071067811865476, -0.3465735902799726),
            (1.0000000000000002, 2.2204460492503128e-16),
        ] as [(Double, Double)])
    func pinnedBits(x: Double, expected: Double) {
        #expect(naturalLogarithm(x).bitPattern == expected.bitPattern)
    }
}
