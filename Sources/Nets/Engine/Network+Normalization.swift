import CKernels

/// Batch norm with its activation. Sums over the batch are chains per grain in double, then the tree.
extension Network {
    func normalise(_ index: Int, _ norm: BatchNorm, _ activation: Graph.Activation, training: Bool) {
        let node = graph.nodes[index]
        let shape = graph.shapes[node.output]
        let x = value(node.inputs[0])
        let numbers = layers[index].normalisation.base
        if training {
            batchStatistics(x, shape, norm, numbers)
        } else {
            runningNormalisation(index, norm, shape.stride)
        }
        let scale = numbers + 2 * shape.stride
        let shift = numbers + 3 * shape.stride
        let y = value(node.output)
        inParts(of: images * shape.pixels) { pixels in
            let start = pixels.lowerBound * shape.stride
            kernels.normalize(
                x + start, y + start, Int64(pixels.count), Int64(shape.stride), scale, shift, activation.kernel)
        }
    }

    /// Takes the running statistics for the batch's.
    func runningNormalisation(_ index: Int, _ norm: BatchNorm, _ stride: Int) {
        for c in 0..<stride {
            setNormalisation(
                layers[index].normalisation.base, stride, c, norm, mean: Double(statistic(norm.runningMean)[c]),
                variance: Double(statistic(norm.runningVariance)[c]))
        }
    }

    /// Mean and variance over the whole batch, and the running ones moved towards them (the unbiased variance, as PyTorch).
    private func batchStatistics(
        _ x: UnsafePointer<Float>, _ shape: Graph.Shape, _ norm: BatchNorm, _ numbers: UnsafeMutablePointer<Float>
    ) {
        let sums = scratch.doubles
        inGrainsAndLanes(shape) { g, lanes in
            let images = grain(g)
            let sum = sums + g * 2 * shape.stride
            kernels.channelSums(
                x + images.lowerBound * shape.count, Int64(images.count * shape.pixels), Int64(shape.stride),
                Int64(lanes.lowerBound), Int64(lanes.upperBound), sum, sum + shape.stride)
        }
        Network.combine(sums, parts: grainCount, count: 2 * shape.stride)
        let count = Double(images * shape.pixels)
        let momentum = Double(norm.momentum)
        for c in 0..<shape.stride {
            let mean = sums[c] / count
            let variance = max(0, sums[shape.stride + c] / count - mean * mean)
            setNormalisation(numbers, shape.stride, c, norm, mean: mean, variance: variance)
            let unbiased = variance * (count / max(1, count - 1))
            let runningMean = statistic(norm.runningMean) + c
            let runningVariance = statistic(norm.runningVariance) + c
            runningMean.pointee = Float((1 - momentum) * Double(runningMean.pointee) + momentum * mean)
            runningVariance.pointee = Float((1 - momentum) * Double(runningVariance.pointee) + momentum * unbiased)
        }
    }

    /// Mean, 1 / deviation, and the scale and shift that make x into gamma * (x - mean) / deviation + beta.
    private func setNormalisation(
        _ numbers: UnsafeMutablePointer<Float>, _ stride: Int, _ c: Int, _ norm: BatchNorm, mean: Double,
        variance: Double
    ) {
        let inverse = 1 / (variance + Double(norm.epsilon)).squareRoot()
        let scale = Double(parameter(norm.weight)[c]) * inverse
        numbers[c] = Float(mean)
        numbers[stride + c] = Float(inverse)
        numbers[2 * stride + c] = Float(scale)
        numbers[3 * stride + c] = Float(Double(parameter(norm.bias)[c]) - mean * scale)
    }

    /// dx = scale * (dz - mean of dz - (x - mean) / deviation * mean of dz * (x - mean) / deviation), dz the gradient before
    /// the activation; written over the output's gradient.
    func normaliseBackward(_ index: Int, _ norm: BatchNorm, _ activation: Graph.Activation) {
        let node = graph.nodes[index]
        let shape = graph.shapes[node.output]
        precondition(!plan.accumulates[index][0], "a batch norm is its input's only reader")
        let x = value(node.inputs[0])
        let dy = gradient(node.output)
        let numbers = layers[index].normalisation.base
        let stride = shape.stride
        let sums = scratch.doubles
        inGrainsAndLanes(shape) { g, lanes in
            let images = grain(g)
            let start = images.lowerBound * shape.count
            let sum = sums + g * 2 * stride
            kernels.normalizeGradientSums(
                x + start, dy + start, Int64(images.count * shape.pixels), Int64(stride), Int64(lanes.lowerBound),
                Int64(lanes.upperBound), numbers + 2 * stride, numbers + 3 * stride, numbers, activation.kernel, sum,
                sum + stride)
        }
        Network.combine(sums, parts: grainCount, count: 2 * stride)
        let count = Double(images * shape.pixels)
        // The shift is not needed any more: its place and that of the mean take the slope and the offset.
        for c in 0..<stride {
            let mean = Double(numbers[c])
            let inverse = Double(numbers[stride + c])
            let products = sums[stride + c] * inverse
            parameterGradient(norm.bias)[c] = Float(sums[c])
            parameterGradient(norm.weight)[c] = Float(products)
            let slope = inverse * products / count
            numbers[stride + c] = Float(slope)
            numbers[3 * stride + c] = Float(sums[c] / count - mean * slope)
        }
        inParts(of: images * shape.pixels) { pixels in
            let start = pixels.lowerBound * stride
            kernels.normalizeGradient(
                x + start, dy + start, Int64(pixels.count), Int64(stride), numbers + 2 * stride, numbers + stride,
                numbers + 3 * stride)
        }
    }

    /// A task for every grain and run of 64 channels.
    private func inGrainsAndLanes(_ shape: Graph.Shape, _ body: (_ grain: Int, _ lanes: Range<Int>) -> Void) {
        let runs = (shape.stride + 63) / 64
        pool.run(grainCount * runs) { task, _ in
            let lane = task % runs * 64
            body(task / runs, lane..<min(shape.stride, lane + 64))
        }
    }
}
