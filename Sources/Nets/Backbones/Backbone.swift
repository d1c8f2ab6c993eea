/// One of the three convolutional networks that the solution trains; the raw value is its name in recipes, paths and options.
public enum Backbone: String, CaseIterable, Sendable, Codable {
    /// ResNet-34 (He et al. 2015), as torchvision has it.
    case resnet34
    /// SE-ResNeXt-50 32x4d (Hu et al. 2017), as pretrainedmodels has it.
    case seResNeXt50 = "se_resnext50_32x4d"
    /// EfficientNet-B3 (Tan and Le 2019), as efficientnet_pytorch has it.
    case efficientNetB3 = "efficientnet-b3"

    /// The number of outputs: the six types.
    public static let outputs = 6

    /// The name of the last layer, which is replaced when ImageNet weights are loaded.
    var lastLayer: String { self == .efficientNetB3 ? "_fc" : "last_linear" }

    /// The network for square images of `size` pixels and 3 channels; logits are its last value.
    ///
    /// - Parameters:
    ///   - training: with dropout and drop-connect; weights are the same without.
    ///   - batchNormMomentum: replaces the backbone's own, in PyTorch's sense.
    func graph(size: Int, training: Bool = true, batchNormMomentum: Float? = nil) -> Graph {
        var graph = Graph(input: Graph.Shape(height: size, width: size, channels: 3), training: training)
        switch self {
        case .resnet34: graph.buildResNet34(momentum: batchNormMomentum ?? 0.1)
        case .seResNeXt50: graph.buildSEResNeXt50(momentum: batchNormMomentum ?? 0.1)
        case .efficientNetB3: graph.buildEfficientNetB3(momentum: batchNormMomentum ?? 0.01)
        }
        return graph
    }
}
