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
}
