/// How a convolution's input is made a band at a time, in a worker's memory: by runs of output panels, which each task takes from
/// an image's first row to its last.
struct Bands {
    /// Output panels of a task.
    let panels: Int
    /// Output rows that are worked out at a time.
    let rows: Int
    /// Input rows that these read, and pixels of a row.
    let inputRows: Int
    let inputPixels: Int
    /// Floats from one pixel of a band to the next, and from one row to the next: odd numbers of panels, so that what lies side by
    /// side does not meet in one set of a cache.
    let pixelStride: Int
    let rowStride: Int
    /// Floats of a band.
    var count: Int { inputRows * rowStride }

    /// Maps of fewer pixels stay in the caches, and their images would be cut into too small pieces.
    static let leastPixels = 784
    /// Pixels that tiles of the widest kernel take together, which share what they read of the weights.
    private static let tiles = 96
    /// What a band should leave room for in a second-level cache.
    private static let mostFloats = 1 << 17

    init(_ g: ConvolutionGeometry, input: Graph.Shape) {
        guard g.taps > 1 else {
            // One run of pixels, for all panels.
            let run = max(24, min(Self.tiles, Self.mostFloats / input.stride / 24 * 24))
            (panels, rows, inputRows, inputPixels) = (g.outputPanels, 1, 1, run)
            (pixelStride, rowStride) = (input.stride, run * input.stride)
            return
        }
        // Few rows have little to keep; but tiles need some pixels, of which as few as possible are made for the next band.
        let enough = (2 * Self.tiles + input.width * g.stride - 1) / (input.width * g.stride)
        rows = min(g.outputSize(input.height), (max(enough, 4) + 3) / 4 * 4)
        inputPixels = input.width
        inputRows = min(input.height, (rows - 1) * g.stride + g.kernel)
        let most = max(1, Self.mostFloats / (inputRows * input.width * 16))
        let parts = (g.outputPanels + most - 1) / most
        // An even number where there are as many, as kernels take two.
        let even = (g.outputPanels + parts - 1) / parts
        panels = even > 1 ? (even + 1) / 2 * 2 : 1
        pixelStride = (panels | 1) * 16
        rowStride = (input.width * (panels | 1) | 1) * 16
    }
}
