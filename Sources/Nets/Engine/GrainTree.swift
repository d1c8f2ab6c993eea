import CKernels

/// The binary tree that adds up the grains' partial sums; `ck_tree_additions` decides its order (docs/numerics.md, Grains).
enum GrainTree {
    /// Adds up partial sums that are all there: `grains` arrays of `count` numbers, `stride` apart, into the first one.
    static func combine<Number: FloatingPoint>(
        _ sums: UnsafeMutablePointer<Number>, grains: Int, count: Int, stride: Int
    ) {
        for grain in 0..<grains {
            var right = grain
            for _ in 0..<ck_tree_additions(Int32(grain), Int32(grains)) {
                // A sum lies at its first grain's place, which is the left neighbour's without the lowest bit of its own.
                let left = right & (right - 1)
                let (a, b) = (sums + left * stride, sums + right * stride)
                for i in 0..<count { a[i] += b[i] }
                right = left
            }
        }
    }

    /// Computes the grains' partial sums one after the other, and adds two as soon as the tree has both.
    ///
    /// - Parameters:
    ///   - stack: `levels(grains)` arrays of `count` numbers, one after the other; the total ends up in the first.
    ///   - chain: computes a grain's sums and stores them where it is told.
    static func sum(
        grains: Int, into stack: UnsafeMutablePointer<Float>, count: Int, kernels: CKKernels,
        chain: (_ grain: Int, _ sums: UnsafeMutablePointer<Float>) -> Void
    ) {
        var top = 0
        for grain in 0..<grains {
            chain(grain, stack + top * count)
            for _ in 0..<ck_tree_additions(Int32(grain), Int32(grains)) {
                kernels.accumulate(stack + (top - 1) * count, stack + top * count, Int64(count))
                top -= 1
            }
            top += 1
        }
    }

    /// Partial sums that `sum` keeps at the same time, at most: those that wait and the one in work.
    static func levels(_ grains: Int) -> Int {
        var levels = 1
        while 1 << (levels - 1) < grains { levels += 1 }
        return levels
    }
}
