/// The weighted binary cross-entropy of the original, with its gradient.
///
/// Loss = sum over images and outputs of weight * (max(x, 0) - x t + log(1 + e^-|x|)) / (images * outputs), PyTorch's
/// `BCEWithLogitsLoss(weight:)`. In double: a chain per grain, then the tree.
struct WeightedLoss {
    let weights: [Float]

    /// - Parameters:
    ///   - logits: images x outputs.
    ///   - targets: the same, 0 or 1.
    ///   - grains: the batch's grains as ranges of images.
    func callAsFunction(logits: [Float], targets: [Float], grains: [Range<Int>]) -> (loss: Double, gradient: [Float]) {
        let outputs = weights.count
        let count = Double(logits.count)
        var gradient = [Float](repeating: 0, count: logits.count)
        var sums = grains.map { images in
            var sum = 0.0
            for i in images.lowerBound * outputs..<images.upperBound * outputs {
                let x = Double(logits[i])
                let weight = Double(weights[i % outputs])
                sum += weight * (max(x, 0) - x * Double(targets[i]) + Elementary.log1p(Elementary.exp(-abs(x))))
                gradient[i] = Float(weight * (Elementary.sigmoid(x) - Double(targets[i])) / count)
            }
            return sum
        }
        sums.withUnsafeMutableBufferPointer {
            if let base = $0.baseAddress { GrainTree.combine(base, grains: grains.count, count: 1, stride: 1) }
        }
        return (sums[0] / count, gradient)
    }
}
