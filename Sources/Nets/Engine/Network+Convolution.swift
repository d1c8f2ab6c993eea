import CKernels

/// Convolutions: the sizes for the kernels, and how the work is cut into tasks. docs/numerics.md has the order of the sums.
extension Network {
    func convolve(_ index: Int, _ convolution: Convolution) {
        let node = graph.nodes[index]
        if let library = openBLAS(for: convolution) { return multiplyForward(index, convolution, library) }
        if let source = schedule.fusions.streamed(node.inputs[0]) { return convolve(index, after: source) }
        let panels = convolution.geometry.outputPanels
        layers[index].taps.withUnsafeBufferPointer { taps in
            var arguments = describeForward(index, taps)
            run(&arguments, by: convolution.method, panels: panels, kept: keptWeights(index))
        }
    }

    /// All that the forward pass's kernels need.
    func describeForward(_ index: Int, _ taps: UnsafeBufferPointer<CKTap>) -> CKConvolution {
        let node = graph.nodes[index]
        var arguments = describe(node, taps)
        let fusion = absorbed(by: index)
        arguments.output = value(fusion?.output ?? node.output)
        arguments.weights = UnsafePointer(parameter(node.convolution.weight))
        arguments.bias = node.convolution.bias.map { UnsafePointer(parameter($0)) }
        arguments.hasEpilogue = arguments.bias == nil ? 0 : 1
        if let fusion { absorb(fusion, into: &arguments) }
        arguments.bypassesCache = bypassesCache(node.output)
        return arguments
    }

    /// The forward pass's geometry: what a convolution reads, and its output's place without the address.
    private func describe(_ node: Graph.Node, _ taps: UnsafeBufferPointer<CKTap>) -> CKConvolution {
        let g = node.convolution.geometry
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        // The image is stored with its border and without padded channels.
        let border = g.readsImage ? g.paddingBefore + g.paddingAfter : 0
        let pixel = g.readsImage ? 3 : input.stride
        var arguments = CKConvolution()
        arguments.input = UnsafePointer(g.readsImage ? image.base : value(node.inputs[0]))
        arguments.inputHeight = Int32(input.height + border)
        arguments.inputWidth = Int32(input.width + border)
        arguments.inputPixelStride = Int64(pixel)
        arguments.inputRowStride = Int64((input.width + border) * pixel)
        arguments.inputImageStride = Int64((input.height + border) * (input.width + border) * pixel)
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
        arguments.group = g.hasWidenedGroups ? Int32(g.groupInputs) : 0
        arguments.panelStride = Int64(g.panelStride)
        arguments.zeros = UnsafePointer(scratch.zeros.base)
        return arguments
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
        if let library = openBLAS(for: convolution) { return multiplyDataGradient(index, convolution, library) }
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
                arguments.group = g.hasWidenedGroups ? Int32(g.groupOutputs) : 0
                arguments.weights = UnsafePointer(
                    g.isDepthwise ? parameter(convolution.weight) : scratch.transposed.base)
                arguments.panelStride = Int64(g.taps * g.blockOutputs * 16)
                arguments.accumulate = schedule.accumulates[index][0] ? 1 : 0
                arguments.hasEpilogue = arguments.accumulate
                arguments.bypassesCache = arguments.accumulate == 1 ? 0 : bypassesCache(node.inputs[0])
                arguments.zeros = UnsafePointer(scratch.zeros.base)
                // Phases without taps are zeros, which need no products.
                let method = phase.taps.isEmpty ? .direct : convolution.method
                run(&arguments, by: method, panels: g.inputPanels, flipped: true)
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

    func weightGradient(_ index: Int) {
        let node = graph.nodes[index]
        let convolution = node.convolution
        if let bias = convolution.bias { biasGradient(of: node.output, into: parameterGradient(bias)) }
        if let library = openBLAS(for: convolution) { return multiplyWeightGradient(index, convolution, library) }
        let g = convolution.geometry
        let target = parameterGradient(convolution.weight)
        layers[index].taps.withUnsafeBufferPointer { taps in
            var arguments = describe(node, taps)
            arguments.output = gradient(node.output)
            arguments.panelStride = Int64(
                GradientWork(convolution, grains: grainCount, threads: pool.threads).panelStride)
            withUnsafePointer(to: arguments) { arguments in
                if fitsTree(node) { return gradientTree(convolution, arguments, into: target) }
                weightGradient(convolution) { images, panels, sums, worker in
                    if convolution.method == .winograd {
                        kernels.winogradGradient(
                            arguments, Int64(images.lowerBound), Int64(images.upperBound), Int32(panels.lowerBound),
                            Int32(panels.upperBound), sums, scratch.worker[worker].base)
                    } else {
                        kernels.weightGradient(
                            arguments, Int64(images.lowerBound), Int64(images.upperBound), Int32(panels.lowerBound),
                            Int32(panels.upperBound), sums)
                    }
                } store: { sums, panels in
                    let gradient = target + panels.lowerBound * g.panelStride
                    if convolution.method == .winograd {
                        kernels.winogradGradientWeights(
                            sums, Int32(g.inputChannels), Int32(panels.count), gradient)
                    } else if g.hasWidenedGroups {
                        widen(sums, g, panels: panels.count, into: gradient)
                    } else {
                        gradient.update(from: sums, count: panels.count * g.panelStride)
                    }
                }
            }
        }
    }

    /// Puts the sums of narrow groups, `[panel][tap][group's inputs][16]`, where the weights lie, with zeros between the groups.
    private func widen(
        _ sums: UnsafePointer<Float>, _ g: ConvolutionGeometry, panels: Int, into target: UnsafeMutablePointer<Float>
    ) {
        let group = g.groupInputs
        for row in 0..<panels * g.taps {
            for input in 0..<16 {
                for lane in 0..<16 {
                    target[(row * 16 + input) * 16 + lane] =
                        lane / group == input / group ? sums[(row * group + input % group) * 16 + lane] : 0
                }
            }
        }
    }

    /// Whether a batch has so few pixels that its weight gradient is computed tile by tile, all grains in one go.
    private func fitsTree(_ node: Graph.Node) -> Bool {
        node.convolution.sumsByTree && images * graph.shapes[node.output].pixels <= Int(CK_TREE_POINTS)
            && grainCount <= 1 << (Int(CK_TREE_LEVELS) - 1)
    }

    private func gradientTree(
        _ convolution: Convolution, _ arguments: UnsafePointer<CKConvolution>, into target: UnsafeMutablePointer<Float>
    ) {
        let g = convolution.geometry
        let points = Int64(images) * Int64(arguments.pointee.gridHeight * arguments.pointee.gridWidth)
        let packed = convolution.packsPoints ? scratch.packed.base : nil
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: grainCount) { ends in
            for g in 0..<grainCount { ends[g] = Int64(grain(g).upperBound) }
            guard let ends = ends.baseAddress else { return }
            if let packed {
                inParts(of: g.inputChannels, unit: 12) { channels in
                    kernels.packPoints(
                        arguments, points, Int32(channels.lowerBound), Int32(channels.upperBound), packed)
                }
            }
            // Two panels at a time, as kernels take them.
            pool.run((g.outputPanels + 1) / 2) { task, worker in
                kernels.weightGradientTree(
                    arguments, packed, ends, Int32(grainCount), Int32(2 * task),
                    Int32(min(g.outputPanels, 2 * task + 2)), target + 2 * task * g.panelStride,
                    scratch.worker[worker].base)
            }
        }
    }

    /// A batch sum of some output panels per task. The grains follow each other in a task, or, where there are too few panels
    /// to keep all threads at work, are tasks of their own.
    private func weightGradient(
        _ convolution: Convolution,
        chain: (_ images: Range<Int>, _ panels: Range<Int>, _ sums: UnsafeMutablePointer<Float>, _ worker: Int) -> Void,
        store: (_ sums: UnsafePointer<Float>, _ panels: Range<Int>) -> Void
    ) {
        let work = GradientWork(convolution, grains: grainCount, threads: pool.threads)
        let outputs = convolution.geometry.outputPanels
        func panels(_ task: Int) -> Range<Int> { task * work.panels..<min(outputs, (task + 1) * work.panels) }
        guard work.grainsApart else {
            return pool.run(work.tasks) { task, worker in
                let stack = scratch.sums[worker].base
                GrainTree.sum(
                    grains: grainCount, into: stack, count: panels(task).count * work.panelStride, kernels: kernels
                ) { g, sums in chain(grain(g), panels(task), sums, worker) }
                store(stack, panels(task))
            }
        }
        let sums = scratch.partials.base
        let count = outputs * work.panelStride
        pool.run(work.tasks * grainCount) { index, worker in
            let (task, g) = (index / grainCount, index % grainCount)
            chain(grain(g), panels(task), sums + g * count + panels(task).lowerBound * work.panelStride, worker)
        }
        inParts(of: count, unit: 4096) { part in
            GrainTree.combine(sums + part.lowerBound, grains: grainCount, count: part.count, stride: count)
        }
        pool.run(work.tasks) { task, _ in store(sums + panels(task).lowerBound * work.panelStride, panels(task)) }
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

    private func openBLAS(for convolution: Convolution) -> OpenBLAS? {
        convolution.geometry.isDepthwise ? nil : openBLAS
    }
}

/// How a convolution's weight gradient is cut into tasks.
struct GradientWork {
    /// Output panels of a task.
    let panels: Int
    let tasks: Int
    /// Floats of partial sums per output panel.
    let panelStride: Int
    /// Whether each grain of a task is one of its own.
    let grainsApart: Bool

    /// Floats of partial sums that a task goes through again and again: about what a second-level cache holds.
    private static let mostSums = 1 << 18

    init(_ convolution: Convolution, grains: Int, threads: Int) {
        let g = convolution.geometry
        panelStride =
            convolution.method == .winograd
            ? 16 * 16 * g.inputChannels : g.hasWidenedGroups ? g.taps * g.groupInputs * 16 : g.panelStride
        // Small gradients are summed whole, so that the map is read once; enough tasks come from the grains.
        if g.outputPanels * panelStride <= Self.mostSums / 2 && !g.isDepthwise {
            let parts = (4 * threads + grains - 1) / grains
            panels = ((g.outputPanels + parts - 1) / parts + 1) / 2 * 2
            tasks = (g.outputPanels + panels - 1) / panels
            grainsApart = true
            return
        }
        let most = max(1, Self.mostSums / panelStride)
        // An even number where there are as many, as kernels take two.
        let even = most >= 2 ? most / 2 * 2 : 1
        // A depthwise gradient reads its panels where they lie, side by side: best all of them at a time.
        let parts = (threads + 3) / 4
        panels =
            g.isDepthwise
            ? (g.outputPanels + parts - 1) / parts : min(g.outputPanels, even, max(2, (g.outputPanels + 7) / 8 * 2))
        tasks = (g.outputPanels + panels - 1) / panels
        grainsApart = g.isDepthwise || tasks < 2 * threads
    }
}
