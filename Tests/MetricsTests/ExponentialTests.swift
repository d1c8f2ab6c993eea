import Foundation
import Testing

@testable import Metrics
@testable import TestSupport

@Suite("exponential")
struct ExponentialTests {
    @Test("the exponential is within 1 ulp of the C library's for 200,000 numbers of every size")
    func accuracy() {
        var generator = SplitMix64(state: 5)
        var worst = 0.0
        for _ in 0..<100_000 {
            for x in [Double.random(in: -700...700, using: &generator), Double.random(in: -1...1, using: &generator)] {
                let expected = exp(x)
                worst = max(worst, abs(exponential(x) - expected) / expected.ulp)
            }
        }
        #expect(worst <= 1)
    }

    @Test("the ends of the range give what IEEE 754 says, and the exponential undoes the logarithm")
    func special() {
        #expect(exponential(0) == 1)
        #expect(exponential(-.infinity) == 0 && exponential(.infinity) == .infinity && exponential(.nan).isNaN)
        #expect(exponential(800) == .infinity && exponential(-800) == 0)
        #expect(exponential(-745) == .leastNonzeroMagnitude)
        for p in [1e-15, 0.1, 0.5, 0.999] { #expect(abs(exponential(naturalLogarithm(p)) - p) <= 8e-15 * p) }
    }

    @Test(
        "the logistic function is the C library's to 4 ulp, never leaves 0 to 1, and keeps the smallest probabilities")
    func logisticFunction() {
        var generator = SplitMix64(state: 6)
        for _ in 0..<20_000 {
            let x = Double.random(in: -40...40, using: &generator)
            let expected = x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x))
            #expect(abs(logistic(x) - expected) <= 4 * expected.ulp)
        }
        // In 40 digits, rounded.
        for (x, expected) in [
            (-8, 0.00033535013046647811), (8, 0.99966464986953352), (-0.5, 0.37754066879814544),
            (3, 0.95257412682243322), (1, 0.73105857863000487),
        ] { #expect(abs(logistic(x) - expected) <= 2e-16) }
        #expect(logistic(0) == 0.5 && logistic(1000) == 1 && logistic(-1000) == 0 && logistic(-700) > 0)
        #expect(logistic(.infinity) == 1 && logistic(-.infinity) == 0 && logistic(.nan).isNaN)
    }
}
