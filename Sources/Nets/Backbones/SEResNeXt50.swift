extension Graph {
    /// SE-ResNeXt-50 32x4d as in Cadene's `pretrainedmodels` 0.7.4 (Hu et al. 2017, https://arxiv.org/abs/1709.01507).
    mutating func buildSEResNeXt50(momentum: Float) {
        var x = convolution("layer0.conv1", 0, outputChannels: 64, kernel: 7, stride: 2, padding: (3, 3))
        x = batchNorm("layer0.bn1", x, activation: .relu, momentum: momentum)
        x = maxPool(x, kernel: 3, stride: 2, ceil: true)
        for (stage, blocks) in [3, 4, 6, 3].enumerated() {
            for block in 0..<blocks {
                let stride = stage > 0 && block == 0 ? 2 : 1
                x = bottleneck("layer\(stage + 1).\(block)", x, width: 128 << stage, stride: stride, momentum: momentum)
            }
        }
        _ = linear("last_linear", globalAveragePool(x), outputs: Backbone.outputs)
    }

    /// 1x1, grouped 3x3 with the stride, 1x1 to twice the width, squeeze-excite, then the sum.
    private mutating func bottleneck(_ name: String, _ x: Value, width: Int, stride: Int, momentum: Float) -> Value {
        let channels = width * 2
        var y = convolution("\(name).conv1", x, outputChannels: width)
        y = batchNorm("\(name).bn1", y, activation: .relu, momentum: momentum)
        y = convolution(
            "\(name).conv2", y, outputChannels: width, kernel: 3, stride: stride, padding: (1, 1), groups: 32)
        y = batchNorm("\(name).bn2", y, activation: .relu, momentum: momentum)
        y = convolution("\(name).conv3", y, outputChannels: channels)
        y = batchNorm("\(name).bn3", y, activation: .identity, momentum: momentum, startsAtZero: true)
        y = squeezeExcite(
            y, reduce: "\(name).se_module.fc1", expand: "\(name).se_module.fc2", squeezed: channels / 16,
            activation: .relu)
        var shortcut = x
        if stride != 1 || shapes[x].channels != channels {
            shortcut = convolution("\(name).downsample.0", x, outputChannels: channels, stride: stride)
            shortcut = batchNorm("\(name).downsample.1", shortcut, activation: .identity, momentum: momentum)
        }
        return add(y, shortcut, activation: .relu)
    }

    /// Scales each channel by a factor in 0...1 computed from the averages of all channels.
    mutating func squeezeExcite(
        _ x: Value, reduce: String, expand: String, squeezed: Int, activation kind: Activation
    ) -> Value {
        var factors = convolution(reduce, globalAveragePool(x), outputChannels: squeezed, bias: true)
        factors = activation(kind, factors)
        factors = convolution(expand, factors, outputChannels: shapes[x].channels, bias: true)
        return scale(x, by: activation(.sigmoid, factors))
    }
}
