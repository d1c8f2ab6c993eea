/// `--math openblas`: dense and grouped convolutions as matrix products of the library, image by image.
///
/// An independent check of the kernels and a comparison for benchmarks. The order of its sums is the library's own.
extension Network {
    /// y = columns(x) * W, block by block.
    func multiplyForward(_ index: Int, _ convolution: Convolution, _ library: OpenBLAS) {
        let node = graph.nodes[index]
        let g = convolution.geometry
        let output = graph.shapes[node.output]
        let sizes = ProductSizes(g)
        library.setThreads(Int32(pool.threads))
        var columns = [Float](repeating: 0, count: output.pixels * sizes.inner)
        for block in 0..<sizes.blocks {
            let matrix = blockMatrix(parameter(convolution.weight), g, block)
            for image in 0..<images {
                gather(index, g, image: image, block: block, into: &columns)
                library.multiply(
                    OpenBLAS.rowMajor, OpenBLAS.asIs, OpenBLAS.asIs, Int32(output.pixels), Int32(sizes.outer),
                    Int32(sizes.inner), 1, columns, Int32(sizes.inner), matrix, Int32(sizes.outer), 0,
                    value(node.output) + image * output.count + block * sizes.outer, Int32(output.stride))
            }
        }
        guard let bias = convolution.bias else { return }
        addBias(parameter(bias), to: value(node.output), pixels: images * output.pixels, stride: output.stride)
    }

    private func addBias(
        _ bias: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, pixels: Int, stride: Int
    ) {
        kernels.broadcast(bias, y, Int64(pixels), Int64(stride), 1)
    }

    /// dW = columns(x)^T * dy.
    func multiplyWeightGradient(_ index: Int, _ convolution: Convolution, _ library: OpenBLAS) {
        let node = graph.nodes[index]
        let g = convolution.geometry
        let output = graph.shapes[node.output]
        let sizes = ProductSizes(g)
        library.setThreads(Int32(pool.threads))
        var columns = [Float](repeating: 0, count: output.pixels * sizes.inner)
        for block in 0..<sizes.blocks {
            var matrix = [Float](repeating: 0, count: sizes.inner * sizes.outer)
            for image in 0..<images {
                gather(index, g, image: image, block: block, into: &columns)
                library.multiply(
                    OpenBLAS.rowMajor, OpenBLAS.transposed, OpenBLAS.asIs, Int32(sizes.inner), Int32(sizes.outer),
                    Int32(output.pixels), 1, columns, Int32(sizes.inner),
                    gradient(node.output) + image * output.count + block * sizes.outer, Int32(output.stride), 1,
                    &matrix,
                    Int32(sizes.outer))
            }
            store(matrix, into: parameterGradient(convolution.weight), g, block)
        }
        if g.hasWidenedGroups { clearBetweenGroups(parameterGradient(convolution.weight), g) }
    }

    /// Blocks of widened groups hold zeros between the groups, in weights and gradients alike.
    private func clearBetweenGroups(_ weights: UnsafeMutablePointer<Float>, _ g: ConvolutionGeometry) {
        for row in 0..<g.outputPanels * g.taps * 16 {
            let input = row % 16
            for lane in 0..<16 where lane / g.groupOutputs != input / g.groupInputs { weights[row * 16 + lane] = 0 }
        }
    }

    /// dx = scatter(dy * W^T).
    func multiplyDataGradient(_ index: Int, _ convolution: Convolution, _ library: OpenBLAS) {
        let node = graph.nodes[index]
        let g = convolution.geometry
        let output = graph.shapes[node.output]
        let sizes = ProductSizes(g)
        library.setThreads(Int32(pool.threads))
        var columns = [Float](repeating: 0, count: output.pixels * sizes.inner)
        if !schedule.accumulates[index][0] {
            gradient(node.inputs[0]).update(repeating: 0, count: images * graph.shapes[node.inputs[0]].count)
        }
        for block in 0..<sizes.blocks {
            let matrix = blockMatrix(parameter(convolution.weight), g, block)
            for image in 0..<images {
                library.multiply(
                    OpenBLAS.rowMajor, OpenBLAS.asIs, OpenBLAS.transposed, Int32(output.pixels), Int32(sizes.inner),
                    Int32(sizes.outer), 1, gradient(node.output) + image * output.count + block * sizes.outer,
                    Int32(output.stride), matrix, Int32(sizes.outer), 0, &columns, Int32(sizes.inner))
                scatter(index, g, image: image, block: block, from: columns)
            }
        }
    }

    /// A block's product: `outer` outputs (padded), each over `inner` numbers.
    private struct ProductSizes {
        let blocks: Int
        let inner: Int
        let outer: Int

        init(_ g: ConvolutionGeometry) {
            outer = g.panelsPerBlock * 16
            inner = g.taps * g.blockInputs
            blocks = g.outputPanels / g.panelsPerBlock
        }
    }

    /// A block's weights as one matrix `[inner][outer]`.
    private func blockMatrix(_ weights: UnsafePointer<Float>, _ g: ConvolutionGeometry, _ block: Int) -> [Float] {
        let sizes = ProductSizes(g)
        var matrix = [Float](repeating: 0, count: sizes.inner * sizes.outer)
        for panel in 0..<g.panelsPerBlock {
            let source = weights + (block * g.panelsPerBlock + panel) * g.panelStride
            for k in 0..<sizes.inner {
                for lane in 0..<16 { matrix[k * sizes.outer + panel * 16 + lane] = source[k * 16 + lane] }
            }
        }
        return matrix
    }

    private func store(
        _ matrix: [Float], into weights: UnsafeMutablePointer<Float>, _ g: ConvolutionGeometry, _ block: Int
    ) {
        let sizes = ProductSizes(g)
        for panel in 0..<g.panelsPerBlock {
            let target = weights + (block * g.panelsPerBlock + panel) * g.panelStride
            for k in 0..<sizes.inner {
                for lane in 0..<16 { target[k * 16 + lane] = matrix[k * sizes.outer + panel * 16 + lane] }
            }
        }
    }

    /// Calls `body` with where a run of a column lies in the input, for every output pixel and tap that is inside it.
    private func forEachRun(
        _ index: Int, _ g: ConvolutionGeometry, block: Int, _ body: (_ column: Int, _ input: Int, _ length: Int) -> Void
    ) {
        let node = graph.nodes[index]
        let input = graph.shapes[node.inputs[0]]
        let output = graph.shapes[node.output]
        let border = g.readsImage ? g.paddingBefore + g.paddingAfter : 0
        let (height, width) = (input.height + border, input.width + border)
        let pixel = g.readsImage ? 3 : input.stride
        let length = g.readsImage ? g.kernel * 3 : g.blockInputs
        let offset = g.groups == 1 ? 0 : block * g.blockInputs
        let inner = g.taps * g.blockInputs
        for y in 0..<output.height {
            for x in 0..<output.width {
                for tap in layers[index].taps {
                    let (row, column) = (y * g.stride + Int(tap.row), x * g.stride + Int(tap.column))
                    guard (0..<height).contains(row), (0..<width).contains(column) else { continue }
                    body(
                        (y * output.width + x) * inner + Int(tap.weights) / 16, (row * width + column) * pixel + offset,
                        length)
                }
            }
        }
    }

    private func gather(_ index: Int, _ g: ConvolutionGeometry, image: Int, block: Int, into columns: inout [Float]) {
        let input = graph.nodes[index].inputs[0]
        let x =
            g.readsImage
            ? self.image.base + image * Network.imageStride(graph) : value(input) + image * graph.shapes[input].count
        columns.withUnsafeMutableBufferPointer { columns in
            guard let base = columns.baseAddress else { return }
            base.update(repeating: 0, count: columns.count)
            forEachRun(index, g, block: block) { column, input, length in
                (base + column).update(from: x + input, count: length)
            }
        }
    }

    private func scatter(_ index: Int, _ g: ConvolutionGeometry, image: Int, block: Int, from columns: [Float]) {
        let input = graph.nodes[index].inputs[0]
        let dx = gradient(input) + image * graph.shapes[input].count
        forEachRun(index, g, block: block) { column, target, length in
            for i in 0..<length { dx[target + i] += columns[column + i] }
        }
    }
}
