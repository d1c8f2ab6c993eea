import CKernels

/// Activations, sums, pooling, squeeze-excite scaling and dropout.
extension Network {
    func activate(_ node: Graph.Node, _ kind: Graph.Activation) {
        let count = images * graph.shapes[node.output].count
        let x = value(node.inputs[0])
        let y = value(node.output)
        inParts(of: count, unit: 4096) {
            kernels.activate(x + $0.lowerBound, y + $0.lowerBound, Int64($0.count), kind.kernel)
        }
    }

    func activateBackward(_ index: Int, _ kind: Graph.Activation) {
        let node = graph.nodes[index]
        let count = images * graph.shapes[node.output].count
        let x = value(node.inputs[0])
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        let accumulate: Int32 = plan.accumulates[index][0] ? 1 : 0
        inParts(of: count, unit: 4096) {
            kernels.activateGradient(
                x + $0.lowerBound, dy + $0.lowerBound, dx + $0.lowerBound, Int64($0.count), kind.kernel, accumulate)
        }
    }

    func add(_ node: Graph.Node, _ kind: Graph.Activation) {
        let count = images * graph.shapes[node.output].count
        let a = value(node.inputs[0])
        let b = value(node.inputs[1])
        let y = value(node.output)
        inParts(of: count, unit: 4096) {
            kernels.add(a + $0.lowerBound, b + $0.lowerBound, y + $0.lowerBound, Int64($0.count), kind.kernel)
        }
    }

    /// The second summand first: the first one's gradient may lie where the output's does.
    func addBackward(_ index: Int, _ kind: Graph.Activation) {
        let node = graph.nodes[index]
        let count = images * graph.shapes[node.output].count
        let y = value(node.output)
        let dy = gradient(node.output)
        for position in [1, 0] {
            let dx = gradient(node.inputs[position])
            if dx == dy && kind == .identity { continue }
            let accumulate: Int32 = plan.accumulates[index][position] ? 1 : 0
            inParts(of: count, unit: 4096) {
                kernels.addGradient(
                    y + $0.lowerBound, dy + $0.lowerBound, dx + $0.lowerBound, Int64($0.count), kind.kernel, accumulate)
            }
        }
    }

    // MARK: Pooling

    private func pooling(_ node: Graph.Node, _ kernel: Int, _ stride: Int, _ padding: Int) -> CKPooling {
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        return CKPooling(
            inputHeight: Int32(input.height), inputWidth: Int32(input.width), outputHeight: Int32(output.height),
            outputWidth: Int32(output.width), kernel: Int32(kernel), stride: Int32(stride), padding: Int32(padding),
            pixelStride: Int64(input.stride))
    }

    func maxPool(_ index: Int, _ kernel: Int, _ stride: Int, _ padding: Int) {
        let node = graph.nodes[index]
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        let x = value(node.inputs[0])
        let y = value(node.output)
        let winners = plan.winners[index].map { winnerBytes($0) }
        let arguments = pooling(node, kernel, stride, padding)
        withUnsafePointer(to: arguments) { arguments in
            inParts(of: images * output.height) { rows in
                for row in rows {
                    let (image, r) = (row / output.height, Int32(row % output.height))
                    kernels.maxPool(
                        arguments, x + image * input.count, y + image * output.count,
                        winners.map { $0 + image * output.count }, r, r + 1)
                }
            }
        }
    }

    func maxPoolBackward(_ index: Int, _ kernel: Int, _ stride: Int, _ padding: Int) {
        let node = graph.nodes[index]
        guard let offset = plan.winners[index] else { preconditionFailure("max pooling kept no winners") }
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        let winners = winnerBytes(offset)
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        let accumulate: Int32 = plan.accumulates[index][0] ? 1 : 0
        let arguments = pooling(node, kernel, stride, padding)
        withUnsafePointer(to: arguments) { arguments in
            inParts(of: images * input.height) { rows in
                for row in rows {
                    let (image, r) = (row / input.height, Int32(row % input.height))
                    kernels.maxPoolGradient(
                        arguments, dy + image * output.count, winners + image * output.count, dx + image * input.count,
                        r,
                        r + 1, accumulate)
                }
            }
        }
    }

    private func winnerBytes(_ offset: Int) -> UnsafeMutablePointer<UInt8> {
        UnsafeMutableRawPointer(arena.base + offset).assumingMemoryBound(to: UInt8.self)
    }

    /// A chain over the pixels of each image, then one division.
    func averagePool(_ node: Graph.Node) {
        let input = graph.shapes[node.inputs[0]]
        let x = value(node.inputs[0])
        let y = value(node.output)
        inParts(of: images) { part in
            for image in part {
                let mean = y + image * input.stride
                kernels.pixelSum(x + image * input.count, Int64(input.pixels), Int64(input.stride), mean)
                for c in 0..<input.stride { mean[c] /= Float(input.pixels) }
            }
        }
    }

    func averagePoolBackward(_ index: Int) {
        let node = graph.nodes[index]
        let input = graph.shapes[node.inputs[0]]
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        let accumulate: Int32 = plan.accumulates[index][0] ? 1 : 0
        inParts(of: images) { part in
            for image in part {
                let share = dy + image * input.stride
                for c in 0..<input.stride { share[c] /= Float(input.pixels) }
                kernels.broadcast(share, dx + image * input.count, Int64(input.pixels), Int64(input.stride), accumulate)
            }
        }
    }

    // MARK: Squeeze-excite scaling

    func scale(_ node: Graph.Node) {
        let shape = graph.shapes[node.output]
        let x = value(node.inputs[0])
        let factors = value(node.inputs[1])
        let y = value(node.output)
        inParts(of: images * shape.height) { rows in
            for row in rows {
                let start = row * shape.width * shape.stride
                kernels.scale(
                    x + start, factors + row / shape.height * shape.stride, y + start, Int64(shape.width),
                    Int64(shape.stride), 0)
            }
        }
    }

    /// The factors' gradient first: the map's own gradient is written over the output's.
    func scaleBackward(_ index: Int) {
        let node = graph.nodes[index]
        let shape = graph.shapes[node.output]
        precondition(!plan.accumulates[index][1], "squeeze-excite factors have one reader")
        let x = value(node.inputs[0])
        let factors = value(node.inputs[1])
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        let factorGradient = gradient(node.inputs[1])
        let accumulate: Int32 = plan.accumulates[index][0] ? 1 : 0
        inParts(of: images) { part in
            for image in part {
                let start = image * shape.count
                let row = image * shape.stride
                kernels.pixelDot(
                    x + start, dy + start, Int64(shape.pixels), Int64(shape.stride), factorGradient + row)
                kernels.scale(
                    dy + start, factors + row, dx + start, Int64(shape.pixels), Int64(shape.stride), accumulate)
            }
        }
    }

    // MARK: Dropout

    /// Scales each element by 0 or 1 / (1 - probability): one draw per element, in the order of the channels.
    private func applyDropout(
        _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ shape: Graph.Shape, _ probability: Float
    ) {
        let gain = 1 / (1 - probability)
        for (image, sample) in draws.samples.enumerated() {
            var random = Philox(seed: draws.seed, purpose: .dropout, epoch: draws.epoch, sample: sample)
            for i in 0..<shape.count {
                let kept = i % shape.stride >= shape.channels || random.uniform() >= probability
                y[image * shape.count + i] = kept ? x[image * shape.count + i] * gain : 0
            }
        }
    }

    func dropout(_ node: Graph.Node, _ probability: Float, training: Bool) {
        let shape = graph.shapes[node.output]
        if training && !draws.samples.isEmpty {
            applyDropout(value(node.inputs[0]), value(node.output), shape, probability)
        } else {
            value(node.output).update(from: value(node.inputs[0]), count: images * shape.count)
        }
    }

    func dropoutBackward(_ node: Graph.Node, _ probability: Float) {
        guard !draws.samples.isEmpty else { return }
        applyDropout(gradient(node.output), gradient(node.inputs[0]), graph.shapes[node.output], probability)
    }

    /// 0 for a dropped image, 1 / (1 - probability) for the others: block b's is draw b of the image's stream.
    private func connectionGain(_ image: Int, _ probability: Float, _ block: Int) -> Float {
        guard !draws.samples.isEmpty else { return 1 }
        var random = Philox(seed: draws.seed, purpose: .dropConnect, epoch: draws.epoch, sample: draws.samples[image])
        for _ in 0..<block { _ = random.next() }
        return random.uniform() >= probability ? 1 / (1 - probability) : 0
    }

    func dropConnect(_ node: Graph.Node, _ probability: Float, _ block: Int, training: Bool) {
        let count = graph.shapes[node.output].count
        let x = value(node.inputs[0])
        let y = value(node.output)
        inParts(of: images) { part in
            for image in part {
                let gain = training ? connectionGain(image, probability, block) : 1
                for i in image * count..<(image + 1) * count { y[i] = x[i] * gain }
            }
        }
    }

    func dropConnectBackward(_ node: Graph.Node, _ probability: Float, _ block: Int) {
        let count = graph.shapes[node.output].count
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        inParts(of: images) { part in
            for image in part {
                let gain = connectionGain(image, probability, block)
                for i in image * count..<(image + 1) * count { dx[i] = dy[i] * gain }
            }
        }
    }
}
