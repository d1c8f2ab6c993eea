import CKernels

/// What a convolution multiplies and in which order it adds; docs/numerics.md specifies each.
enum ConvolutionMethod {
    /// One chain per output.
    case direct
    /// Winograd's F(2x2, 3x3): tiles of 2 x 2 outputs of 3x3 convolutions that keep the map's size.
    case winograd
    /// Strassen's seven products of halves: 1x1 convolutions, forward and back to the input.
    case strassen
}

/// The sizes of a square convolution and how its weights lie in memory.
///
/// Weights are kept as `[output panel][tap][input channel of the block][16 output channels]`. A block is what a panel's
/// outputs sum over: all input channels, or the group's. Groups of 4 and 8 channels are widened to blocks of 16 with
/// zeros in between. Depthwise weights are `[panel][tap][16]`.
struct ConvolutionGeometry: Equatable {
    let kernel: Int
    let stride: Int
    let paddingBefore: Int
    let paddingAfter: Int
    let inputChannels: Int
    let outputChannels: Int
    let groups: Int
    /// The first layer: it reads the image, 3 floats a pixel, stored with its border, so a kernel row is one run.
    let readsImage: Bool

    init(
        kernel: Int, stride: Int, paddingBefore: Int, paddingAfter: Int, inputChannels: Int, outputChannels: Int,
        groups: Int, readsImage: Bool
    ) {
        let group = inputChannels / groups
        precondition(
            groups == 1 || (inputChannels == outputChannels && ([1, 4, 8].contains(group) || group % 16 == 0)),
            "groups need as many outputs as inputs and 1, 4, 8 or a multiple of 16 channels each")
        precondition(
            groups == 1 || ![4, 8].contains(group) || kernel == 3, "groups of 4 and 8 channels need a kernel of 3 x 3")
        precondition(
            groups == 1 || group != 1 || (kernel <= 5 && stride <= 2),
            "depthwise kernels have up to 5 x 5 taps and steps of 1 or 2")
        self.kernel = kernel
        self.stride = stride
        self.paddingBefore = paddingBefore
        self.paddingAfter = paddingAfter
        self.inputChannels = inputChannels
        self.outputChannels = outputChannels
        self.groups = groups
        self.readsImage = readsImage
    }

    func outputSize(_ input: Int) -> Int { (input + paddingBefore + paddingAfter - kernel) / stride + 1 }

    var isDepthwise: Bool { groups > 1 && groups == inputChannels }
    var taps: Int { kernel * kernel }
    var groupInputs: Int { inputChannels / groups }
    var groupOutputs: Int { outputChannels / groups }
    /// Numbers that one output sums over, in PyTorch's sense.
    var fanIn: Int { groupInputs * taps }

    /// Input channels per block; 1 for depthwise.
    var blockInputs: Int { isDepthwise ? 1 : groups == 1 ? inputChannels : max(16, groupInputs) }
    /// Output channels per block; the sums of a data gradient run over these.
    var blockOutputs: Int { isDepthwise ? 1 : groups == 1 ? outputChannels : max(16, groupOutputs) }
    var outputPanels: Int { paddedChannels(outputChannels) / 16 }
    var inputPanels: Int { paddedChannels(inputChannels) / 16 }
    /// Panels that read the same block, forward.
    var panelsPerBlock: Int { groups == 1 || isDepthwise ? outputPanels : blockOutputs / 16 }
    /// Floats from one output panel to the next.
    var panelStride: Int { taps * blockInputs * 16 }
    var weightCount: Int { outputPanels * panelStride }
    /// Whether each output pixel is a function of the input pixel at its place alone.
    var isPointwise: Bool { kernel == 1 && stride == 1 && paddingBefore == 0 && paddingAfter == 0 && groups == 1 }
    /// Whether a panel of the output reads its own panel of the input and no other.
    var keepsPanelsApart: Bool { isDepthwise || hasWidenedGroups }
    /// Groups narrower than a panel share one with others: their blocks hold zeros off the diagonal.
    var hasWidenedGroups: Bool { groups > 1 && !isDepthwise && groupInputs < 16 }

    /// Which products are summed: a rule of the layer alone, never of the batch. Faster methods need maps and channels that are large
    /// enough for their transforms to pay.
    func method(on input: Graph.Shape) -> ConvolutionMethod {
        guard groups == 1, !readsImage else { return .direct }
        let channels = min(inputChannels, outputChannels)
        if kernel == 3 && stride == 1 && paddingBefore == 1 && paddingAfter == 1 {
            return channels >= 32 && min(input.height, input.width) >= 8 ? .winograd : .direct
        }
        let pixels = outputSize(input.height) * outputSize(input.width)
        guard kernel == 1 && paddingBefore == 0 && paddingAfter == 0 && pixels >= 196 else { return .direct }
        return channels >= 256 && inputChannels % 32 == 0 && outputChannels % 32 == 0 ? .strassen : .direct
    }

    /// Where the first weight of an output lies: its group's first input at tap 0. Input i of the group at tap t follows
    /// `(t * blockInputs + i) * 16` later.
    func weightIndex(output: Int) -> Int {
        let panel = output / 16
        guard groups > 1 && !isDepthwise else { return panel * panelStride + output % 16 }
        let firstInput = output / groupOutputs * groupInputs - panel / panelsPerBlock * blockInputs
        return panel * panelStride + firstInput * 16 + output % 16
    }
}
