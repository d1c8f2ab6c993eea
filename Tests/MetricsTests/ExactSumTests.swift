import Testing

@testable import Metrics
@testable import TestSupport

@Suite("exact sum")
struct ExactSumTests {
    private func sum(_ terms: [Double]) -> Double {
        var sum = ExactSum()
        for term in terms { sum.add(term) }
        return sum.value
    }

    /// Expected values: Python 3.11's `math.fsum` of the same lists.
    @Test("sums are the exact ones, rounded once")
    func roundsOnce() {
        #expect(sum([]) == 0)
        #expect(sum(Array(repeating: 0.1, count: 10)) == 1.0)
        #expect(sum([1e16, 1, 1e-16, -1e16]) == 1.0)
        #expect(sum([1e308, 1, -1e308]) == 1.0)
        #expect(sum((1...10_000).map { 1 / Double($0) }) == 9.787606036044382)
    }

    @Test("a tie between two doubles is decided by what lies far below it")
    func decidesTies() {
        #expect(sum([0x1p53, 1, 0x1p-60]) == 9007199254740994)
        #expect(sum([0x1p53, 1]) == 9007199254740992)
        #expect(sum([0x1p53, 1, -0x1p-60]) == 9007199254740992)
        #expect(sum([0x1p53, -0.5, -0x1p-54]) == 9007199254740991)
    }

    @Test("the order of the terms changes no bit")
    func orderDoesNotMatter() {
        var generator = SplitMix64(state: 7)
        var terms = (0..<5000).map { _ in Double.random(in: 0..<1, using: &generator) * 0x1p-40 }
        terms += (0..<5000).map { _ in Double.random(in: 0..<35, using: &generator) }
        let expected = sum(terms)
        for _ in 0..<5 { #expect(sum(terms.shuffled(using: &generator)) == expected) }
    }
}
