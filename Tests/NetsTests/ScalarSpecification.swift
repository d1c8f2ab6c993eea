import Foundation

@testable import Nets

/// docs/numerics.md, literally: one number at a time, in the order that the page gives, over plain arrays without padding.
///
/// It knows the graph but none of the engine's layouts, tiles, threads or memory.
struct ScalarSpecification {
    /// `[image][pixel][channel]`, flat.
    typealias Tensor = [Float]

    let graph: Graph
    let batch: Int
    let grains: Int
    /// Parameters and statistics in PyTorch's order, by index.
    var parameters: [[Float]]
    var statistics: [[Float]]
    var gradients: [[Float]]
    private var values: [Tensor]
    private var valueGradients: [Tensor?]
    private var normalisations: [Int: (mean: [Float], inverse: [Float], scale: [Float], shift: [Float])] = [:]
    private var winners: [Int: [Int]] = [:]

    init(graph: Graph, batch: Int, grains: Int, weights: Weights, image: Tensor) {
        self.graph = graph
        self.batch = batch
        self.grains = min(grains, batch)
        parameters = graph.parameters.entries.map { graph.parameters.values(of: $0, in: weights.parameters) }
        statistics = graph.statistics.entries.map { graph.statistics.values(of: $0, in: weights.statistics) }
        gradients = parameters.map { [Float](repeating: 0, count: $0.count) }
        values = [Tensor](repeating: [], count: graph.shapes.count)
        valueGradients = [Tensor?](repeating: nil, count: graph.shapes.count)
        values[0] = image
    }

    var logits: [Float] { values[graph.output] }

    // MARK: Batch sums

    func grain(_ g: Int) -> Range<Int> { g * batch / grains..<(g + 1) * batch / grains }

    /// tree(lo, hi) = tree(lo, middle) + tree(middle, hi), with the largest power of two below the count on the left.
    func tree<Number: FloatingPoint>(_ sums: ArraySlice<Number>) -> Number {
        guard sums.count > 1 else { return sums.first ?? 0 }
        var left = 1
        while left * 2 < sums.count { left *= 2 }
        let middle = sums.startIndex + left
        return tree(sums[..<middle]) + tree(sums[middle...])
    }

    func batchSum<Number: FloatingPoint>(_ chain: (Range<Int>) -> Number) -> Number {
        tree((0..<grains).map { chain(grain($0)) }[...])
    }

    // MARK: Functions

    static func exp(_ input: Float) -> Float {
        let x: Float = input > 88 ? 88 : -87 > input ? -87 : input
        let n = fma(x, 1.44269504 as Float, 12582912) - 12582912
        var r = fma(n, -0.693359375 as Float, x)
        r = fma(n, 2.12194440e-4 as Float, r)
        var p: Float = 0.0013814539
        for coefficient in [0.008368745, 0.04166839, 0.16666521, 0.49999994, 1, 1] as [Float] {
            p = fma(p, r, coefficient)
        }
        return Float(bitPattern: UInt32(bitPattern: Int32(bitPattern: p.bitPattern) &+ Int32(n) << 23))
    }

    static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

    static func activated(_ z: Float, _ kind: Graph.Activation) -> Float {
        switch kind {
        case .identity: z
        case .relu: z <= 0 ? 0 : z
        case .swish: z / (1 + exp(-z))
        case .sigmoid: sigmoid(z)
        }
    }

    static func activationGradient(_ z: Float, _ dy: Float, _ kind: Graph.Activation) -> Float {
        switch kind {
        case .identity: return dy
        case .relu: return z <= 0 ? 0 : dy
        case .swish:
            let s = sigmoid(z)
            return dy * (s * fma(z, 1 - s, 1))
        case .sigmoid:
            let s = sigmoid(z)
            return dy * (s * (1 - s))
        }
    }

    // MARK: Forward

    mutating func forward() {
        for (index, node) in graph.nodes.enumerated() {
            let input = graph.shapes[node.inputs[0]]
            let output = graph.shapes[node.output]
            let x = values[node.inputs[0]]
            var y = Tensor(repeating: 0, count: batch * output.pixels * output.channels)
            func forEachPixel(_ body: (_ image: Int, _ row: Int, _ column: Int, _ at: Int) -> Void) {
                for image in 0..<batch {
                    for pixel in 0..<output.pixels {
                        body(
                            image, pixel / output.width, pixel % output.width,
                            (image * output.pixels + pixel) * output.channels)
                    }
                }
            }
            switch node.operation {
            case .convolution(let convolution):
                let g = convolution.geometry
                let weights = parameters[convolution.weight]
                if convolution.method == .strassen {
                    let product = StrassenSpecification(
                        weights: weights, inputs: input.channels, outputs: output.channels)
                    y = (0..<batch).flatMap { image in
                        product.multiply(
                            (0..<output.pixels).map { pixel in
                                let at = (pixel / output.width * g.stride, pixel % output.width * g.stride)
                                return (0..<input.channels).map { padded(x, input, image, at.0, at.1, $0) }
                            }
                        ).flatMap(\.self)
                    }
                    if let bias = convolution.bias {
                        for i in y.indices { y[i] += parameters[bias][i % output.channels] }
                    }
                    break
                }
                if convolution.method == .winograd {
                    y = WinogradSpecification(
                        batch: batch, weights: weights, inputs: input.channels, outputs: output.channels
                    )
                    .convolve(x, height: output.height, width: output.width)
                    if let bias = convolution.bias {
                        for i in y.indices { y[i] += parameters[bias][i % output.channels] }
                    }
                    break
                }
                forEachPixel { image, row, column, at in
                    for o in 0..<output.channels {
                        var sum: Float = 0
                        for tap in 0..<g.taps {
                            for i in 0..<g.groupInputs {
                                let value = padded(
                                    x, input, image, row * g.stride + tap / g.kernel - g.paddingBefore,
                                    column * g.stride + tap % g.kernel - g.paddingBefore,
                                    o / g.groupOutputs * g.groupInputs + i)
                                sum = fma(value, weights[(o * g.groupInputs + i) * g.taps + tap], sum)
                            }
                        }
                        y[at + o] = convolution.bias.map { sum + parameters[$0][o] } ?? sum
                    }
                }
            case .batchNorm(let norm, let kind):
                let n = batchStatistics(x, output, norm)
                normalisations[index] = n
                for i in y.indices {
                    let c = i % output.channels
                    y[i] = Self.activated(fma(x[i], n.scale[c], n.shift[c]), kind)
                }
            case .activation(let kind):
                for i in y.indices { y[i] = Self.activated(x[i], kind) }
            case .add(let kind):
                let b = values[node.inputs[1]]
                for i in y.indices { y[i] = Self.activated(x[i] + b[i], kind) }
            case .maxPool(let kernel, let stride, let padding):
                var won = [Int](repeating: 0, count: y.count)
                forEachPixel { image, row, column, at in
                    for c in 0..<output.channels {
                        var best: (value: Float, tap: Int)?
                        for tap in 0..<kernel * kernel {
                            let r = row * stride - padding + tap / kernel
                            let q = column * stride - padding + tap % kernel
                            guard (0..<input.height).contains(r), (0..<input.width).contains(q) else { continue }
                            let value = x[((image * input.height + r) * input.width + q) * input.channels + c]
                            if best.map({ value > $0.value }) ?? true { best = (value, tap) }
                        }
                        y[at + c] = best?.value ?? 0
                        won[at + c] = best?.tap ?? 0
                    }
                }
                winners[index] = won
            case .globalAveragePool:
                for image in 0..<batch {
                    for c in 0..<input.channels {
                        var sum = 0.0
                        for p in 0..<input.pixels { sum += Double(x[(image * input.pixels + p) * input.channels + c]) }
                        y[image * input.channels + c] = Float(sum / Double(input.pixels))
                    }
                }
            case .scale:
                let s = values[node.inputs[1]]
                forEachPixel { image, _, _, at in
                    for c in 0..<output.channels { y[at + c] = x[at + c] * s[image * output.channels + c] }
                }
            case .dropout, .dropConnect:
                y = x
            }
            values[node.output] = y
        }
    }

    private func padded(_ x: Tensor, _ shape: Graph.Shape, _ image: Int, _ row: Int, _ column: Int, _ channel: Int)
        -> Float
    {
        guard (0..<shape.height).contains(row), (0..<shape.width).contains(column) else { return 0 }
        return x[((image * shape.height + row) * shape.width + column) * shape.channels + channel]
    }

    private mutating func batchStatistics(
        _ x: Tensor, _ shape: Graph.Shape, _ norm: BatchNorm
    ) -> (mean: [Float], inverse: [Float], scale: [Float], shift: [Float]) {
        var result: (mean: [Float], inverse: [Float], scale: [Float], shift: [Float]) = ([], [], [], [])
        let count = Double(batch * shape.pixels)
        let momentum = Double(norm.momentum)
        for c in 0..<shape.channels {
            func chain(_ term: (Double) -> Double) -> Double {
                batchSum { images in
                    var sum = 0.0
                    for p in images.lowerBound * shape.pixels..<images.upperBound * shape.pixels {
                        sum += term(Double(x[p * shape.channels + c]))
                    }
                    return sum
                }
            }
            let mean = chain { $0 } / count
            let difference = chain { $0 * $0 } / count - mean * mean
            let variance = difference < 0 ? 0 : difference
            let inverse = 1 / (variance + Double(norm.epsilon)).squareRoot()
            let scale = Double(parameters[norm.weight][c]) * inverse
            result.mean.append(Float(mean))
            result.inverse.append(Float(inverse))
            result.scale.append(Float(scale))
            result.shift.append(Float(Double(parameters[norm.bias][c]) - mean * scale))
            let unbiased = variance * (count / max(1, count - 1))
            statistics[norm.runningMean][c] = Float(
                (1 - momentum) * Double(statistics[norm.runningMean][c]) + momentum * mean)
            statistics[norm.runningVariance][c] = Float(
                (1 - momentum) * Double(statistics[norm.runningVariance][c]) + momentum * unbiased)
        }
        return result
    }

    // MARK: Backward

    /// Adds to what later readers of a value have left, or is the first.
    private mutating func give(_ gradient: Tensor, to value: Graph.Value) {
        if let old = valueGradients[value] {
            valueGradients[value] = zip(old, gradient).map { $0 + $1 }
        } else {
            valueGradients[value] = gradient
        }
    }

    mutating func backward(logitsGradient: [Float]) {
        valueGradients[graph.output] = logitsGradient
        for (index, node) in graph.nodes.enumerated().reversed() {
            guard let dy = valueGradients[node.output] else { continue }
            let input = graph.shapes[node.inputs[0]]
            let output = graph.shapes[node.output]
            let x = values[node.inputs[0]]
            switch node.operation {
            case .convolution(let convolution): convolutionBackward(convolution, node, input, output, x, dy)
            case .batchNorm(let norm, let kind): normBackward(index, norm, kind, node, output, x, dy)
            case .activation(let kind):
                give(zip(x, dy).map { Self.activationGradient($0, $1, kind) }, to: node.inputs[0])
            case .add(let kind):
                let dz = zip(values[node.output], dy).map { Self.activationGradient($0, $1, kind) }
                give(dz, to: node.inputs[1])
                give(dz, to: node.inputs[0])
            case .maxPool(let kernel, let stride, let padding):
                let won = winners[index] ?? []
                var dx = Tensor(repeating: 0, count: x.count)
                for o in dy.indices {
                    let (pixel, c) = (o / output.channels, o % output.channels)
                    let (image, row, column) = (
                        pixel / output.pixels, pixel % output.pixels / output.width, pixel % output.width
                    )
                    let r = row * stride - padding + won[o] / kernel
                    let q = column * stride - padding + won[o] % kernel
                    dx[((image * input.height + r) * input.width + q) * input.channels + c] += dy[o]
                }
                give(dx, to: node.inputs[0])
            case .globalAveragePool:
                var dx = Tensor(repeating: 0, count: x.count)
                for i in dx.indices {
                    let image = i / (input.pixels * input.channels)
                    dx[i] = dy[image * input.channels + i % input.channels] / Float(input.pixels)
                }
                give(dx, to: node.inputs[0])
            case .scale:
                let s = values[node.inputs[1]]
                var sums = [Double](repeating: 0, count: s.count)
                var dx = dy
                for i in dy.indices {
                    let factor = i / (output.pixels * output.channels) * output.channels + i % output.channels
                    sums[factor] += Double(x[i] * dy[i])
                    dx[i] = dy[i] * s[factor]
                }
                give(sums.map { Float($0) }, to: node.inputs[1])
                give(dx, to: node.inputs[0])
            case .dropout, .dropConnect:
                give(dy, to: node.inputs[0])
            }
        }
    }

    private mutating func convolutionBackward(
        _ convolution: Convolution, _ node: Graph.Node, _ input: Graph.Shape, _ output: Graph.Shape, _ x: Tensor,
        _ dy: Tensor
    ) {
        let g = convolution.geometry
        if let bias = convolution.bias {
            for o in 0..<output.channels {
                let sum: Double = batchSum { images in
                    var sum = 0.0
                    for p in images.lowerBound * output.pixels..<images.upperBound * output.pixels {
                        sum += Double(dy[p * output.channels + o])
                    }
                    return sum
                }
                gradients[bias][o] = Float(sum)
            }
        }
        if convolution.method == .winograd {
            let winograd = WinogradSpecification(
                batch: batch, weights: parameters[convolution.weight], inputs: input.channels, outputs: output.channels)
            gradients[convolution.weight] = winograd.weightGradient(x, dy, height: input.height, width: input.width) {
                batchSum($0)
            }
            give(winograd.turned.convolve(dy, height: input.height, width: input.width), to: node.inputs[0])
            return
        }
        for o in 0..<output.channels {
            for i in 0..<g.groupInputs {
                for tap in 0..<g.taps {
                    gradients[convolution.weight][(o * g.groupInputs + i) * g.taps + tap] = batchSum { images in
                        var sum: Float = 0
                        for p in images.lowerBound * output.pixels..<images.upperBound * output.pixels {
                            let (row, column) = (p % output.pixels / output.width, p % output.width)
                            let value = padded(
                                x, input, p / output.pixels, row * g.stride + tap / g.kernel - g.paddingBefore,
                                column * g.stride + tap % g.kernel - g.paddingBefore,
                                o / g.groupOutputs * g.groupInputs + i)
                            sum = fma(value, dy[p * output.channels + o], sum)
                        }
                        return sum
                    }
                }
            }
        }
        guard node.inputs[0] != 0 else { return }
        let weights = parameters[convolution.weight]
        var dx = Tensor(repeating: 0, count: x.count)
        if convolution.method == .strassen {
            let product = StrassenSpecification(weights: weights, inputs: input.channels, outputs: output.channels)
                .transposed
            for image in 0..<batch {
                let pixels = (0..<output.pixels).map { pixel in
                    (0..<output.channels).map { dy[(image * output.pixels + pixel) * output.channels + $0] }
                }
                for (pixel, values) in product.multiply(pixels).enumerated() {
                    let (row, column) = (pixel / output.width * g.stride, pixel % output.width * g.stride)
                    let at = ((image * input.height + row) * input.width + column) * input.channels
                    dx.replaceSubrange(at..<at + input.channels, with: values)
                }
            }
            give(dx, to: node.inputs[0])
            return
        }
        for at in dx.indices {
            let (pixel, i) = (at / input.channels, at % input.channels)
            let (image, row, column) = (pixel / input.pixels, pixel % input.pixels / input.width, pixel % input.width)
            let group = i / g.groupInputs
            var sum: Float = 0
            for tap in (0..<g.taps).reversed() {
                let (r, q) = (row + g.paddingBefore - tap / g.kernel, column + g.paddingBefore - tap % g.kernel)
                guard r % g.stride == 0, q % g.stride == 0 else { continue }
                for o in group * g.groupOutputs..<(group + 1) * g.groupOutputs {
                    let value = padded(dy, output, image, r / g.stride, q / g.stride, o)
                    sum = fma(value, weights[(o * g.groupInputs + i % g.groupInputs) * g.taps + tap], sum)
                }
            }
            dx[at] = sum
        }
        give(dx, to: node.inputs[0])
    }

    private mutating func normBackward(
        _ index: Int, _ norm: BatchNorm, _ kind: Graph.Activation, _ node: Graph.Node, _ shape: Graph.Shape,
        _ x: Tensor,
        _ dy: Tensor
    ) {
        guard let n = normalisations[index] else { return }
        let count = Double(batch * shape.pixels)
        var dz = dy
        for i in dz.indices {
            let c = i % shape.channels
            dz[i] = Self.activationGradient(fma(x[i], n.scale[c], n.shift[c]), dy[i], kind)
        }
        var dx = dz
        for c in 0..<shape.channels {
            func chain(_ term: (Int) -> Float) -> Double {
                batchSum { images in
                    var sum = 0.0
                    for p in images.lowerBound * shape.pixels..<images.upperBound * shape.pixels {
                        sum += Double(term(p * shape.channels + c))
                    }
                    return sum
                }
            }
            let sum = chain { dz[$0] }
            let products = chain { dz[$0] * (x[$0] - n.mean[c]) } * Double(n.inverse[c])
            gradients[norm.bias][c] = Float(sum)
            gradients[norm.weight][c] = Float(products)
            let slope = Double(n.inverse[c]) * products / count
            let offset = Float(sum / count - Double(n.mean[c]) * slope)
            for p in 0..<batch * shape.pixels {
                let i = p * shape.channels + c
                dx[i] = n.scale[c] * (dz[i] - fma(x[i], Float(slope), offset))
            }
        }
        give(dx, to: node.inputs[0])
    }
}
