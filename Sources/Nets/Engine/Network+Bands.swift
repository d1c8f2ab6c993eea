import CKernels

/// Convolutions whose input is streamed: a task makes a band of it and lets the convolution read it while it is in the cache.
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
            schedule.fusions.streamed(graph.nodes[index].inputs[0])?.convolution != nil,
            case .globalAveragePool = graph.nodes[fusion.last + 1].operation
        else { return false }
        return graph.nodes[fusion.last + 1].inputs == [fusion.output]
    }

    // MARK: A 1x1 convolution before one that keeps panels apart

    /// Runs the convolution `source` and the one that reads it, band by band.
    ///
    /// A task takes some panels of an image from its first row to its last, so that the rows that two bands share are made once, and
    /// sums over its pixels are one chain.
    private func convolve(_ index: Int, afterConvolution source: Int) {
        let geometry = graph.nodes[index].convolution.geometry
        let input = graph.shapes[graph.nodes[source].output]
        let output = graph.shapes[graph.nodes[index].output]
        let bands = Bands(geometry, input: input)
        let parts = (geometry.outputPanels + bands.panels - 1) / bands.panels
        let sums = sumsPixels(index) ? scratch.doubles : nil
        layers[source].taps.withUnsafeBufferPointer { sourceTaps in
            layers[index].taps.withUnsafeBufferPointer { taps in
                var (writer, reader) = (describeForward(source, sourceTaps), describeForward(index, taps))
                (writer.outputImageStride, reader.inputImageStride) = (0, 0)
                (writer.outputRowStride, reader.inputRowStride) = (Int64(bands.rowStride), Int64(bands.rowStride))
                writer.outputPixelStride = Int64(bands.pixelStride)
                reader.inputPixelStride = Int64(bands.pixelStride)
                writer.bypassesCache = 0
                if sums != nil { reader.bypassesCache = 0 }
                let map = describe(absorbed(by: index)?.output ?? graph.nodes[index].output)
                pool.run(images * parts) { [writer, reader] task, worker in
                    var (writer, reader, map) = (writer, reader, map)
                    let image = task / parts
                    let panel = task % parts * bands.panels
                    let panels = panel..<min(geometry.outputPanels, panel + bands.panels)
                    let band = scratch.worker[worker].base
                    // Rows of the input that lie in the band.
                    var held = 0..<0
                    for row in stride(from: 0, to: output.height, by: bands.rows) {
                        let rows = row..<min(output.height, row + bands.rows)
                        let wanted = bands.inputRows(of: rows)
                        let kept = wanted.clamped(to: held)
                        band.update(
                            from: band + (kept.lowerBound - held.lowerBound) * bands.rowStride,
                            count: kept.count * bands.rowStride)
                        // Where the image's first row and first panel would lie.
                        let origin = band - wanted.lowerBound * bands.rowStride - panel * 16
                        (writer.output, reader.input) = (origin, UnsafePointer(origin))
                        let missing = max(wanted.lowerBound, held.upperBound)..<wanted.upperBound
                        convolve(&writer, input.pixels(image, rows: missing), panels)
                        convolve(&reader, output.pixels(image, rows: rows), panels)
                        held = wanted
                        guard let sums else { continue }
                        let made = output.pixels(image, rows: rows)
                        kernels.averageSums(
                            &map, Int64(made.lowerBound), Int64(made.upperBound), Int64(16 * panels.lowerBound),
                            Int64(16 * panels.upperBound), sums + image * output.stride)
                    }
                }
            }
        }
    }

    private func convolve(_ arguments: inout CKConvolution, _ pixels: Range<Int>, _ panels: Range<Int>) {
        kernels.convolution(
            &arguments, Int64(pixels.lowerBound), Int64(pixels.upperBound), Int32(panels.lowerBound),
            Int32(panels.upperBound))
    }

    // MARK: A fusion's pass before a 1x1 convolution

    private func convolve(_ index: Int, afterPass fusion: Fusion) {
        let convolution = graph.nodes[index].convolution
        let shape = graph.shapes[fusion.output]
        let run = Bands.run(shape)
        let panels = convolution.geometry.outputPanels
        // What Strassen's products count is pairs of pixels.
        let pixelsEach = convolution.method == .strassen ? 2 : 1
        layers[index].taps.withUnsafeBufferPointer { taps in
            var reader = describeForward(index, taps)
            takeWeights(&reader, by: convolution.method, panels: panels, kept: keptWeights(index))
            let pass = describe(fusion)
            reader.prefetchBase = pass.x + run * shape.stride
            inRuns(of: images * shape.pixels / pixelsEach) { [reader] units, workspace in
                var (reader, pass) = (reader, pass)
                for first in stride(from: units.lowerBound, to: units.upperBound, by: run / pixelsEach) {
                    let end = min(units.upperBound, first + run / pixelsEach)
                    // Where the batch's first pixel would lie.
                    let origin = workspace + convolution.productWorkspace - first * pixelsEach * shape.stride
                    (pass.y, reader.input) = (origin, UnsafePointer(origin))
                    kernels.fuse(&pass, Int64(first * pixelsEach), Int64(end * pixelsEach))
                    if convolution.method == .strassen {
                        kernels.strassen(&reader, Int64(first), Int64(end), workspace)
                    } else {
                        convolve(&reader, first..<end, 0..<panels)
                    }
                }
            }
        }
    }
}

extension Graph.Shape {
    /// The pixels of some rows of an image, counted over the batch.
    fileprivate func pixels(_ image: Int, rows: Range<Int>) -> Range<Int> {
        (image * height + rows.lowerBound) * width..<(image * height + rows.upperBound) * width
    }
}

extension Bands {
    /// Floats that a worker needs for a convolution whose input is streamed.
    static func workspace(_ convolution: Convolution, input: Graph.Shape) -> Int {
        guard convolution.geometry.isPointwise else { return Bands(convolution.geometry, input: input).count }
        return convolution.productWorkspace + run(input) * input.stride
    }
}
