import Testing

@testable import Nets

@Suite("the tree over the grains")
struct GrainTreeTests {
    /// docs/numerics.md: tree(lo, hi) = tree(lo, mid) + tree(mid, hi), mid - lo the largest power of two below hi - lo.
    private func tree(_ sums: ArraySlice<Float>) -> Float {
        guard sums.count > 1 else { return sums[sums.startIndex] }
        var half = 1
        while 2 * half < sums.count { half *= 2 }
        return tree(sums.prefix(half)) + tree(sums.dropFirst(half))
    }

    @Test("sums that are all there, and sums that come one by one, are added in the order of the specification")
    func order() {
        var random = Philox(seed: 5, purpose: .shuffle, epoch: 0, sample: 0)
        let kernels = InstructionSet.scalar.kernels
        for grains in 1...70 {
            // Of widely different sizes, so that another order is another sum.
            var sums: [Float] = []
            for _ in 0..<grains { sums.append(Float(random.below(1 << 24)) / Float(1 << Int(random.below(20)))) }
            let expected = tree(sums[...])
            var all: [Float] = sums.flatMap { sum -> [Float] in [sum, 2 * sum, -1] }
            all.withUnsafeMutableBufferPointer {
                if let base = $0.baseAddress { GrainTree.combine(base, grains: grains, count: 2, stride: 3) }
            }
            #expect(all[0] == expected && all[1] == 2 * expected && all[2] == -1, "\(grains) grains")
            let stack = FloatBuffer(count: 16 * GrainTree.levels(grains))
            GrainTree.sum(grains: grains, into: stack.base, count: 16, kernels: kernels) { grain, target in
                for lane in 0..<16 { target[lane] = sums[grain] }
            }
            #expect(stack.base[0] == expected && stack.base[15] == expected, "\(grains) grains")
        }
    }
}
