extension Graph {
    /// EfficientNet-B3 as in `efficientnet-pytorch` 0.5.1 (Tan and Le 2019, https://arxiv.org/abs/1905.11946).
    ///
    /// Widths are B0's times 1.2 rounded to multiples of 8, depths B0's times 1.4 rounded up. The package computes its
    /// "same" padding for a 300 pixel image at every layer, whatever the layer's input: see `padding(kernel:stride:)`.
    mutating func buildEfficientNetB3(momentum: Float) {
        let dropConnectRate: Float = 0.2
        // kernel, stride, expansion, output channels, blocks
        let stages = [
            (3, 1, 1, 24, 2), (3, 2, 6, 32, 3), (5, 2, 6, 48, 3), (3, 2, 6, 96, 5), (5, 1, 6, 136, 5),
            (5, 2, 6, 232, 6),
            (3, 1, 6, 384, 2),
        ]
        let blocks = stages.map(\.4).reduce(0, +)
        var x = convolution(
            "_conv_stem", 0, outputChannels: 40, kernel: 3, stride: 2, padding: padding(kernel: 3, stride: 2))
        x = batchNorm("_bn0", x, activation: .swish, epsilon: 1e-3, momentum: momentum)
        var index = 0
        for (kernel, stride, expansion, channels, repeats) in stages {
            for block in 0..<repeats {
                x = mobileBlock(
                    index, x, kernel: kernel, stride: block == 0 ? stride : 1, expansion: expansion, channels: channels,
                    dropConnect: dropConnectRate * Float(index) / Float(blocks), momentum: momentum)
                index += 1
            }
        }
        x = convolution("_conv_head", x, outputChannels: 1536)
        x = batchNorm("_bn1", x, activation: .swish, epsilon: 1e-3, momentum: momentum)
        x = dropout(globalAveragePool(x), probability: 0.3)
        _ = linear("_fc", x, outputs: Backbone.outputs)
    }

    /// Expand, depthwise convolution, squeeze-excite, project; the input is added where the shape stays.
    private mutating func mobileBlock(
        _ index: Int, _ x: Value, kernel: Int, stride: Int, expansion: Int, channels: Int,
        dropConnect probability: Float,
        momentum: Float
    ) -> Value {
        let name = "_blocks.\(index)"
        let inputs = shapes[x].channels
        let expanded = inputs * expansion
        var y = x
        if expansion != 1 {
            y = convolution("\(name)._expand_conv", y, outputChannels: expanded)
            y = batchNorm("\(name)._bn0", y, activation: .swish, epsilon: 1e-3, momentum: momentum)
        }
        y = convolution(
            "\(name)._depthwise_conv", y, outputChannels: expanded, kernel: kernel, stride: stride,
            padding: padding(kernel: kernel, stride: stride), groups: expanded)
        y = batchNorm("\(name)._bn1", y, activation: .swish, epsilon: 1e-3, momentum: momentum)
        y = squeezeExcite(
            y, reduce: "\(name)._se_reduce", expand: "\(name)._se_expand", squeezed: max(1, inputs / 4),
            activation: .swish)
        y = convolution("\(name)._project_conv", y, outputChannels: channels)
        let isResidual = stride == 1 && inputs == channels
        y = batchNorm(
            "\(name)._bn2", y, activation: .identity, epsilon: 1e-3, momentum: momentum, startsAtZero: isResidual)
        guard isResidual else { return y }
        if probability > 0 { y = dropConnect(y, probability: probability, block: index) }
        return add(y, x, activation: .identity)
    }

    /// TensorFlow's "same" padding of a 300 pixel image: (top and left, bottom and right).
    private func padding(kernel: Int, stride: Int) -> (Int, Int) {
        let size = 300
        let total = max(0, ((size + stride - 1) / stride - 1) * stride + kernel - size)
        return (total / 2, total - total / 2)
    }
}
