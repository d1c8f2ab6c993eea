import CKernels

/// Fusions: batch norm, activation, squeeze-excite scaling, drop-connect and sum in one pass, and their gradients.
extension Network {
    // MARK: Forward

    func fuse(_ fusion: Fusion) {
        var arguments = describe(fusion)
        arguments.y = value(fusion.output)
        arguments.residual = fusion.residual.map { UnsafePointer(value($0)) }
        arguments.bypassesCache = bypassesCache(fusion.output)
        withUnsafePointer(to: arguments) { arguments in
            inParts(of: images * graph.shapes[fusion.output].pixels) { pixels in
                kernels.fuse(arguments, Int64(pixels.lowerBound), Int64(pixels.upperBound))
            }
        }
    }

    /// The global average of a map, or of what a fusion's batch norm makes of it.
    func averagePool(_ node: Graph.Node) {
        let map = node.inputs[0]
        let shape = graph.shapes[map]
        if !hasSummed(map) { sumPixels(map) }
        let means = value(node.output)
        let sums = scratch.doubles
        for i in 0..<images * shape.stride { means[i] = Float(sums[i] / Double(shape.pixels)) }
    }

    /// Sums up each channel of each image, into the channel sums.
    private func sumPixels(_ map: Graph.Value) {
        let shape = graph.shapes[map]
        let fusion = schedule.fusions.normalised[map].map { schedule.fusions.all[$0] }
        var arguments = CKFusion()
        if let fusion, fusion.output != map, fusion.convolution == nil {
            arguments = describe(fusion)
            arguments.factors = nil
        } else {
            arguments = describe(map)
        }
        let sums = scratch.doubles
        withUnsafePointer(to: arguments) { arguments in
            inImagesAndLanes(shape) { image, lanes, _ in
                kernels.averageSums(
                    arguments, Int64(image * shape.pixels), Int64((image + 1) * shape.pixels), Int64(lanes.lowerBound),
                    Int64(lanes.upperBound), sums + image * shape.stride)
            }
        }
    }

    /// A map as it is.
    func describe(_ map: Graph.Value) -> CKFusion {
        var arguments = CKFusion()
        arguments.x = UnsafePointer(value(map))
        arguments.pixels = Int64(graph.shapes[map].pixels)
        arguments.stride = Int64(graph.shapes[map].stride)
        return arguments
    }

    /// What all of a fusion's kernels need.
    func describe(_ fusion: Fusion) -> CKFusion {
        var arguments = describe(fusion.input)
        if let index = fusion.norm, case .batchNorm(_, let activation) = graph.nodes[index].operation {
            let numbers = layers[index].normalisation
            arguments.scale = UnsafePointer(numbers.scale)
            arguments.shift = UnsafePointer(numbers.shift)
            arguments.mean = UnsafePointer(numbers.mean)
            arguments.slope = UnsafePointer(numbers.slope)
            arguments.offset = UnsafePointer(numbers.offset)
            arguments.activation = activation.kernel
        }
        arguments.factors = fusion.factors.map { UnsafePointer(value($0)) }
        if let index = fusion.dropConnect { arguments.gains = drawGains(graph.nodes[index]) }
        arguments.outer = graph.outerActivation(fusion).kernel
        return arguments
    }

    /// Drop-connect's 0 for a dropped image, 1 / (1 - probability) for the others: block b's is draw b of the image's stream.
    private func drawGains(_ node: Graph.Node) -> UnsafePointer<Float>? {
        guard isTraining, !draws.samples.isEmpty, case .dropConnect(let probability, let block) = node.operation
        else { return nil }
        let gains = scratch.gains.base
        for image in 0..<images {
            var random = Philox(
                seed: draws.seed, purpose: .dropConnect, epoch: draws.epoch, sample: draws.samples[image])
            for _ in 0..<block { _ = random.next() }
            gains[image] = random.uniform() >= probability ? 1 / (1 - probability) : 0
        }
        return UnsafePointer(gains)
    }

    // MARK: Statistics

    /// A batch norm's numbers: from the batch, or from the running statistics.
    func normalise(_ fusion: Fusion) {
        guard let index = fusion.norm, case .batchNorm(let norm, _) = graph.nodes[index].operation else { return }
        guard isTraining else { return runningNormalisation(index, norm) }
        let shape = graph.shapes[fusion.input]
        let x = value(fusion.input)
        let sums = batchSums(shape) { images, lanes, sum, squares in
            kernels.channelSums(
                x + images.lowerBound * shape.count, Int64(images.count * shape.pixels), Int64(shape.stride),
                Int64(lanes.lowerBound), Int64(lanes.upperBound), sum, squares)
        }
        let count = Double(images * shape.pixels)
        let momentum = Double(norm.momentum)
        for c in 0..<shape.stride {
            let mean = sums[c] / count
            let difference = sums[shape.stride + c] / count - mean * mean
            // Swift's max would make 0 of what is no number.
            let variance = difference < 0 ? 0 : difference
            set(layers[index].normalisation, c, norm, mean: mean, variance: variance)
            // The unbiased variance, as in PyTorch.
            let unbiased = variance * (count / max(1, count - 1))
            let runningMean = statistic(norm.runningMean) + c
            let runningVariance = statistic(norm.runningVariance) + c
            runningMean.pointee = Float((1 - momentum) * Double(runningMean.pointee) + momentum * mean)
            runningVariance.pointee = Float((1 - momentum) * Double(runningVariance.pointee) + momentum * unbiased)
        }
    }

    /// Takes the running statistics for the batch's.
    func runningNormalisation(_ index: Int, _ norm: BatchNorm) {
        for c in 0..<graph.shapes[graph.nodes[index].output].stride {
            set(
                layers[index].normalisation, c, norm, mean: Double(statistic(norm.runningMean)[c]),
                variance: Double(statistic(norm.runningVariance)[c]))
        }
    }

    /// The scale and shift that make x into gamma * (x - mean) / deviation + beta.
    private func set(_ numbers: Normalisation, _ c: Int, _ norm: BatchNorm, mean: Double, variance: Double) {
        let inverse = 1 / (variance + Double(norm.epsilon)).squareRoot()
        let scale = Double(parameter(norm.weight)[c]) * inverse
        numbers.mean[c] = Float(mean)
        numbers.inverse[c] = Float(inverse)
        numbers.scale[c] = Float(scale)
        numbers.shift[c] = Float(Double(parameter(norm.bias)[c]) - mean * scale)
    }

    // MARK: Backward

    /// The gradient of the factors, and of the residual; the output's is multiplied with the outer activation's derivative.
    func outerGradient(_ fusion: Fusion) {
        let shape = graph.shapes[fusion.output]
        var arguments = describe(fusion)
        arguments.dy = gradient(fusion.output)
        arguments.y = arguments.outer == CK_IDENTITY ? nil : value(fusion.output)
        if let factors = fusion.factors, let scale = fusion.scale {
            precondition(!schedule.accumulates[scale][1], "squeeze-excite factors have one reader")
            let target = gradient(factors)
            withUnsafePointer(to: arguments) { arguments in
                inImagesAndLanes(shape) { image, lanes, sums in
                    kernels.factorGradient(
                        arguments, Int64(image), Int64(lanes.lowerBound), Int64(lanes.upperBound), sums,
                        target + image * shape.stride)
                }
            }
        } else if arguments.y != nil {
            var mask = CKFusion()
            (mask.pixels, mask.stride, mask.outer) = (arguments.pixels, arguments.stride, arguments.outer)
            (mask.y, mask.dy, mask.dx) = (arguments.y, arguments.dy, arguments.dy)
            fusionGradient(mask, pixels: images * shape.pixels)
        }
        giveToResidual(fusion)
    }

    /// The gradient of the input and, where there is a batch norm, of its scale and shift:
    ///
    ///     dx = scale * (dz - mean of dz - (x - mean) / deviation * mean of dz * (x - mean) / deviation)
    func innerGradient(_ fusion: Fusion) {
        let shape = graph.shapes[fusion.output]
        let isRun = graph.isRun(fusion)
        var arguments = describe(fusion)
        arguments.dy = gradient(fusion.output)
        arguments.dx = gradient(fusion.input)
        arguments.y = isRun && arguments.outer != CK_IDENTITY ? value(fusion.output) : nil
        arguments.accumulate = schedule.accumulates[fusion.first][0] ? 1 : 0
        arguments.share = fusion.average.map { UnsafePointer(shareOfAverage($0, pixels: shape.pixels)) }
        if let index = fusion.norm, case .batchNorm(let norm, _) = graph.nodes[index].operation {
            // Where the output's gradient is not needed after this, that before the activation takes its place, if working it out
            // twice would cost more than storing it.
            arguments.storesGradient = arguments.dx == arguments.dy && arguments.activation == CK_SWISH ? 1 : 0
            normaliseBackward(index, norm, arguments, shape)
            arguments.y = nil
            if isRun { giveToResidual(fusion) }
            if arguments.storesGradient == 1 {
                arguments.activation = CK_IDENTITY
                (arguments.factors, arguments.gains, arguments.share) = (nil, nil, nil)
            }
            fusionGradient(arguments, pixels: images * shape.pixels)
        } else {
            fusionGradient(arguments, pixels: images * shape.pixels)
            if isRun { giveToResidual(fusion) }
        }
    }

    private func fusionGradient(_ arguments: CKFusion, pixels: Int) {
        withUnsafePointer(to: arguments) { arguments in
            inParts(of: pixels) { part in
                kernels.fusionGradient(arguments, Int64(part.lowerBound), Int64(part.upperBound))
            }
        }
    }

    /// The gradient of scale and shift, and the numbers that give the input's.
    private func normaliseBackward(_ index: Int, _ norm: BatchNorm, _ arguments: CKFusion, _ shape: Graph.Shape) {
        let sums = withUnsafePointer(to: arguments) { arguments in
            batchSums(shape) { images, lanes, sum, products in
                kernels.fusionSums(
                    arguments, Int64(images.lowerBound), Int64(images.upperBound), Int64(lanes.lowerBound),
                    Int64(lanes.upperBound), sum, products)
            }
        }
        let numbers = layers[index].normalisation
        let count = Double(images * shape.pixels)
        for c in 0..<shape.stride {
            let mean = Double(numbers.mean[c])
            let inverse = Double(numbers.inverse[c])
            let products = sums[shape.stride + c] * inverse
            parameterGradient(norm.bias)[c] = Float(sums[c])
            parameterGradient(norm.weight)[c] = Float(products)
            let slope = inverse * products / count
            numbers.slope[c] = Float(slope)
            numbers.offset[c] = Float(sums[c] / count - mean * slope)
        }
    }

    /// The residual's gradient is the output's, which it shares its place with or is copied from.
    private func giveToResidual(_ fusion: Fusion) {
        guard let residual = fusion.residual, let sum = fusion.sum else { return }
        let dy = gradient(fusion.output)
        let target = gradient(residual)
        if target == dy { return }
        let position = graph.nodes[sum].inputs[1] == residual ? 1 : 0
        let accumulates = schedule.accumulates[sum][position]
        inParts(of: images * graph.shapes[residual].count, unit: 4096) { part in
            if accumulates {
                kernels.accumulate(target + part.lowerBound, dy + part.lowerBound, Int64(part.count))
            } else {
                (target + part.lowerBound).update(from: dy + part.lowerBound, count: part.count)
            }
        }
    }

    // MARK: Sums

    /// Two sums per channel over the batch: chains in double per grain, then the tree. The first array's sums come first.
    func batchSums(
        _ shape: Graph.Shape,
        _ chain: (
            _ images: Range<Int>, _ lanes: Range<Int>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>
        ) -> Void
    ) -> UnsafeMutablePointer<Double> {
        let sums = scratch.doubles
        let width = laneRun(shape, tasks: grainCount)
        let runs = (shape.stride + width - 1) / width
        pool.run(grainCount * runs) { task, _ in
            let lane = task % runs * width
            let sum = sums + task / runs * 2 * shape.stride
            chain(grain(task / runs), lane..<min(shape.stride, lane + width), sum, sum + shape.stride)
        }
        GrainTree.combine(sums, grains: grainCount, count: 2 * shape.stride, stride: 2 * shape.stride)
        return sums
    }

    /// A task for every image and run of channels, with room for a sum per channel.
    private func inImagesAndLanes(
        _ shape: Graph.Shape, _ body: (_ image: Int, _ lanes: Range<Int>, UnsafeMutablePointer<Double>) -> Void
    ) {
        let width = laneRun(shape, tasks: images)
        let runs = (shape.stride + width - 1) / width
        pool.run(images * runs) { task, worker in
            let lane = task % runs * width
            body(task / runs, lane..<min(shape.stride, lane + width), scratch.laneSums(worker))
        }
    }

    /// Channels per task: all of them, as they lie in memory, or fewer where threads would be left without work.
    private func laneRun(_ shape: Graph.Shape, tasks: Int) -> Int {
        if tasks >= 2 * pool.threads { return shape.stride }
        return tasks * ((shape.stride + 63) / 64) >= 2 * pool.threads ? 64 : 16
    }

    /// Whether a value is too large for the caches, so that storing it there would only push out what is needed.
    func bypassesCache(_ value: Graph.Value) -> Int32 { images * graph.shapes[value].count >= 1 << 22 ? 1 : 0 }
}
