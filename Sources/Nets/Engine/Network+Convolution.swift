import CKernels

/// Convolutions: the sizes for the kernels, and how the work is cut into tasks. docs/numerics.md has the order of the sums.
extension Network {
    func convolve(_ index: Int, _ convolution: Convolution) {
        let node = graph.nodes[index]
        if usesOpenBLAS(convolution) { return multiplyForward(index, convolution) }
        let g = convolution.geometry
        let output = graph.shapes[node.output]
        let fusion = absorbed(by: index)
        layers[index].taps.withUnsafeBufferPointer { taps in
            var arguments = CKConvolution()
            describeInput(
                &arguments.input, &arguments.inputImageStride, &arguments.inputRowStride,
                &arguments.inputPixelStride, &arguments.inputHeight, &arguments.inputWidth, node.inputs[0], g)
            arguments.output = value(fusion?.output ?? node.output)
            arguments.outputImageStride = Int64(output.count)
            arguments.outputRowStride = Int64(output.width * output.stride)
            arguments.outputPixelStride = Int64(output.stride)
            arguments.gridHeight = Int32(output.height)
            arguments.gridWidth = Int32(output.width)
            arguments.step = Int32(g.stride)
            arguments.taps = taps.baseAddress
            arguments.tapCount = Int32(taps.count)
            arguments.channels = g.chain
            arguments.panelsPerBlock = Int32(g.panelsPerBlock)
            arguments.weights = UnsafePointer(parameter(convolution.weight))
            arguments.panelStride = Int64(g.panelStride)
            arguments.bias = convolution.bias.map { UnsafePointer(parameter($0)) }
            arguments.hasEpilogue = convolution.bias == nil ? 0 : 1
            if let fusion { absorb(fusion, into: &arguments) }
            arguments.zeros = UnsafePointer(scratch.zeros.base)
            run(arguments, pixels: images * output.pixels, panels: g.outputPanels)
        }
    }

    /// Lets the convolution do a fusion to its sums before it stores them.
    private func absorb(_ fusion: Fusion, into arguments: inout CKConvolution) {
        guard let index = fusion.norm, case .batchNorm(let norm, let activation) = graph.nodes[index].operation
        else { preconditionFailure("a convolution absorbs batch norms") }
        runningNormalisation(index, norm)
        let numbers = layers[index].normalisation
        arguments.hasEpilogue = 1
        arguments.scale = UnsafePointer(numbers.scale)
        arguments.shift = UnsafePointer(numbers.shift)
        arguments.activation = activation.kernel
        guard let residual = fusion.residual else { return }
        arguments.residual = UnsafePointer(value(residual))
        arguments.residualActivation = graph.outerActivation(fusion).kernel
    }

    // MARK: Data gradient

    /// The gradient of the input: each phase of the stride is a gather from the output's gradient.
    func dataGradient(_ index: Int) {
        let node = graph.nodes[index]
        let convolution = node.convolution
        if usesOpenBLAS(convolution) { return multiplyDataGradient(index, convolution) }
        let g = convolution.geometry
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        if !g.isDepthwise { transpose(convolution) }
        for phase in layers[index].phases where phase.row < input.height && phase.column < input.width {
            phase.taps.withUnsafeBufferPointer { taps in
                var arguments = CKConvolution()
                arguments.input = UnsafePointer(gradient(node.output))
                arguments.inputImageStride = Int64(output.count)
                arguments.inputRowStride = Int64(output.width * output.stride)
                arguments.inputPixelStride = Int64(output.stride)
                arguments.inputHeight = Int32(output.height)
                arguments.inputWidth = Int32(output.width)
                arguments.output = gradient(node.inputs[0]) + (phase.row * input.width + phase.column) * input.stride
                arguments.outputImageStride = Int64(input.count)
                arguments.outputRowStride = Int64(g.stride * input.width * input.stride)
                arguments.outputPixelStride = Int64(g.stride * input.stride)
                arguments.gridHeight = Int32((input.height - phase.row + g.stride - 1) / g.stride)
                arguments.gridWidth = Int32((input.width - phase.column + g.stride - 1) / g.stride)
                arguments.step = 1
                arguments.taps = taps.baseAddress
                arguments.tapCount = Int32(taps.count)
                arguments.channels = g.isDepthwise ? 0 : Int32(g.blockOutputs)
                arguments.panelsPerBlock = Int32(g.groups == 1 || g.isDepthwise ? g.inputPanels : g.blockInputs / 16)
                arguments.weights = UnsafePointer(
                    g.isDepthwise ? parameter(convolution.weight) : scratch.transposed.base)
                arguments.panelStride = Int64(g.taps * g.blockOutputs * 16)
                arguments.accumulate = schedule.accumulates[index][0] ? 1 : 0
                arguments.hasEpilogue = arguments.accumulate
                arguments.zeros = UnsafePointer(scratch.zeros.base)
                run(arguments, pixels: images * Int(arguments.gridHeight * arguments.gridWidth), panels: g.inputPanels)
            }
        }
    }

    /// Lays the weights out with input channels along the lanes, for the data gradient.
    private func transpose(_ convolution: Convolution) {
        let g = convolution.geometry
        let panelsPerBlock = g.groups == 1 ? g.inputPanels : g.blockInputs / 16
        let source = parameter(convolution.weight)
        let target = scratch.transposed.base
        inParts(of: g.inputPanels) { panels in
            for panel in panels {
                let block = panel / panelsPerBlock
                kernels.transposeWeights(
                    source + block * g.panelsPerBlock * g.panelStride, Int64(g.panelStride), Int32(g.taps),
                    Int32(g.blockInputs), Int32(g.blockOutputs), Int32(panel % panelsPerBlock),
                    target + panel * g.taps * g.blockOutputs * 16)
            }
        }
    }

    // MARK: Weight gradient

    /// Every task computes some output panels: a chain per grain, combined by the tree while the next grain is at work.
    func weightGradient(_ index: Int) {
        let node = graph.nodes[index]
        let convolution = node.convolution
        if let bias = convolution.bias { biasGradient(of: node.output, into: parameterGradient(bias)) }
        if usesOpenBLAS(convolution) { return multiplyWeightGradient(index, convolution) }
        let g = convolution.geometry
        let output = graph.shapes[node.output]
        layers[index].taps.withUnsafeBufferPointer { taps in
            var arguments = CKWeightGradient()
            describeInput(
                &arguments.input, &arguments.inputImageStride, &arguments.inputRowStride,
                &arguments.inputPixelStride, &arguments.inputHeight, &arguments.inputWidth, node.inputs[0], g)
            arguments.gradient = UnsafePointer(gradient(node.output))
            arguments.gradientPixelStride = Int64(output.stride)
            arguments.gridHeight = Int32(output.height)
            arguments.gridWidth = Int32(output.width)
            arguments.step = Int32(g.stride)
            arguments.taps = taps.baseAddress
            arguments.tapCount = Int32(taps.count)
            arguments.channels = g.chain
            arguments.panelsPerBlock = Int32(g.panelsPerBlock)
            arguments.panelStride = Int64(g.panelStride)
            arguments.zeros = UnsafePointer(scratch.zeros.base)
            let target = parameterGradient(convolution.weight)
            let width = g.panelsPerGradientTask
            pool.run((g.outputPanels + width - 1) / width) { task, worker in
                let panels = task * width..<min(g.outputPanels, (task + 1) * width)
                sumGrains(
                    arguments, panels, scratch.worker[worker].base, into: target + panels.lowerBound * g.panelStride)
            }
        }
        if g.hasWidenedGroups { clearBetweenGroups(parameterGradient(convolution.weight), g) }
    }

    /// The tree over the grains, worked off like a binary counter: two sums of the same number of grains are added at once.
    private func sumGrains(
        _ arguments: CKWeightGradient, _ panels: Range<Int>, _ stack: UnsafeMutablePointer<Float>,
        into target: UnsafeMutablePointer<Float>
    ) {
        let count = panels.count * Int(arguments.panelStride)
        var sizes: [Int] = []
        func addTopTwo() {
            let top = sizes.count - 1
            kernels.accumulate(stack + (top - 1) * count, stack + top * count, Int64(count))
            sizes[top - 1] += sizes[top]
            sizes.removeLast()
        }
        withUnsafePointer(to: arguments) { arguments in
            for g in 0..<grainCount {
                let images = grain(g)
                kernels.weightGradient(
                    arguments, Int64(images.lowerBound), Int64(images.upperBound), Int32(panels.lowerBound),
                    Int32(panels.upperBound), stack + sizes.count * count)
                sizes.append(1)
                while sizes.count > 1 && sizes[sizes.count - 1] == sizes[sizes.count - 2] { addTopTwo() }
            }
        }
        while sizes.count > 1 { addTopTwo() }
        target.update(from: stack, count: count)
    }

    /// Blocks of widened groups hold zeros between the groups, in weights and gradients alike.
    func clearBetweenGroups(_ weights: UnsafeMutablePointer<Float>, _ g: ConvolutionGeometry) {
        for row in 0..<g.outputPanels * g.taps * 16 {
            let input = row % 16
            for lane in 0..<16 where lane / g.groupOutputs != input / g.groupInputs { weights[row * 16 + lane] = 0 }
        }
    }

    /// Sum of the output's gradient over all pixels.
    private func biasGradient(of output: Graph.Value, into target: UnsafeMutablePointer<Float>) {
        let shape = graph.shapes[output]
        let sums = batchSums(shape) { images, lanes, sum, squares in
            kernels.channelSums(
                gradient(output) + images.lowerBound * shape.count, Int64(images.count * shape.pixels),
                Int64(shape.stride), Int64(lanes.lowerBound), Int64(lanes.upperBound), sum, squares)
        }
        for c in 0..<shape.stride { target[c] = Float(sums[c]) }
    }

    private func usesOpenBLAS(_ convolution: Convolution) -> Bool {
        arithmetic == .openblas && !convolution.geometry.isDepthwise
    }

    // MARK: Sizes

    private func describeInput(
        _ base: inout UnsafePointer<Float>?, _ imageStride: inout Int64, _ rowStride: inout Int64,
        _ pixelStride: inout Int64, _ height: inout Int32, _ width: inout Int32, _ input: Graph.Value,
        _ g: ConvolutionGeometry
    ) {
        let shape = graph.shapes[input]
        let border = g.readsImage ? g.paddingBefore + g.paddingAfter : 0
        let pixel = g.readsImage ? 3 : shape.stride
        base = UnsafePointer(g.readsImage ? image.base : value(input))
        height = Int32(shape.height + border)
        width = Int32(shape.width + border)
        pixelStride = Int64(pixel)
        rowStride = Int64((shape.width + border) * pixel)
        imageStride = Int64((shape.height + border) * (shape.width + border) * pixel)
    }

    /// Cuts the grid into runs of 96 pixels, eight tiles of the widest kernel, and the panels where those are too few.
    private func run(_ arguments: CKConvolution, pixels: Int, panels: Int) {
        let unit = 96
        let wanted = pool.threads * 4
        let runs = min((pixels + unit - 1) / unit, wanted * 4)
        let length = ((pixels + unit - 1) / unit + runs - 1) / runs * unit
        let pixelParts = (pixels + length - 1) / length
        let panelParts = pixelParts >= wanted ? 1 : min((panels + 1) / 2, (wanted + pixelParts - 1) / pixelParts)
        let panelWidth = ((panels + panelParts - 1) / panelParts + 1) / 2 * 2
        withUnsafePointer(to: arguments) { arguments in
            pool.run(pixelParts * panelParts) { task, _ in
                let first = task / panelParts * length
                let panel = task % panelParts * panelWidth
                guard panel < panels else { return }
                kernels.convolution(
                    arguments, Int64(first), Int64(min(pixels, first + length)), Int32(panel),
                    Int32(min(panels, panel + panelWidth)))
            }
        }
    }
}

extension ConvolutionGeometry {
    /// Numbers that a kernel sums per tap; 0 for depthwise, a whole kernel row for the first layer.
    fileprivate var chain: Int32 { isDepthwise ? 0 : Int32(readsImage ? kernel * inputChannels : blockInputs) }
}
