import CKernels

/// Convolutions whose input passes by: it is made for them a band at a time, and read while it is in the cache.
extension Network {
    /// Runs a convolution of what a fusion makes.
    func convolve(_ index: Int, after fusion: Fusion) {
        if let source = fusion.convolution {
            convolve(index, afterConvolution: source)
        } else {
            convolve(index, afterPass: fusion)
        }
    }

    /// Whether a map's pixels were summed up for its global average while it was made, the step before.
    func hasSummed(_ map: Graph.Value) -> Bool {
        guard let owner = schedule.fusions.producer[map] else { return false }
        return schedule.fusions.all[owner].convolution.map(sumsPixels) ?? false
    }

    /// Whether a convolution sums up what it makes, for a global average that is the next step.
    private func sumsPixels(_ index: Int) -> Bool {
        guard let fusion = absorbed(by: index), fusion.last + 1 < graph.nodes.count,
            schedule.fusions.passing(graph.nodes[index].inputs[0])?.convolution != nil,
            case .globalAveragePool = graph.nodes[fusion.last + 1].operation
        else { return false }
        return graph.nodes[fusion.last + 1].inputs == [fusion.output]
    }

    // MARK: A 1x1 convolution before one of separate channels

    /// Runs the convolution `source` and the one that reads it, band by band.
    ///
    /// A task takes some channels of an image from its first row to its last, so that the rows that two bands share are made once, and
    /// sums over its pixels are one chain.
    private func convolve(_ index: Int, afterConvolution source: Int) {
        let (first, second) = (graph.nodes[source].convolution.geometry, graph.nodes[index].convolution.geometry)
        let input = graph.shapes[graph.nodes[source].output]
        let output = graph.shapes[graph.nodes[index].output]
        let bands = Bands(second, input: input)
        let parts = (second.outputPanels + bands.panels - 1) / bands.panels
        let sums = sumsPixels(index) ? scratch.doubles : nil
        precondition(first.outputPanels == second.inputPanels, "the channels stay apart")
        layers[source].taps.withUnsafeBufferPointer { sourceTaps in
            layers[index].taps.withUnsafeBufferPointer { taps in
                let wide = describeForward(source, sourceTaps)
                var narrow = describeForward(index, taps)
                if sums != nil { narrow.streams = 0 }
                let map = describe(absorbed(by: index)?.output ?? graph.nodes[index].output)
                pool.run(images * parts) { [narrow] task, worker in
                    let image = task / parts
                    let panels =
                        task % parts * bands.panels..<min(second.outputPanels, (task % parts + 1) * bands.panels)
                    var (wide, narrow) = (wide, narrow)
                    (wide.outputPixelStride, wide.outputRowStride) = (Int64(bands.pixelStride), Int64(bands.rowStride))
                    (narrow.inputPixelStride, narrow.inputRowStride) = (
                        Int64(bands.pixelStride), Int64(bands.rowStride)
                    )
                    (wide.outputImageStride, narrow.inputImageStride, wide.streams) = (0, 0, 0)
                    let band = scratch.worker[worker].base
                    // Rows of the input that lie in the band.
                    var held = 0..<0
                    for row in stride(from: 0, to: output.height, by: bands.rows) {
                        let end = min(output.height, row + bands.rows)
                        let wanted =
                            max(
                                0, row * second.stride - second.paddingBefore)..<min(
                                input.height, (end - 1) * second.stride - second.paddingBefore + second.kernel)
                        let kept = wanted.clamped(to: held)
                        band.update(
                            from: band + (kept.lowerBound - held.lowerBound) * bands.rowStride,
                            count: kept.count * bands.rowStride)
                        let origin = band - wanted.lowerBound * bands.rowStride - panels.lowerBound * 16
                        (wide.output, narrow.input) = (origin, UnsafePointer(origin))
                        run(
                            &wide, image, rows: max(wanted.lowerBound, held.upperBound)..<wanted.upperBound,
                            width: input.width, height: input.height, panels)
                        run(&narrow, image, rows: row..<end, width: output.width, height: output.height, panels)
                        held = wanted
                        guard let sums else { continue }
                        withUnsafePointer(to: map) { map in
                            kernels.averageSums(
                                map, Int64(image * output.pixels + row * output.width),
                                Int64(image * output.pixels + end * output.width), Int64(panels.lowerBound * 16),
                                Int64(panels.upperBound * 16), sums + image * output.stride)
                        }
                    }
                }
            }
        }
    }

    private func run(
        _ arguments: inout CKConvolution, _ image: Int, rows: Range<Int>, width: Int, height: Int, _ panels: Range<Int>
    ) {
        kernels.convolution(
            &arguments, Int64((image * height + rows.lowerBound) * width),
            Int64((image * height + rows.upperBound) * width),
            Int32(panels.lowerBound), Int32(panels.upperBound))
    }

    // MARK: A fusion before a 1x1 convolution

    /// Runs a 1x1 convolution of what a fusion's pass makes.
    private func convolve(_ index: Int, afterPass fusion: Fusion) {
        let convolution = graph.nodes[index].convolution
        let shape = graph.shapes[fusion.output]
        let run = Bands(convolution.geometry, input: shape).inputPixels
        let panels = convolution.geometry.outputPanels
        // Strassen's products count pairs of pixels, and need a workspace before the band.
        let pixelsEach = convolution.method == .strassen ? 2 : 1
        let workspaceCount =
            convolution.method == .strassen ? Int(ck_strassen_workspace(convolution.geometry.chain)) : 0
        layers[index].taps.withUnsafeBufferPointer { taps in
            var described = describeForward(index, taps)
            takeWeights(&described, by: convolution.method, panels: panels, kept: keptWeights(index))
            let pass = describe(fusion)
            described.origin = pass.x + run * shape.stride
            inRuns(of: images * shape.pixels / pixelsEach) { [described] units, workspace in
                var (convolution, pass) = (described, pass)
                for first in stride(from: units.lowerBound, to: units.upperBound, by: run / pixelsEach) {
                    let end = min(units.upperBound, first + run / pixelsEach)
                    let band = workspace + workspaceCount - first * pixelsEach * shape.stride
                    (pass.y, convolution.input) = (band, UnsafePointer(band))
                    kernels.fuse(&pass, Int64(first * pixelsEach), Int64(end * pixelsEach))
                    if pixelsEach == 2 {
                        kernels.strassen(&convolution, Int64(first), Int64(end), workspace)
                    } else {
                        kernels.convolution(&convolution, Int64(first), Int64(end), 0, Int32(panels))
                    }
                }
            }
        }
    }
}
