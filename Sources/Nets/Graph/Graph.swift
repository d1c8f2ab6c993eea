import CKernels

/// A network as data: operations in the order in which they run, and the parameters that they use.
///
/// A backbone builds its graph with the methods below; ``Network`` plans memory for it and runs it.
struct Graph {
    /// A tensor of the graph by its index; its shape is per image, the batch comes at run time.
    typealias Value = Int

    /// Height, width and channels of one image's map.
    struct Shape: Equatable {
        var height: Int
        var width: Int
        var channels: Int

        var stride: Int { paddedChannels(channels) }
        var pixels: Int { height * width }
        var count: Int { pixels * stride }
    }

    enum Operation {
        case convolution(Convolution)
        case batchNorm(BatchNorm, Activation)
        case activation(Activation)
        /// a + b, then the activation (identity or ReLU).
        case add(Activation)
        case maxPool(kernel: Int, stride: Int, padding: Int)
        case globalAveragePool
        /// Every channel of the first input times the second input's value for it.
        case scale
        /// Zeroes elements with this probability while training and scales the others up.
        case dropout(Float)
        /// Zeroes whole images with this probability while training and scales the others up; `block` picks the draw.
        case dropConnect(Float, block: Int)
    }

    struct Node {
        var operation: Operation
        var inputs: [Value]
        var output: Value

        /// A convolution node's geometry and parameters.
        var convolution: Convolution {
            guard case .convolution(let convolution) = operation else { preconditionFailure("not a convolution") }
            return convolution
        }
    }

    enum Activation {
        case identity, relu, swish, sigmoid

        var kernel: CKActivation {
            switch self {
            case .identity: CK_IDENTITY
            case .relu: CK_RELU
            case .swish: CK_SWISH
            case .sigmoid: CK_SIGMOID
            }
        }
    }

    /// The input image's shape; value 0.
    let input: Shape
    /// Whether the graph has what only training needs: dropout and drop-connect.
    let training: Bool
    private(set) var shapes: [Shape]
    private(set) var nodes: [Node] = []
    private(set) var parameters = ParameterTable()
    /// Running statistics of the batch norms; not trained.
    private(set) var statistics = ParameterTable()

    init(input: Shape, training: Bool = true) {
        self.input = input
        self.training = training
        shapes = [input]
    }

    /// The logits: the last node's output.
    var output: Value { shapes.count - 1 }

    private mutating func append(_ operation: Operation, _ inputs: [Value], _ shape: Shape) -> Value {
        shapes.append(shape)
        nodes.append(Node(operation: operation, inputs: inputs, output: shapes.count - 1))
        return shapes.count - 1
    }

    // MARK: Building

    /// A convolution with PyTorch's meaning of its words; `padding` is (top and left, bottom and right).
    mutating func convolution(
        _ name: String, _ x: Value, outputChannels: Int, kernel: Int = 1, stride: Int = 1, padding: (Int, Int) = (0, 0),
        groups: Int = 1, bias: Bool = false
    ) -> Value {
        let shape = shapes[x]
        let geometry = ConvolutionGeometry(
            kernel: kernel, stride: stride, paddingBefore: padding.0, paddingAfter: padding.1,
            inputChannels: shape.channels, outputChannels: outputChannels, groups: groups, readsImage: x == 0)
        let weight = parameters.add("\(name).weight", .convolution(geometry))
        let biasIndex =
            bias ? parameters.add("\(name).bias", .vector(outputChannels, .bias(fanIn: geometry.fanIn))) : nil
        let output = Shape(
            height: geometry.outputSize(shape.height), width: geometry.outputSize(shape.width), channels: outputChannels
        )
        let convolution = Convolution(
            geometry: geometry, weight: weight, bias: biasIndex, method: geometry.method(on: shape))
        return append(.convolution(convolution), [x], output)
    }

    /// A fully connected layer on a 1 x 1 map.
    mutating func linear(_ name: String, _ x: Value, outputs: Int) -> Value {
        let value = convolution(name, x, outputChannels: outputs, bias: true)
        parameters.markLinear("\(name).weight")
        return value
    }

    /// Batch normalisation and the activation after it; `momentum` has PyTorch's sense.
    ///
    /// - Parameter startsAtZero: the last norm of a residual branch. Without pretrained weights its scale starts at 0, so that
    ///   every block starts as the identity (Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1). From scratch,
    ///   efficientnet-b3 learns in hundreds of steps with it and hardly at all without.
    mutating func batchNorm(
        _ name: String, _ x: Value, activation: Activation, epsilon: Float = 1e-5, momentum: Float = 0.1,
        startsAtZero: Bool = false
    ) -> Value {
        let channels = shapes[x].channels
        let norm = BatchNorm(
            weight: parameters.add("\(name).weight", .vector(channels, startsAtZero ? .zero : .one)),
            bias: parameters.add("\(name).bias", .vector(channels, .zero)),
            runningMean: statistics.add("\(name).running_mean", .vector(channels, .zero)),
            runningVariance: statistics.add("\(name).running_var", .vector(channels, .one)),
            epsilon: epsilon, momentum: momentum)
        return append(.batchNorm(norm, activation), [x], shapes[x])
    }

    mutating func activation(_ kind: Activation, _ x: Value) -> Value { append(.activation(kind), [x], shapes[x]) }

    mutating func add(_ a: Value, _ b: Value, activation: Activation) -> Value {
        precondition(a != b && shapes[a] == shapes[b], "a sum needs two different maps of one shape")
        return append(.add(activation), [a, b], shapes[a])
    }

    /// Max pooling; `ceil` lets a last window reach over the border, as long as it starts inside.
    mutating func maxPool(_ x: Value, kernel: Int, stride: Int, padding: Int = 0, ceil: Bool = false) -> Value {
        func size(_ input: Int) -> Int {
            let reach = input + 2 * padding - kernel
            var output = (ceil ? reach + stride - 1 : reach) / stride + 1
            if ceil && (output - 1) * stride >= input + padding { output -= 1 }
            return output
        }
        let shape = shapes[x]
        let output = Shape(height: size(shape.height), width: size(shape.width), channels: shape.channels)
        return append(.maxPool(kernel: kernel, stride: stride, padding: padding), [x], output)
    }

    mutating func globalAveragePool(_ x: Value) -> Value {
        append(.globalAveragePool, [x], Shape(height: 1, width: 1, channels: shapes[x].channels))
    }

    mutating func scale(_ x: Value, by factors: Value) -> Value { append(.scale, [x, factors], shapes[x]) }

    mutating func dropout(_ x: Value, probability: Float) -> Value {
        training ? append(.dropout(probability), [x], shapes[x]) : x
    }

    mutating func dropConnect(_ x: Value, probability: Float, block: Int) -> Value {
        training ? append(.dropConnect(probability, block: block), [x], shapes[x]) : x
    }
}

/// A convolution node's geometry and its parameters' indices.
struct Convolution {
    let geometry: ConvolutionGeometry
    let weight: Int
    let bias: Int?
    let method: ConvolutionMethod
}

/// A batch norm's parameters and statistics by index.
struct BatchNorm {
    let weight: Int
    let bias: Int
    let runningMean: Int
    let runningVariance: Int
    let epsilon: Float
    let momentum: Float
}
