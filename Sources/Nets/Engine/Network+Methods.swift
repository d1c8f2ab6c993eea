import CKernels

/// The ways to multiply: convolutions that have been described for direct sums run by their method's kernels, cut into tasks.
extension Network {
    /// Transforms the weights of every convolution that takes them so, once and for all: for networks that do not train.
    func transformWeights() {
        for (index, node) in graph.nodes.enumerated() {
            guard case .convolution(let convolution) = node.operation, layers[index].weights.count > 0 else { continue }
            let g = convolution.geometry
            transformWeights(
                UnsafePointer(parameter(convolution.weight)), by: convolution.method, channels: g.chain,
                panels: g.outputPanels, into: layers[index].weights.base)
        }
    }

    /// Runs a convolution that has been described for direct sums; `flipped` turns the kernel by 180 degrees where weights are transformed.
    func run(
        _ arguments: inout CKConvolution, by method: ConvolutionMethod, panels: Int, flipped: Bool = false,
        kept: UnsafeMutablePointer<Float>? = nil
    ) {
        takeWeights(&arguments, by: method, panels: panels, flipped: flipped, kept: kept)
        multiply(arguments, by: method, panels: panels)
    }

    /// Weights that were transformed when the network was made.
    func keptWeights(_ index: Int) -> UnsafeMutablePointer<Float>? {
        layers[index].weights.count > 0 ? layers[index].weights.base : nil
    }

    /// Gives a convolution its weights as its method's kernels take them.
    ///
    /// - Parameter kept: where they lie if they have been transformed already.
    func takeWeights(
        _ arguments: inout CKConvolution, by method: ConvolutionMethod, panels: Int, flipped: Bool = false,
        kept: UnsafeMutablePointer<Float>? = nil
    ) {
        guard method != .direct, let weights = arguments.weights else { return }
        let target = kept ?? scratch.transformed.base
        if kept == nil {
            transformWeights(
                weights, by: method, channels: arguments.channels, panels: panels, flipped: flipped, into: target)
        }
        arguments.weights = UnsafePointer(target)
        let channels = Int64(arguments.channels)
        arguments.panelStride = method == .winograd ? 16 * 16 * channels : 7 * 16 * (channels / 2)
    }

    /// Lays weights out as a method's kernels take them.
    private func transformWeights(
        _ weights: UnsafePointer<Float>, by method: ConvolutionMethod, channels: Int32, panels: Int,
        flipped: Bool = false, into target: UnsafeMutablePointer<Float>
    ) {
        switch method {
        case .direct: break
        case .winograd:
            inParts(of: panels) { part in
                kernels.winogradWeights(
                    weights, channels, flipped ? 1 : 0, Int32(part.lowerBound), Int32(part.upperBound), target)
            }
        case .strassen:
            inParts(of: panels / 2) { part in
                kernels.strassenWeights(
                    weights, channels, Int32(panels), Int32(part.lowerBound), Int32(part.upperBound), target)
            }
        }
    }

    /// Runs a convolution that has been described and has its weights as its method's kernels take them.
    private func multiply(_ arguments: CKConvolution, by method: ConvolutionMethod, panels: Int) {
        let (height, width) = (Int(arguments.gridHeight), Int(arguments.gridWidth))
        withUnsafePointer(to: arguments) { arguments in
            switch method {
            case .direct: runDirect(arguments, panels: panels)
            case .winograd:
                inRuns(of: images * ((height + 1) / 2) * ((width + 1) / 2)) { tiles, workspace in
                    kernels.winograd(
                        arguments, Int64(tiles.lowerBound), Int64(tiles.upperBound), 0, Int32(panels), workspace)
                }
            case .strassen:
                inRuns(of: images * ((height * width + 1) / 2)) { pairs, workspace in
                    kernels.strassen(arguments, Int64(pairs.lowerBound), Int64(pairs.upperBound), workspace)
                }
            }
        }
    }

    /// Cuts the grid into runs of pixels, and the panels where those are too few: eight tiles of the widest kernel, or the rows that
    /// a depthwise kernel takes at a time.
    private func runDirect(_ convolution: UnsafePointer<CKConvolution>, panels: Int) {
        let arguments = convolution.pointee
        let pixels = images * Int(arguments.gridHeight * arguments.gridWidth)
        let unit = arguments.channels == 0 ? 4 * Int(arguments.gridWidth) : 96
        let wanted = pool.threads * 4
        let runs = min((pixels + unit - 1) / unit, wanted * 4)
        let length = ((pixels + unit - 1) / unit + runs - 1) / runs * unit
        let pixelParts = (pixels + length - 1) / length
        let panelParts = pixelParts >= wanted ? 1 : min((panels + 1) / 2, (wanted + pixelParts - 1) / pixelParts)
        let panelWidth = ((panels + panelParts - 1) / panelParts + 1) / 2 * 2
        pool.run(pixelParts * panelParts) { task, _ in
            let first = task / panelParts * length
            let panel = task % panelParts * panelWidth
            guard panel < panels else { return }
            kernels.convolution(
                convolution, Int64(first), Int64(min(pixels, first + length)), Int32(panel),
                Int32(min(panels, panel + panelWidth)))
        }
    }

    /// Cuts pixels, tiles or pairs into runs of a multiple of 12, which every kernel's rows divide.
    func inRuns(
        of count: Int, _ body: (_ run: Range<Int>, _ workspace: UnsafeMutablePointer<Float>) -> Void
    ) {
        let unit = 12
        let runs = min((count + unit - 1) / unit, pool.threads * 16)
        let length = ((count + unit - 1) / unit + runs - 1) / runs * unit
        pool.run((count + length - 1) / length) { task, worker in
            body(task * length..<min(count, (task + 1) * length), scratch.worker[worker].base)
        }
    }
}

extension ConvolutionGeometry {
    /// Numbers that a kernel sums per tap; 0 for depthwise, a whole kernel row for the first layer.
    var chain: Int32 { isDepthwise ? 0 : Int32(readsImage ? kernel * inputChannels : blockInputs) }
}
