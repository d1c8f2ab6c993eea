extension Graph {
    /// ResNet-34 as in torchvision (He et al. 2015, https://arxiv.org/abs/1512.03385), with a last layer of six outputs.
    mutating func buildResNet34(momentum: Float) {
        var x = convolution("conv1", 0, outputChannels: 64, kernel: 7, stride: 2, padding: (3, 3))
        x = batchNorm("bn1", x, activation: .relu, momentum: momentum)
        x = maxPool(x, kernel: 3, stride: 2, padding: 1)
        for (stage, blocks) in [3, 4, 6, 3].enumerated() {
            for block in 0..<blocks {
                let stride = stage > 0 && block == 0 ? 2 : 1
                x = basicBlock(
                    "layer\(stage + 1).\(block)", x, channels: 64 << stage, stride: stride, momentum: momentum)
            }
        }
        _ = linear("last_linear", globalAveragePool(x), outputs: Backbone.outputs)
    }

    /// Two 3x3 convolutions around which the input is added, projected where the shape changes.
    private mutating func basicBlock(_ name: String, _ x: Value, channels: Int, stride: Int, momentum: Float) -> Value {
        var y = convolution("\(name).conv1", x, outputChannels: channels, kernel: 3, stride: stride, padding: (1, 1))
        y = batchNorm("\(name).bn1", y, activation: .relu, momentum: momentum)
        y = convolution("\(name).conv2", y, outputChannels: channels, kernel: 3, padding: (1, 1))
        y = batchNorm("\(name).bn2", y, activation: .identity, momentum: momentum, startsAtZero: true)
        var shortcut = x
        if stride != 1 || shapes[x].channels != channels {
            shortcut = convolution("\(name).downsample.0", x, outputChannels: channels, stride: stride)
            shortcut = batchNorm("\(name).downsample.1", shortcut, activation: .identity, momentum: momentum)
        }
        return add(y, shortcut, activation: .relu)
    }
}
