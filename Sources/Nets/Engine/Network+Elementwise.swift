import CKernels

/// Activations on their own, pooling and dropout.
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
        let accumulate: Int32 = schedule.accumulates[index][0] ? 1 : 0
        inParts(of: count, unit: 4096) {
            kernels.activateGradient(
                x + $0.lowerBound, dy + $0.lowerBound, dx + $0.lowerBound, Int64($0.count), kind.kernel, accumulate)
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
        let winners = schedule.winners[index].map { winnerBytes($0) }
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
        guard let offset = schedule.winners[index] else { preconditionFailure("max pooling kept no winners") }
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        let winners = winnerBytes(offset)
        let dy = gradient(node.output)
        let dx = gradient(node.inputs[0])
        let accumulate: Int32 = schedule.accumulates[index][0] ? 1 : 0
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

    func averagePoolBackward(_ index: Int) {
        let node = graph.nodes[index]
        let input = graph.shapes[node.inputs[0]]
        let dx = gradient(node.inputs[0])
        let accumulate: Int32 = schedule.accumulates[index][0] ? 1 : 0
        let share = shareOfAverage(node.output, pixels: input.pixels)
        inParts(of: images) { part in
            for image in part {
                kernels.broadcast(
                    share + image * input.stride, dx + image * input.count, Int64(input.pixels), Int64(input.stride),
                    accumulate)
            }
        }
    }

    /// What each pixel gets of an average's gradient, written over it.
    func shareOfAverage(_ average: Graph.Value, pixels: Int) -> UnsafeMutablePointer<Float> {
        let share = gradient(average)
        for i in 0..<images * graph.shapes[average].count { share[i] /= Float(pixels) }
        return share
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

    func dropout(_ node: Graph.Node, _ probability: Float) {
        let shape = graph.shapes[node.output]
        if isTraining && !draws.samples.isEmpty {
            applyDropout(value(node.inputs[0]), value(node.output), shape, probability)
        } else {
            value(node.output).update(from: value(node.inputs[0]), count: images * shape.count)
        }
    }

    func dropoutBackward(_ node: Graph.Node, _ probability: Float) {
        guard !draws.samples.isEmpty else { return }
        applyDropout(gradient(node.output), gradient(node.inputs[0]), graph.shapes[node.output], probability)
    }
}
